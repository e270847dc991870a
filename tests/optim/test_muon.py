"""Muon: singular values near 1, and the half that AdamW does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.errors import InvalidValue, StateMismatch
from glideslope.optim._matrix import orthogonal, stacking
from glideslope.optim._matrix.muon import Muon, MuonWithAuxAdam
from glideslope.optim._matrix.orthogonal import orthogonalised, polynomials
from glideslope.optim._param_groups import param_groups

from .cases import every_engine
from .matrix_cases import ANY, assert_close, give_gradients, parameters, train

BANDS = {"jordan": (5, 0.65, 1.21), "you": (5, 0.65, 1.3), "polar_express": (6, 0.85, 1.15)}


@pytest.mark.parametrize("shape", [(128, 512), (512, 128)])
@pytest.mark.parametrize(("name", "band"), BANDS.items(), ids=BANDS)
def test_the_singular_values_of_a_rectangle_are_near_one(
    name: str, band: tuple[int, float, float], shape: tuple[int, int]
) -> None:
    """In the bfloat16 of a run."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    steps, least, most = band
    found = torch.linalg.svdvals(orthogonalised(matrix, name, steps))
    assert least < found.min() <= found.max() < most


def jordan(x: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    return x


def polar_express(x: Tensor, steps: int) -> Tensor:
    """Algorithm 1 of Amsel et al., 2025 (arXiv:2505.16932), on singular values."""
    known = [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        (3.3184196573706015, -2.488488024314874, 0.51004894012372),
        (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
        (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    ]
    safe = [(a / 1.01, b / 1.01**3, c / 1.01**5) for a, b, c in known]
    x = x / 1.01
    for a, b, c in (safe + [(1.875, -1.25, 0.375)] * steps)[:steps]:
        x = a * x + b * x**3 + c * x**5
    return x


def cubic(x: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        x = 1.5 * x - 0.5 * x**3
    return x


ITERATIONS: dict[str, tuple[Any, int, Any]] = {
    "jordan": ("jordan", 5, jordan),
    "one triple": ((3.4445, -4.7750, 2.0315), 3, jordan),
    "polar express": ("polar_express", 5, polar_express),
    "polar express, all": ("polar_express", 7, polar_express),
    "polar express, longer": ("polar_express", 10, polar_express),
    "triples": ([(1.5, -0.5, 0.0), [1.5, -0.5, 0]], 2, cubic),
    "none": ("you", 0, lambda x, _: x),
}


@pytest.mark.parametrize(("coefficients", "steps", "formula"), ITERATIONS.values(), ids=ITERATIONS)
def test_the_iteration_is_a_polynomial_of_the_singular_values(
    coefficients: Any, steps: int, formula: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In exact arithmetic NS(U S V') = U φ(S) V' with φ applied to numbers."""
    monkeypatch.setattr(orthogonal, "WORKING", torch.float64)
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(8, 12, generator=generator, dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = formula(s / matrix.norm(), steps)
    found = orthogonalised(matrix, coefficients, steps)
    assert (found - u @ s.diag() @ v).abs().max() < 1e-12


SPREAD = torch.logspace(-3, 0, 200, dtype=torch.float64)
WORST = {"jordan": (5, 0.7), "you": (5, 0.35), "polar_express": (8, 0.02)}


@pytest.mark.parametrize(("name", "row"), WORST.items(), ids=WORST)
def test_named_sequences_bring_singular_values_near_one(name: str, row: tuple[int, float]) -> None:
    """Published figures: 0.3 to 1.2 for Jordan's, 0.67 to 1.33 and less for those of others."""
    steps, bound = row
    x = SPREAD[SPREAD > 0.004 if name != "polar_express" else SPREAD > 0]
    for a, b, c in polynomials(name, steps):
        x = a * x + b * x**3 + c * x**5
    assert (x - 1).abs().max() < bound


SPLITS: dict[str, tuple[Any, list[int]]] = {
    "heads": (3, [4, 4, 4]),
    "queries, keys and values": ((6, 3, 3), [6, 3, 3]),
    "one": ([12], [12]),
}


@pytest.mark.parametrize("options", [{}, {"neuron_beta": 0.9}], ids=["plain", "normuon"])
@pytest.mark.parametrize(("split", "rows"), SPLITS.values(), ids=SPLITS)
def test_blocks_of_a_matrix_are_updated_as_parameters_of_their_own(
    split: Any, rows: list[int], options: dict[str, Any]
) -> None:
    fused = parameters([(12, 5), (12, 5)], torch.float32)
    apart = [part.clone().requires_grad_() for p in fused for part in p.detach().split(rows)]
    whole, parts = Muon(fused, split=split, **options), Muon(apart, **options)
    for step in range(3):
        give_gradients(fused, step)
        gradients = [part for p in fused for part in p.grad.split(rows)]
        for part, gradient in zip(apart, gradients, strict=True):
            part.grad = gradient.clone()
        whole.step()
        parts.step()
    assert_close([q for p in fused for q in p.split(rows)], apart, 1e-6)


def test_rows_are_as_long_as_each_other_at_the_first_step_of_normuon() -> None:
    """And the whole is as long as without it."""
    even, plain = (parameters([(30, 40)], torch.float32) for _ in range(2))
    before = even[0].detach().clone()
    options = {"lr": 1.0, "weight_decay": 0.0}
    train(Muon(even, neuron_beta=0.95, **options), 1)
    train(Muon(plain, **options), 1)
    moved, usual = even[0].detach() - before, plain[0].detach() - before
    torch.testing.assert_close(moved.norm(dim=1), (moved.norm() / 30**0.5).expand(30))
    torch.testing.assert_close(moved.norm(), usual.norm())


def test_the_state_of_another_kind_of_muon_is_taken_over() -> None:
    """A state of one option begins or is left out where only one side has it."""
    plain, even = parameters([(4, 6)]), parameters([(4, 6)])
    runs = Muon(plain), Muon(even, neuron_beta=0.9)
    for run in runs:
        train(run, 2)
    kept = [run.state_dict() for run in runs]
    for other, state in zip(runs[::-1], kept, strict=True):
        other.load_state_dict(state, hyperparameters="own")
        train(other, 1)
    assert runs[1].state[even[0]]["second_momentum_buffer"].shape == (4, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@every_engine
def test_hyperball_keeps_the_norm_of_the_first_step(engine: Any, dtype: torch.dtype) -> None:
    """Changes of the length of a matrix, such as rounding to 16 bits makes, do not add up."""
    p, unmoved = parameters([(8, 9), (8, 9)], dtype)
    optimizer = Muon([p, unmoved], lr=0.1, hyperball=True, engine=engine)
    before, start, norm = unmoved.detach().clone(), p.detach().clone(), p.detach().double().norm()
    for step in range(10):
        give_gradients([p], step)
        unmoved.grad = torch.zeros_like(unmoved)
        optimizer.step()
        assert abs(p.detach().double().norm() / norm - 1) < 4 * torch.finfo(dtype).eps
        p.data.mul_(1 + step)
    assert torch.equal(unmoved.detach(), before)
    assert (p.detach() - start).norm() > 1


def test_a_step_on_the_hyperball_turns_by_the_rate() -> None:
    """The weight turns by an angle of at most arctan η, whatever gradients and rates of decay."""
    (p,) = parameters([(20, 30)], torch.float64)
    optimizer = Muon([p], lr=0.1, weight_decay=3.0, hyperball=True)
    for step in range(3):
        before = p.detach().clone()
        give_gradients([p], step)
        p.grad *= 1000.0
        optimizer.step()
        cosine = (p.detach() * before).sum() / before.norm() ** 2
        assert torch.acos(cosine) == pytest.approx(0.1, abs=0.01)


def test_a_matrix_of_zeros_is_refused_by_hyperball_before_anything_is_changed() -> None:
    params = [*parameters([(2, 3)]), torch.zeros(2, 3, requires_grad=True)]
    before = params[0].detach().clone()
    optimizer = Muon(params, hyperball=True)
    give_gradients(params, 0)
    with pytest.raises(
        InvalidValue, match="`hyperball` must be False for a matrix of zeros, which"
    ):
        optimizer.step()
    assert torch.equal(params[0], before)
    assert not optimizer.state[params[0]]


STACKED: dict[str, dict[str, Any]] = {
    "muon": {"lr": 1.0},
    "bfloat16 state": {"lr": 1.0, "state_dtype": torch.bfloat16},
    "cautious": {"lr": 1.0, "cautious": True},
    "clipped": {"lr": 1.0, "max_grad_norm": 0.5, "ns_coefficients": "polar_express"},
}


@pytest.mark.parametrize("options", STACKED.values(), ids=STACKED)
def test_matrices_of_one_shape_together_are_each_alone(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than a stack takes, and others between them."""
    monkeypatch.setattr(stacking, "LARGEST", 130)
    shapes = [(5, 9), (9, 5), (5, 9), (5, 9), (3, 3), (9, 5), (5, 9), (40, 30), (40, 30)]
    together, apart = parameters(shapes, torch.float32), parameters(shapes, torch.float32)
    runs = Muon(together, **options), Muon([{"params": [p]} for p in apart], **options)
    for run in runs:
        train(run, 3)
    assert_close(together, apart, 0.03)
    assert_close(
        [runs[0].state[p]["momentum_buffer"] for p in together],
        [runs[1].state[p]["momentum_buffer"] for p in apart],
        1e-6,
    )


def test_a_gradient_of_zeros_moves_nothing() -> None:
    p = torch.ones(3, 2, requires_grad=True)
    p.grad = torch.zeros_like(p)
    Muon([p], weight_decay=0.0).step()
    assert torch.equal(p, torch.ones(3, 2))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "coefficients": ({"ns_coefficients": (1.0, 2.0)}, "`ns_coefficients` must be three numbers"),
    "name": ({"ns_coefficients": "polar"}, "one of .*'polar_express'.*, got 'polar'"),
    "triples": ({"ns_coefficients": [(1, 2, 3)] * 4}, "as many times three as `ns_steps`"),
    "caution": ({"hyperball": True, "cautious": True}, "`cautious` must be False with `hyperball`"),
    "no count": ({"split": 0}, "`split` must be a number of equal blocks of rows .*, got 0"),
    "no share": ({"split": 3}, r"`split` must be .*: one has 2 rows, got 3"),
    "rows": ({"split": (1, 2)}, r"`split` must be .*: one has 2 rows, got \(1, 2\)"),
    "kinds": ({"split": (1, 1.0)}, "`split` must be"),
    "flag": ({"split": True}, "`split` must be"),
    "beta": ({"neuron_beta": 1.0}, "`neuron_beta` must be at least 0 and less than 1, got 1.0"),
    "kind": ({"ns_coefficients": (1, 2, "3")}, "`ns_coefficients` must be three numbers"),
    "steps": ({"ns_steps": 100}, "`ns_steps` must be from 0 to 99, got 100"),
    "adjustment": ({"adjust_lr_fn": "none"}, "`adjust_lr_fn` must be one of"),
    "lr": ({"lr": -1.0}, "`lr` must be at least 0"),
}


@pytest.mark.parametrize("kind", [Muon, MuonWithAuxAdam])
@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD)
def test_bad_arguments_of_muon_are_refused(kind: Any, options: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        kind([torch.ones(2, 2, requires_grad=True)], **options)


SWITCHES: dict[str, tuple[str, Any]] = {
    "name": ("ns_coefficients", "polar_express"),
    "triples": ("ns_coefficients", [(1.5, -0.5, 0.0)] * 5),
    "adjustment": ("adjust_lr_fn", "unit_rms_norm"),
    "split": ("split", 2),
    "rows": ("split", [2, 1, 1]),
    "rows of neurons": ("neuron_beta", 0.9),
    "hyperball": ("hyperball", True),
}


@pytest.mark.parametrize(("key", "value"), SWITCHES.values(), ids=SWITCHES)
def test_an_option_of_muon_is_shown_saved_and_loaded(key: str, value: Any) -> None:
    matrices = parameters([(4, 6), (4, 2)])
    run, other = Muon(matrices, **{key: value}), Muon(parameters([(4, 6), (4, 2)]))
    assert f"{key}=" in repr(run)
    assert f"{key}=" not in repr(other)
    train(run, 2)
    other.param_groups[0]["params"][0].data.copy_(matrices[0])
    other.param_groups[0]["params"][1].data.copy_(matrices[1])
    with pytest.warns(UserWarning, match=key):
        other.load_state_dict(run.state_dict())
    assert other.param_groups[0][key] == value
    assert_close(train(other, 2, 2), train(run, 2, 2), 0)
    bad = run.state_dict()
    bad["param_groups"][0][key] = "another"
    with pytest.raises(StateMismatch, match=f"`{key}` must be"):
        other.load_state_dict(bad)


def test_muon_takes_matrices_alone_and_stays_as_it_was_when_it_refuses() -> None:
    optimizer = Muon([torch.ones(2, 2, requires_grad=True)])
    with pytest.raises(InvalidValue, match=r"`params` must be matrices for Muon, got \(3,\)"):
        optimizer.add_param_group({"params": [torch.ones(3, requires_grad=True)]})
    assert len(optimizer.param_groups) == 1


def model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    layers = [torch.nn.Embedding(9, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 9)]
    return torch.nn.Sequential(*layers).double()


@every_engine
def test_both_halves_do_what_the_two_optimizers_would(engine: Any) -> None:
    ours, theirs = model(), model()
    optimizer = MuonWithAuxAdam(param_groups(ours, use_muon=True), lr=0.01, engine=engine)
    hidden = theirs[1].weight
    rest = [p for p in theirs.parameters() if p is not hidden]
    references = [
        torch.optim.Muon([hidden], lr=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([{"params": [p for p in rest if p.ndim == 2]},
                           {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0}],
                          lr=0.01, betas=(0.9, 0.95), weight_decay=0.1),
    ]  # fmt: skip
    for step in range(4):
        give_gradients(list(ours.parameters()), step)
        give_gradients(list(theirs.parameters()), step)
        optimizer.step()
        for reference in references:
            reference.step()
    assert_close(list(ours.parameters()), list(theirs.parameters()), 1e-12)


def test_plans_are_made_once() -> None:
    """Each half leaves the other's prepared work alone."""
    ours = model()
    optimizer = MuonWithAuxAdam(param_groups(ours, use_muon=True))
    params = list(ours.parameters())
    give_gradients(params, 0)
    optimizer.step()
    (parts,) = optimizer._prepare.args  # type: ignore[attr-defined]
    plans = [part.cache.plan for part in parts]
    give_gradients(params, 1)
    optimizer.step()
    assert [part.cache.plan for part in parts] == plans


def test_blocks_are_of_the_matrices_of_muon_alone() -> None:
    shapes = [(6, 4), (7,), (5, 4)]
    *first, embedding = parameters(shapes)
    groups = [{"params": first, "split": 3}, {"params": [embedding], "use_muon": False, "split": 3}]
    optimizer = MuonWithAuxAdam(groups)
    with pytest.raises(InvalidValue, match=r"`split` must be .*: one has 5 rows, got 3"):
        optimizer.add_param_group({"params": parameters([(5, 4)]), "split": 3})
    train(optimizer, 1)


def test_a_group_of_no_matrices_is_all_adamw() -> None:
    ours, theirs = parameters(ANY), parameters(ANY)
    optimizer = MuonWithAuxAdam(ours, use_muon=False, betas=(0.9, 0.999), weight_decay=0.01)
    assert_close(train(optimizer, 3), train(torch.optim.AdamW(theirs), 3), 1e-13)
    assert [row.shape for row in optimizer.engine_report()] == ANY
