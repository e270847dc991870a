"""The agreement of all ranks on one save, before any of them writes."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch.distributed.checkpoint.planner import SavePlan

from glideslope.distributed import exchanged, mean, own_rank, rank_count, time_out
from glideslope.errors import CheckpointError

from .._facts import Facts, difference, facts_of
from .outline import taken_apart
from .plan import Planner
from .rank_file import file_content
from .rendezvous import Rendezvous

SAVING = "`Checkpointer.save`"


class Offer(NamedTuple):
    """A rank's part in the agreement: what it could save, or why it cannot."""

    step: int
    target: Path
    metrics: dict[str, float]
    token: str
    plan: SavePlan | None
    refusal: str | None
    facts: Facts


class Agreement(NamedTuple):
    """A save that all ranks begin.

    Attributes:
        content: the nest that this rank writes; its tensors are those of the state.
        metrics: the same on all ranks.
        rendezvous: ends the save.
    """

    content: dict[str, Any]
    metrics: dict[str, float]
    rendezvous: Rendezvous


def agree_to_save(
    target: Path, step: int, state: object, metrics: dict[str, float], begin: Callable[[], object]
) -> Agreement:
    """Agree with all other ranks on a save; one that refuses ends it for all.

    Args:
        target: the folder that the checkpoint becomes.
        step: its number.
        state: what this rank saves.
        metrics: the values of this rank; the mean of all is saved.
        begin: what this rank does before it agrees.

    Raises:
        InvalidType, InvalidValue, CheckpointError: this rank refused, or another one.
    """
    rank, ranks = own_rank(), rank_count()
    token, refusal = secrets.token_hex(8), None
    rendezvous = Rendezvous(target, token, rank, ranks, time_out().total_seconds())
    try:
        begin()
        outline, tensors = taken_apart(state)
        planner = Planner(tensors, rank)
        if rank == 0:
            rendezvous.begin()
    except Exception as error:  # the other ranks learn of it, whatever it is
        refusal = error
    plan = planner.local if refusal is None else None
    own = Offer(step, target, metrics, token, plan, _text(refusal), facts_of(state))
    try:
        offers = exchanged(own, SAVING)
        if refusal is not None:
            raise refusal
        _check(offers)
        parts = planner.parts([offer.plan for offer in offers if offer.plan is not None])
        _check_one_folder(rendezvous._replace(token=offers[0].token))
    except Exception:
        if rank == 0:
            rendezvous.cancel()
        raise
    _warn_of_difference(offers, state)
    agreed = _means([offer.metrics for offer in offers])
    first = offers[0].token
    shapes = [tensor.shape for tensor in tensors.values()]
    header = {"save": first, "step": step, "metrics": agreed}
    content = file_content(rank, ranks, outline, shapes, parts, header)
    return Agreement(content, agreed, rendezvous._replace(token=first))


def _text(refusal: Exception | None) -> str | None:
    return None if refusal is None else str(refusal) or type(refusal).__name__


def _check_one_folder(rendezvous: Rendezvous) -> None:
    """Refuse folders of one path on several disks: rank 0 would wait for files it cannot see."""
    seen = exchanged(rendezvous.is_seen(), SAVING)
    strangers = [rank for rank, is_seen in enumerate(seen) if not is_seen]
    if strangers:
        raise CheckpointError(
            f"could not save {rendezvous.target}: rank {strangers[0]} does not see the files that "
            "rank 0 writes there; all ranks must save into one folder that they share"
        )


def _check(offers: list[Offer]) -> None:
    """Refuse a save that is not the same on all ranks."""
    for rank, offer in enumerate(offers):
        if offer.refusal is not None:
            raise CheckpointError(f"could not save: rank {rank} refused: {offer.refusal}")
    given = {
        "steps": [str(offer.step) for offer in offers],
        "folders": [str(offer.target.parent) for offer in offers],
    }
    for name, values in given.items():
        if len(set(values)) > 1:
            told = ", ".join(f"{value} on rank {rank}" for rank, value in enumerate(values))
            raise CheckpointError(f"could not save: the ranks gave different {name}: {told}")


def _warn_of_difference(offers: list[Offer], state: object) -> None:
    """Warn of ranks that differ in rates, counters or models, which some runs do on purpose."""
    if told := difference([offer.facts for offer in offers], state, SAVING):
        warnings.warn(f"the ranks save other runs: {told}", stacklevel=6)


def _means(metrics: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over the ranks that have it."""
    names = dict.fromkeys(name for each in metrics for name in each)
    return {name: mean([each[name] for each in metrics if name in each]) for name in names}
