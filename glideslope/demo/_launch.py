"""The ranks of a run, as `torchrun` names them in the environment; known before torch is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from glideslope.errors import InvalidValue, require

ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


class Launch(NamedTuple):
    """The number of this process among those that train one run.

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

    Raises:
        InvalidValue: a variable is missing, or is no such number.
    """
    if not {"RANK", "WORLD_SIZE"} <= environment.keys():
        return Launch()
    rank, ranks = (_number(name, environment[name]) for name in ("RANK", "WORLD_SIZE"))
    require(ranks >= 1, "WORLD_SIZE", "be at least 1", ranks)
    require(0 <= rank < ranks, "RANK", f"be at least 0 and less than {ranks}", rank)
    for name in ADDRESS if ranks > 1 else ():
        rule = "be in the environment of several ranks, as torchrun writes it there"
        require(bool(environment.get(name)), name, rule, environment.get(name))
    return Launch(rank, ranks)


def program() -> list[str]:
    """The words that start the program on as many ranks."""
    ranks = launch().ranks
    if ranks == 1:
        return ["glideslope"]
    return ["torchrun", "--nproc-per-node", str(ranks), "-m", "glideslope"]


def require_shares(batch_size: int) -> None:
    """Refuse batches that cannot be split evenly: the mean of the shares is that of the batch."""
    ranks = launch().ranks
    rule = f"be a multiple of the number of ranks, {ranks}"
    require(batch_size % ranks == 0, "batch_size", rule, batch_size)


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidValue(f"`{name}` must be a whole number, got {text!r}") from None
