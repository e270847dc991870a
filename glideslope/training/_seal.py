"""Checksums over every byte of a checkpoint, in a form that every zip reader steps over.

``torch.save`` writes a zip archive. The archive's directory holds the CRC32 of each record, but no
checksum covers names, headers, padding and the directory itself, and torch verifies no CRC32.
The seal is the archive's comment, its last bytes::

    glideslope checkpoint 1 sha256:<64 hexadecimal digits>

The digest is of every byte before the digits, except the data of records whose CRC32 is written
down. So the digest covers the CRC32s and these cover the rest. A CRC32 of zero means that it was
not computed; the data of such a record is in the digest.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from glideslope.errors import CheckpointError

SEAL = b"glideslope checkpoint 1 sha256:"
DIGITS = 64

ARCHIVE = b"PK\x03\x04"
ARCHIVE_END = b"PK\x05\x06"
END_SIZE = 22  # up to the comment, whose length is in the last two bytes
LOCAL_HEADER_SIZE = 30
BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how files of torch before 1.6 begin

CHUNK = 1 << 20
THREADS = min(4, os.cpu_count() or 1)


class Damaged(CheckpointError):
    """A damaged file; another one may be undamaged."""


def seal(file: BinaryIO) -> None:
    """Write the seal at the end of the archive that ``file`` holds."""
    with ZipFile(file) as archive:
        records = archive.infolist()
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", len(SEAL) + DIGITS) + SEAL)
    file.write(_digest(file, records, file.tell()))


def verify(file: BinaryIO) -> bool:
    """Raise `Damaged` if ``file`` is damaged; False if it has no checksums.

    A file is undamaged if it is a sealed archive, or one that torch wrote, and all checksums agree.
    """
    name = file.name
    start = file.read(len(BEFORE_ZIP))
    if start == BEFORE_ZIP:
        return False
    if not start:
        raise Damaged(f"{name} is empty")
    if not start.startswith(ARCHIVE):
        raise Damaged(f"{name} is not a checkpoint: it begins with {start!r}")
    digest = _written_digest(file)
    try:
        return _verify_archive(file, digest)
    except Damaged:
        raise
    except Exception as error:  # zipfile raises many kinds for bytes that are no archive
        reason = str(error) or type(error).__name__
        raise Damaged(f"{name} is damaged: {reason}") from error


def _written_digest(file: BinaryIO) -> bytes | None:
    """The digits of the seal; None if the archive ends without a comment, as torch's do."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END_SIZE - len(SEAL) - DIGITS))
    tail = file.read()
    if tail[-END_SIZE:].startswith(ARCHIVE_END) and tail.endswith(b"\0\0"):
        return None
    end, comment = tail[:END_SIZE], tail[END_SIZE:]
    if not end.startswith(ARCHIVE_END) or end[-2:] != struct.pack("<H", len(comment)):
        raise Damaged(f"{file.name} is cut short, or something was added at its end")
    return comment[-DIGITS:]


def _verify_archive(file: BinaryIO, digest: bytes | None) -> bool:
    name = file.name
    with ZipFile(file) as archive:
        records = archive.infolist()
        if any(record.compress_type != ZIP_STORED for record in records):
            raise Damaged(f"{name} is not a checkpoint: its records are compressed")
        if not any(record.filename.endswith("/data.pkl") for record in records):
            raise Damaged(f"{name} is not a checkpoint: it has no record data.pkl")
        _verify_records(archive, [record for record in records if record.CRC])
    if digest is None:
        return all(record.CRC for record in records if record.file_size)
    if digest != _digest(file, records, file.seek(0, os.SEEK_END) - DIGITS):
        raise Damaged(f"{name} is damaged: it does not match its checksum")
    return True


def _verify_records(archive: ZipFile, records: Sequence[ZipInfo]) -> None:
    """Read every record, in several threads; zipfile compares the CRC32s."""
    by_size = sorted(records, key=lambda record: record.file_size)
    # All are opened before one is read: from Python 3.12 on, opening one seeks relative to the
    # position of the file, which a thread that reads another one changes.
    opened = [archive.open(record) for record in by_size]
    with ThreadPoolExecutor(THREADS) as pool:
        shares = [pool.submit(_read_through, opened[i::THREADS]) for i in range(THREADS)]
        for share in shares:
            share.result()


def _read_through(records: Sequence[IO[bytes]]) -> None:
    for data in records:
        with data:
            while data.read(CHUNK):
                pass


def _digest(file: BinaryIO, records: Sequence[ZipInfo], end: int) -> bytes:
    """The digest of the first ``end`` bytes, except what a CRC32 covers, in hexadecimal digits."""
    digest = hashlib.sha256()
    position = 0
    for record in sorted(records, key=lambda record: record.header_offset):
        if record.CRC:
            start = _data_start(file, record)
            _feed(digest, file, position, start)
            position = start + record.compress_size
    _feed(digest, file, position, end)
    return digest.hexdigest().encode()


def _data_start(file: BinaryIO, record: ZipInfo) -> int:
    """The position of a record's data: after its header, its name and its padding."""
    file.seek(record.header_offset + LOCAL_HEADER_SIZE - 4)
    name_size, padding_size = struct.unpack("<HH", file.read(4))
    return int(record.header_offset + LOCAL_HEADER_SIZE + name_size + padding_size)


def _feed(digest: hashlib._Hash, file: BinaryIO, start: int, stop: int) -> None:
    file.seek(start)
    while start < stop:
        chunk = file.read(min(CHUNK, stop - start))
        if not chunk:
            raise Damaged(f"{file.name} is cut short")
        digest.update(chunk)
        start += len(chunk)
