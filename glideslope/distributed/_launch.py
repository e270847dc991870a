"""Ranks as `torchrun` names them in the environment, known before torch is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from glideslope.errors import InvalidValue, require

ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


class Launch(NamedTuple):
    """The number of this process among those that were launched together; see `launch`.

    Args:
        rank: its number, from 0.
        ranks: how many there are.
    """

    rank: int = 0
    ranks: int = 1

    @property
    def is_first(self) -> bool:
        """True on the rank that prints and writes."""
        return self.rank == 0


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """The launch that the environment describes; one process unless it names several.

    Args:
        environment: the variables of the process.

    Raises:
        InvalidValue: a variable is missing, or is no such number.

    >>> launch({}).ranks
    1
    """
    found = _numbers(environment)
    for name in ADDRESS if found.ranks > 1 else ():
        rule = "be in the environment of several ranks, as torchrun writes it there"
        require(bool(environment.get(name)), name, rule, environment.get(name))
    return found


def apparent_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """The same for messages: it refuses nothing, and is of one process where numbers are wrong.

    Args:
        environment: the variables of the process.

    >>> apparent_launch({"RANK": "1", "WORLD_SIZE": "4"}).ranks
    4
    """
    try:
        return _numbers(environment)
    except InvalidValue:
        return Launch()


def _numbers(environment: Mapping[str, str]) -> Launch:
    if not {"RANK", "WORLD_SIZE"} <= environment.keys():
        return Launch()
    rank, ranks = (_number(name, environment[name]) for name in ("RANK", "WORLD_SIZE"))
    require(ranks >= 1, "WORLD_SIZE", "be at least 1", ranks)
    require(0 <= rank < ranks, "RANK", f"be at least 0 and less than {ranks}", rank)
    return Launch(rank, ranks)


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidValue(f"`{name}` must be a whole number, got {text!r}") from None
