"""Optimizers under abuse: no crash of the process, and no other number than the tensor engine's.

Each example runs in a child of its own. It steps an optimizer twice, abuses it once or several
times, with a step after each, and tells what came out: the parameters, or the error.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glideslope.engines import is_backed
from glideslope.errors import GlideslopeError
from glideslope.optim import RuleOptimizer, available, create

from .abuse import ABUSES
from .cases import is_for

NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
BY_NAME = {abuse.__name__: abuse for abuse in ABUSES}
ENGINES = ("auto", "tensor")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

if sys.version_info >= (3, 12):
    pytestmark = [pytestmark, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


def outcome(engine: Any, name: str, abuses: list[str], seed: int) -> Any:
    """The parameters at the end, or the error that ended the run."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    shapes = [(4, 4), (7,), (5, 4), (4, 4), (300,), (40, 30)]
    params = [torch.randn(shape).requires_grad_() for shape in shapes if is_for(name, shape)]
    for p in params:
        p.grad = torch.randn(p.shape)
    clips = {} if seed % 3 else {"max_grad_norm": 0.5}
    optimizer = create(name, params, engine=engine, **clips)
    try:
        for abuse in ["", "", *abuses]:
            if abuse:
                apply(abuse, params, optimizer, rng)
            optimizer.step(zero_grad=seed % 5 == 1)  # type: ignore[call-arg]
    except Exception as error:
        return f"{type(error).__name__}: {error}\n{traceback.format_exc()[-1500:]}"
    return [p.detach().double() for p in params if is_backed(p)]


def apply(abuse: str, params: list[Any], optimizer: Any, rng: random.Random) -> None:
    """Abuse an optimizer, if torch lets it be done; a refused load has changed nothing."""
    with suppress(RuntimeError, TypeError, IndexError, KeyError, GlideslopeError):
        BY_NAME[abuse](params, optimizer, rng)


Job = tuple[str, list[str], int]
"""The name of an optimizer, the abuses, the seed."""


def in_a_child(jobs: list[Job]) -> list[dict[str, Any]]:
    """The outcomes of each job by engine.

    Raises:
        AssertionError: a signal ended the child.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _work(jobs, write)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        told = file.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the process ended with {os.waitstatus_to_exitcode(status)}"
    outcomes: list[dict[str, Any]] = pickle.loads(told)
    return outcomes


def _work(jobs: list[Job], write: int) -> None:
    """The child's part; it never comes back into the test that forked it."""
    status = 1
    try:
        with warnings.catch_warnings(), os.fdopen(write, "wb") as file:
            warnings.simplefilter("ignore")
            torch.set_num_threads(1)
            found = [{engine: outcome(engine, *job) for engine in ENGINES} for job in jobs]
            file.write(pickle.dumps(found))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def check(*jobs: Job) -> None:
    """Compare the engines' outcomes."""
    for (_, abuses, _), found in zip(jobs, in_a_child(list(jobs)), strict=True):
        fused, tensor = found.values()
        for told in (fused, tensor):
            assert not isinstance(told, str) or is_named(told), told
        if isinstance(fused, list) and isinstance(tensor, list):
            narrow = "dtype" in " ".join(abuses)  # each engine has noise of its own
            bound = 0.05 if narrow else 1e-4
            torch.testing.assert_close(fused, tensor, rtol=bound, atol=bound, equal_nan=True)
        else:
            assert isinstance(fused, str), f"only the tensor engine refused: {tensor}"
            assert isinstance(tensor, str), f"only the fused engine refused: {fused}"


def is_named(told: str) -> bool:
    """True if an error of an abused optimizer names a parameter, a state or a key."""
    return "parameter" in told.splitlines()[0]


@pytest.mark.parametrize("abuse", BY_NAME)
def test_each_abuse(abuse: str) -> None:
    names = ["AdamW", "SGD", "SOAP", "MuonWithAuxAdam"]
    check(*((name, [abuse], seed) for name in names for seed in (0, 1)))


@given(
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(sorted(BY_NAME)), min_size=1, max_size=4),
    st.integers(0, 2**16),
)
def test_any_abuse(name: str, abuses: list[str], seed: int) -> None:
    check((name, abuses, seed))


def test_a_crash_of_the_child_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_NAME, "crash", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(AssertionError, match="the process ended with -9"):
        check(("AdamW", ["crash"], 0))
