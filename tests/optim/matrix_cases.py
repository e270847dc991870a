"""The matrix methods under test: one row each, with an independent reference in float64."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from glideslope.optim._matrix import orthogonal
from glideslope.optim._matrix.apollo import APOLLO
from glideslope.optim._matrix.directed_optimizer import DirectedOptimizer
from glideslope.optim._matrix.factored import CAME, Adafactor
from glideslope.optim._matrix.kron import Kron
from glideslope.optim._matrix.muon import Muon, MuonWithAuxAdam
from glideslope.optim._matrix.soap import SOAP

from . import transcriptions

MATRICES = [(4, 6), (6, 4), (5, 5), (1, 3), (40, 30)]
ANY = [*MATRICES, (7,), (3, 4, 5), ()]


class Case(NamedTuple):
    """One matrix method under one set of arguments, and the shapes it is tried on.

    Muon iterates in bfloat16, which only torch's own follows to the last bits; against any other
    reference it does so in float64.
    """

    ours: type[DirectedOptimizer]
    reference: Callable[..., torch.optim.Optimizer]
    arguments: dict[str, Any]
    shapes: list[tuple[int, ...]]
    tolerance: float = 1e-12


CASES = {
    "muon": Case(Muon, torch.optim.Muon, {"lr": 0.01}, MATRICES),
    "muon-plain": Case(
        Muon,
        torch.optim.Muon,
        {"lr": 0.1, "nesterov": False, "ns_steps": 3, "momentum": 0.5, "weight_decay": 0.0},
        MATRICES,
    ),
    "muon-matched": Case(
        Muon, torch.optim.Muon, {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw"}, MATRICES
    ),
    "muon-express": Case(
        Muon,
        transcriptions.Muon,
        {
            "lr": 0.01,
            "weight_decay": 0.1,
            "ns_coefficients": "polar_express",
            "adjust_lr_fn": "unit_rms_norm",
        },
        [*MATRICES, (4, 6), (40, 30)],
    ),
    "muon-heads": Case(
        Muon,
        transcriptions.Muon,
        {"lr": 0.01, "weight_decay": 0.1, "split": 2},
        [(4, 6), (6, 2), (4, 6), (40, 30)],
    ),
    "muon-qkv": Case(
        Muon,
        transcriptions.Muon,
        {"lr": 0.01, "weight_decay": 0.1, "split": (4, 1, 1)},
        [(6, 3), (6, 9), (6, 3)],
    ),
    "normuon": Case(
        Muon,
        transcriptions.Muon,
        {"lr": 0.01, "weight_decay": 0.1, "neuron_beta": 0.9},
        [*MATRICES, (4, 6)],
    ),
    "normuon-heads": Case(
        Muon,
        transcriptions.Muon,
        {"lr": 0.01, "weight_decay": 0.1, "neuron_beta": 0.95, "split": 2},
        [(4, 6), (4, 6), (6, 2)],
    ),
    "muon-sphere": Case(
        Muon,
        transcriptions.Muon,
        {"lr": 0.01, "weight_decay": 0.1, "hyperball": True, "neuron_beta": 0.9},
        [*MATRICES, (4, 6)],
    ),
    "adafactor": Case(Adafactor, torch.optim.Adafactor, {}, ANY),
    "adafactor-decay": Case(
        Adafactor,
        torch.optim.Adafactor,
        {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.1},
        ANY,
    ),
    "adafactor-maximize": Case(
        Adafactor, torch.optim.Adafactor, {"lr": 0.1, "maximize": True}, ANY
    ),
    "came": Case(CAME, transcriptions.CAME, {"lr": 0.01, "weight_decay": 0.1}, ANY),
    "soap": Case(
        SOAP,
        transcriptions.SOAP,
        {"lr": 0.01, "weight_decay": 0.1, "precondition_frequency": 2},
        [(5, 5), (9, 9), (4, 2, 2), (7,), ()],
        tolerance=1e-9,
    ),
    "soap-one-side": Case(
        SOAP,
        transcriptions.SOAP,
        {"lr": 0.01, "precondition_frequency": 3, "max_precond_dim": 5, "weight_decay": 0.0},
        [(5, 12), (12, 5), (6, 6)],
        tolerance=1e-9,
    ),
    "soap-kl": Case(
        SOAP,
        transcriptions.SOAP,
        {"lr": 0.01, "weight_decay": 0.1, "precondition_frequency": 2, "kl": True},
        [(5, 5), (9, 9), (4, 2, 2), (20, 21)],
        tolerance=1e-9,
    ),
    "soap-kl-one-side": Case(
        SOAP,
        transcriptions.SOAP,
        {
            "lr": 0.01,
            "weight_decay": 0.1,
            "precondition_frequency": 3,
            "kl": True,
            "max_precond_dim": 5,
        },
        [(5, 12), (12, 5), (6, 6)],
        tolerance=1e-9,
    ),
    "apollo": Case(
        APOLLO,
        transcriptions.APOLLO,
        {"lr": 0.01, "weight_decay": 0.1, "rank": 3, "update_proj_gap": 3},
        [*ANY, (4, 6)],
    ),
    "apollo-mini": Case(
        APOLLO,
        transcriptions.APOLLO,
        {"lr": 0.01, "rank": 1, "scale": 128.0, "scale_type": "tensor", "update_proj_gap": 5},
        MATRICES,
    ),
    "kron": Case(Kron, transcriptions.Kron, {"lr": 0.01, "weight_decay": 0.1}, ANY, 1e-10),
    "kron-one-side": Case(
        Kron,
        transcriptions.Kron,
        {"lr": 0.01, "max_size_triangular": 5, "preconditioner_update_probability": 0.5},
        [(5, 12), (12, 5), (6, 6)],
        1e-10,
    ),
    "muon-adam": Case(
        MuonWithAuxAdam,
        transcriptions.MuonWithAdamW,
        {"lr": 0.01, "weight_decay": 0.1},
        ANY,
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
torch_cases = {
    name: case for name, case in CASES.items() if "torch.optim" in case.reference.__module__
}
every_torch_case = pytest.mark.parametrize("case", torch_cases.values(), ids=torch_cases)

climbing_cases = {
    name: case
    for name, case in CASES.items()
    if "maximize" in {*signature(case.ours).parameters} - {*case.arguments}
}


@pytest.fixture(autouse=True)
def exact_iterations(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Muon in float64 wherever its reference is."""
    case = getattr(request.node, "callspec", None) and request.node.callspec.params.get("case")
    if isinstance(case, Case) and case not in torch_cases.values():
        monkeypatch.setattr(orthogonal, "WORKING", torch.float64)


def parameters(shapes: list[tuple[int, ...]], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [values.to(dtype).requires_grad_() for values in made]


def give_gradients(params: list[Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(1000 + seed)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)


def assert_close(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q.to(p.dtype), rtol=tolerance, atol=tolerance)


def train(optimizer: torch.optim.Optimizer, steps: int, first: int = 0) -> list[Tensor]:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for step in range(first, first + steps):
        give_gradients(params, step)
        optimizer.step()
    return params
