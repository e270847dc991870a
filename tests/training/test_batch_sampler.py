"""Batches whose size follows a schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, RandomSampler

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue, UnboundError
from glideslope.training import ResumableLoader, ScheduledBatchSampler

GROWING = gs.hold(3) >> 2 * gs.hold(2) >> 4 * gs.hold(3)


def sizes(batches: Iterable[Any]) -> list[int]:
    return [len(batch) for batch in batches]


def test_the_size_is_that_of_the_number_of_batches_over_all_epochs() -> None:
    sampler = ScheduledBatchSampler(range(10), GROWING)
    assert list(sampler) == [[0], [1], [2], [3, 4], [5, 6], [7, 8, 9]]
    assert list(sampler) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert sampler.batches == 9


def test_a_constant_size_is_torchs_batch_sampler() -> None:
    for drop_last in (False, True):
        ours = ScheduledBatchSampler(range(11), 3 * gs.hold(1), drop_last)
        theirs = BatchSampler(range(11), 3, drop_last)
        for _ in range(2):
            assert (list(ours), len(ours)) == (list(theirs), len(theirs))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 10, 25])
def test_the_length_is_that_of_the_running_epoch(count: int, drop_last: bool) -> None:
    sampler = ScheduledBatchSampler(range(count), GROWING, drop_last)
    for _ in range(3):
        announced, lengths, given = len(sampler), set(), 0
        for _ in sampler:
            lengths.add(len(sampler))
            given += 1
        assert announced == given
        assert lengths <= {announced}


def test_a_size_is_rounded_to_the_nearest() -> None:
    sampler = ScheduledBatchSampler(range(9), gs.linear(3, start=1.4, end=3.2))
    assert sizes(sampler) == [1, 2, 3, 3]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [11, 2**63, 1e300])
def test_a_size_beyond_the_epoch_takes_all_of_it(size: float, drop_last: bool) -> None:
    sampler = ScheduledBatchSampler(range(10), size * gs.hold(1), drop_last)
    assert sizes(sampler) == ([] if drop_last else [10])
    assert len(sampler) == (not drop_last)


def test_an_epoch_that_is_left_counts_what_was_taken() -> None:
    sampler = ScheduledBatchSampler(range(10), GROWING)
    for batch in sampler:
        if batch == [2]:
            break
    assert sizes(sampler) == [2, 2, 4, 2]


def loader(workers: int = 0) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(5)
    sampler = RandomSampler(range(10), generator=generator)
    batches = ScheduledBatchSampler(sampler, GROWING)
    data: Any = torch.arange(10)
    return DataLoader(data, batch_sampler=batches, num_workers=workers)


def numbers(batches: Iterable[Any]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 4, 7, 8])
def test_a_run_resumes_with_the_next_batch_and_its_size(stop: int, workers: int) -> None:
    whole = loader()
    expected = numbers(whole) + numbers(whole)
    assert sizes(expected) == [1, 1, 1, 2, 2, 3, 4, 4, 2]
    first = ResumableLoader(loader(workers))
    seen = 0
    while seen < stop:
        for _ in first:
            seen += 1
            if seen == stop:
                state = first.state_dict()
                break
    again = ResumableLoader(loader(workers))
    again.load_state_dict(state)
    rest = numbers(again) + (numbers(again) if stop < 6 else [])
    assert rest == expected[stop:]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("kind", ["generator", "with replacement", "ranks"])
def test_a_run_resumes_from_every_batch_and_between_epochs(kind: str, drop_last: bool) -> None:
    def build() -> ResumableLoader[Any]:
        data: Any = torch.arange(21)
        generator = torch.Generator().manual_seed(5)
        sampler: Any = {
            "generator": lambda: RandomSampler(data, generator=generator),
            "with replacement": lambda: RandomSampler(data, True, 13, generator),
            "ranks": lambda: DistributedSampler(data, 2, 1),
        }[kind]()
        batches = ScheduledBatchSampler(sampler, GROWING, drop_last)
        return ResumableLoader(DataLoader(data, batch_sampler=batches))

    def run(loader: ResumableLoader[Any], first: int = 0) -> Iterable[list[int]]:
        for epoch in range(first, 3):
            if kind == "ranks":
                loader.loader.batch_sampler.sampler.set_epoch(epoch)
            yield from numbers(loader)

    expected = list(run(build()))
    saved, whole, given = [], build(), 0
    for epoch in range(3):
        if kind == "ranks":
            whole.loader.batch_sampler.sampler.set_epoch(epoch)
        for _ in whole:
            given += 1
            saved.append((epoch, given, len(whole), whole.state_dict()))
        saved.append((epoch + 1, given, len(whole), whole.state_dict()))
    for epoch, count, length, state in saved:
        again = build()
        again.load_state_dict(state)
        assert len(again) == length
        assert list(run(again, epoch)) == expected[count:]


def test_the_order_is_the_one_without_a_resumable_loader() -> None:
    torch.manual_seed(3)
    plain = ScheduledBatchSampler(RandomSampler(range(10)), GROWING)
    data: Any = range(10)
    expected = numbers(DataLoader(data, batch_sampler=plain))
    torch.manual_seed(3)
    own = ScheduledBatchSampler(RandomSampler(range(10)), GROWING)
    found = []
    for batch in ResumableLoader(DataLoader(data, batch_sampler=own)):
        found.append(batch.tolist())
        torch.rand(3)
    assert found == expected


def test_ranks_have_batches_of_one_size() -> None:
    parts = [DistributedSampler(range(20), 2, rank, shuffle=False) for rank in (0, 1)]  # type: ignore[arg-type]
    first, second = (list(ScheduledBatchSampler(part, GROWING)) for part in parts)
    assert sizes(first) == sizes(second) == [1, 1, 1, 2, 2, 3]
    assert {i for batch in first + second for i in batch} == set(range(20))


def test_its_text_says_where_it_is() -> None:
    sampler = ScheduledBatchSampler(range(3), 2 * gs.hold(1))
    list(sampler)
    assert repr(sampler) == "ScheduledBatchSampler(2 batches so far, hold(1) * 2)"


REFUSED: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "number": (range(3), 16, InvalidType, "`batch_size` must be a schedule, got 16"),
    "not iterable": (3, GROWING, InvalidType, "`sampler` must be iterable, got 3"),
    "iterator": (iter([1]), GROWING, InvalidType, "`sampler` must restart each epoch"),
    "unbound": (range(3), gs.hold("10%"), UnboundError, "unbound length"),
    "zero": (range(3), gs.linear(3), InvalidValue, "`batch_size` must be at least 1 at t = 2"),
}


@pytest.mark.parametrize("drop_last", [1, None, "no"])
def test_drop_last_is_true_or_false(drop_last: Any) -> None:
    with pytest.raises(InvalidType, match="`drop_last` must be True or False, got"):
        ScheduledBatchSampler(range(3), GROWING, drop_last)


@pytest.mark.parametrize(("sampler", "size", "kind", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_gives_no_batches_is_refused(
    sampler: Any, size: Any, kind: type[Exception], sentence: str
) -> None:
    def run() -> None:
        batches = ScheduledBatchSampler(sampler, size)
        for _ in range(4):
            list(batches)

    with pytest.raises(kind, match=sentence):
        run()
