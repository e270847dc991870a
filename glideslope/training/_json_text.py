"""JSON that every program reads: NaN and the infinities are ``null``, named in a field beside.

JSON has no form for the three floats that are not finite, and JavaScript and most databases refuse
the ``NaN`` that Python's `json` writes. So such a value is ``null``, and the object has one more
field, `NON_FINITE`, with the value's name at the same place, of lists by the index::

    {"loss": null, "lr": [0.1, null], "non_finite": {"loss": "NaN", "lr": {"1": "Infinity"}}}

The names are those that JavaScript's ``Number`` and Python's ``float`` understand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from glideslope.errors import InvalidValue, require, require_type

from ._scalar import scalar

NON_FINITE = "non_finite"
MAX_DEPTH = 200

VALUES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_text(content: Mapping[str, Any]) -> str:
    """An object of JSON on one line; scalars of NumPy and torch are numbers.

    Raises:
        InvalidType: a value that JSON has no form for, or a name that is not text.
        InvalidValue: the name `NON_FINITE` is used, or a nest is too deep or contains itself.
    """
    for name in content:
        require_type(isinstance(name, str), "a name in the record", "be text", name)
    rule = "be another one: it tells NaN and the infinities"
    require(NON_FINITE not in content, "a name in the record", rule, NON_FINITE)
    plain, marks = _of_object(dict(content), 0)
    if marks:
        plain[NON_FINITE] = marks
    try:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    except ValueError as error:  # an integer of more digits than Python writes
        raise InvalidValue(f"the record cannot be written: {error}") from error
    return text if _is_unicode(text) else json.dumps(plain, allow_nan=False)


def from_json_text(text: str | bytes) -> Any:
    """Parse what `json_text` wrote; also what Python's `json` wrote, ``NaN`` included.

    Raises:
        ValueError: ``text`` is no JSON.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is too deep") from error
    marks = content.get(NON_FINITE) if isinstance(content, dict) else None
    if isinstance(marks, dict) and _fits(content, marks):
        del content[NON_FINITE]
        _put_back(content, marks)
    return content


def _split(value: Any, depth: int) -> tuple[Any, Any]:
    """A value in JSON's form, and the names of the values without one, in the same nest."""
    require(depth <= MAX_DEPTH, "a value in the record", f"be at most {MAX_DEPTH} deep", value)
    if value is None or isinstance(value, str | int):
        return value, None
    if isinstance(value, float):
        return (float(value), None) if math.isfinite(value) else (None, _name(value))
    if isinstance(value, dict):
        return _of_object(value, depth)
    if isinstance(value, list | tuple):
        return _of_list(value, depth)
    is_scalar = hasattr(value, "item") and getattr(value, "ndim", None) == 0
    require_type(is_scalar, "a value in the record", "be a number, text, a list or a dict", value)
    return _split(scalar(value), depth + 1)


def _of_object(content: dict[Any, Any], depth: int) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = {_key(key): _split(value, depth + 1) for key, value in content.items()}
    return {key: value for key, (value, _) in parts.items()}, _marks(parts)


def _of_list(content: Any, depth: int) -> tuple[list[Any], dict[str, Any]]:
    parts = [_split(value, depth + 1) for value in content]
    return [value for value, _ in parts], _marks({str(i): part for i, part in enumerate(parts)})


def _marks(parts: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {key: mark for key, (_, mark) in parts.items() if mark}


def _name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _key(key: Any) -> str:
    """A key of a nested dict, as Python's `json` spells it."""
    if isinstance(key, str):
        return key
    known = key is None or isinstance(key, bool | int | float)
    require_type(known, "a name in the record", "be text", key)
    return json.dumps(key)


def _is_unicode(text: str) -> bool:
    """Half a surrogate pair, as in names of files that are not UTF-8, has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fits(content: Any, marks: Any) -> bool:
    """True if every mark is of a ``null``; else the field is one of the record's own."""
    if isinstance(marks, str):
        return content is None and marks in VALUES
    if not (isinstance(marks, dict) and isinstance(content, dict | list)):
        return False
    return all(_fits(_at(content, key), mark) for key, mark in marks.items())


def _at(content: Any, key: str) -> Any:
    """The value under a key, or at an index; a value without a place where there is none."""
    if isinstance(content, dict):
        return content.get(key, ...)
    is_index = isinstance(content, list) and key.isdecimal() and int(key) < len(content)
    return content[int(key)] if is_index else ...


def _put_back(content: Any, marks: dict[str, Any]) -> None:
    for key, mark in marks.items():
        place = key if isinstance(content, dict) else int(key)
        if isinstance(mark, str):
            content[place] = VALUES[mark]
        else:
            _put_back(content[place], mark)
