"""Generators are found wherever an object holds them, and named by their place."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from glideslope.training._streams import streams_of

OF_THE_MODULE = random.Random(1)
STREAM = random.Random(2)


def helper() -> float:
    return OF_THE_MODULE.random()


def calls_helper() -> list[float]:
    return [helper() for _ in range(2)]


def has_default(stream: random.Random = STREAM) -> float:
    return stream.random()


class Attribute:
    def __init__(self, stream: object) -> None:
        self.stream = stream

    def method(self) -> object:
        return self.stream


class Slots:
    __slots__ = ("missing", "stream")

    def __init__(self, stream: object) -> None:
        self.stream = stream


class OfTheClass:
    stream = STREAM


class InMethods:
    @property
    def number(self) -> float:
        return helper()

    @staticmethod
    def other() -> float:
        return STREAM.random()


def closed_over(stream: Any) -> Any:
    return lambda: stream.random()


def cycle() -> Attribute:
    found = Attribute(STREAM)
    found.other = found  # type: ignore[attr-defined]
    return found


FOUND: dict[str, tuple[object, set[str]]] = {
    "itself": (STREAM, {"x"}),
    "torch's": (torch.Generator(), {"x"}),
    "NumPy's": (np.random.default_rng(), {"x"}),
    "NumPy's old": (np.random.RandomState(1), {"x"}),
    "an attribute": (Attribute(STREAM), {"x.stream"}),
    "a slot": (Slots(STREAM), {"x.stream"}),
    "a class": (OfTheClass(), {"x.stream"}),
    "a list": ([0, [STREAM]], {"x[1][0]"}),
    "a dict": ({"a": (STREAM,)}, {"x['a'][0]"}),
    "one for each item": (
        [(i, random.Random(i)) for i in range(3)],
        {f"x[{i}][1]" for i in range(3)},
    ),
    "a module": (nn.Sequential(nn.Linear(1, 1)).append(nn.Identity()), set()),
    "a bound method": (Attribute(STREAM).method, {"x.stream"}),
    "a generator's own method": (STREAM.random, {"x"}),
    "a partial": (partial(has_default, STREAM), {"x"}),
    "a default": (has_default, {"x"}),
    "a function that calls another": (calls_helper, {"x.helper.OF_THE_MODULE"}),
    "a closure": (closed_over(STREAM), {"x.stream"}),
    "methods": (InMethods(), {"x.number.helper.OF_THE_MODULE", "x.other.STREAM"}),
    "the same twice": ([STREAM, Attribute(STREAM)], {"x[0]"}),
    "a cycle": (cycle(), {"x.stream"}),
    "global functions": ([random.random, np.random.rand, torch.rand], set()),
    "the global ones": ([torch.default_generator, random.seed.__self__], set()),  # type: ignore[attr-defined]
    "nothing": ([1, "a", None, torch.ones(2), np.ones(2), int, random], set()),
}


@pytest.mark.parametrize(("value", "places"), FOUND.values(), ids=FOUND)
def test_where_generators_are(value: object, places: set[str]) -> None:
    assert streams_of({"x": value}).keys() == places


def test_long_lists_of_plain_values_are_passed_over_at_once() -> None:
    files = [(f"{number}.png", number) for number in range(300_000)]
    begun = time.process_time()
    streams_of({"x": [files, {"labels": list(range(300_000))}]})
    assert time.process_time() - begun < 0.5
