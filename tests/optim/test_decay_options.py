"""Options of decoupled weight decay: only where the update agrees, and in proportion to the rate.

The reference is the optimizer's own, in float64: what it subtracts without weight decay is the
update, and what weight decay changes is the decay.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope import optim, rules
from glideslope.errors import GlideslopeError, InvalidType, InvalidValue
from glideslope.optim import Adam, AdamW, Lion, MuonWithAuxAdam, RuleOptimizer, Scheduler, available
from glideslope.schedules import Linear

from . import matrix_cases
from .cases import CASES, every_engine
from .masking import random_parameter, subtracted

SIZE = 200
COUPLED = {
    "SGD",
    "LARS",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "MADGRAD",
    "Adam",
    "Adamax",
    "NAdam",
    "RAdam",
}
WITHOUT = {"ASGD", "Rprop"}

decayed = {
    name: case
    for name, case in CASES.items()
    if case.arguments.get("weight_decay")
    and (case.ours.__name__ not in COUPLED | WITHOUT or "decoupled" in name)
}
by_their_sum = {name: decayed[name] for name in decayed if not name.endswith(("free", "lamb"))}
"""The cases whose new parameter is the old one less update and decay."""


@pytest.mark.usefixtures("float64_counts")
@every_engine
@pytest.mark.parametrize("name", by_their_sum)
def test_the_decay_is_masked_and_the_update_is_not(name: str, engine: Any) -> None:
    """Equation 3 of Chen et al., 2025 (arXiv:2510.12402)."""
    case = CASES[name]
    p, q, r = (random_parameter(SIZE) for _ in range(3))
    optimizer = case.build([p], cautious_weight_decay=True, engine=engine)
    plain = case.reference([q], **{**case.arguments, "weight_decay": 0.0})
    reference = case.build_reference([r])
    shares = []
    for _ in range(8):
        g = torch.randn(SIZE, dtype=torch.float64)
        p.grad, before = g.clone(), p.detach().clone()
        update = subtracted(plain, q, before, g)
        decay = subtracted(reference, r, before, g) - update
        agrees = update * before >= 0
        optimizer.step()
        expected = before - update - torch.where(agrees, decay, 0.0)
        torch.testing.assert_close(p.detach(), expected, rtol=1e-11, atol=1e-11)
        shares.append(agrees[decay != 0].double().mean().item())
    assert 0.2 < shares[-1] < 0.8


@pytest.mark.usefixtures("float64_counts")
@every_engine
@pytest.mark.parametrize("name", sorted(decayed.keys() - by_their_sum.keys()))
def test_a_decay_inside_the_step_is_masked_there(name: str, engine: Any) -> None:
    """A weight decay for each element: that of LAMB is in a norm, the others' moves two points."""
    case = CASES[name]
    p, q = random_parameter(SIZE), random_parameter(SIZE)
    optimizer = case.build([p], cautious_weight_decay=True, engine=engine)
    reference = case.build_reference([q])
    m = torch.zeros(SIZE, dtype=torch.float64)
    for _ in range(6):
        g = torch.randn(SIZE, dtype=torch.float64)
        m = 0.9 * m + 0.1 * g if name == "lamb" else g  # of the update's sign
        mask = (m * q.detach() >= 0).double()
        reference.param_groups[0]["weight_decay"] = 0.1 * mask
        p.grad, q.grad = g.clone(), g.clone()
        optimizer.step()
        reference.step()
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


@every_engine
@pytest.mark.parametrize("name", ["muon", "adafactor-decay", "soap", "apollo", "kron"])
def test_the_decay_of_a_matrix_is_masked_by_its_direction(name: str, engine: Any) -> None:
    case = matrix_cases.CASES[name]
    p, q, r = (random_parameter(9, 9) for _ in range(3))
    optimizer = case.ours([p], **case.arguments, cautious_weight_decay=True, engine=engine)
    plain = case.reference([q], **{**case.arguments, "weight_decay": 0.0})
    reference = case.reference([r], **case.arguments)
    for _ in range(5):
        g = torch.randn(9, 9, dtype=torch.float64)
        p.grad, before = g.clone(), p.detach().clone()
        update = subtracted(plain, q, before, g)
        decay = subtracted(reference, r, before, g) - update
        optimizer.step()
        expected = before - update - torch.where(update * before >= 0, decay, 0.0)
        torch.testing.assert_close(p.detach(), expected, rtol=1e-9, atol=1e-9)


@every_engine
def test_what_does_not_move_decays(engine: Any) -> None:
    p = torch.tensor([2.0, -2.0, 0.0], requires_grad=True)
    p.grad = torch.zeros(3)
    Lion([p], lr=0.5, weight_decay=0.5, cautious_weight_decay=True, engine=engine).step()
    assert p.tolist() == [1.5, -1.5, 0.0]


@every_engine
def test_an_update_too_small_for_the_parameter_still_has_its_sign(engine: Any) -> None:
    """In float32, 1 + 1e-9 is 1: the difference of the parameters does not tell."""
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.tensor([1.0, -1.0])
    Lion([p], lr=1e-9, weight_decay=1e6, cautious_weight_decay=True, engine=engine).step()
    assert p.tolist() == [pytest.approx(1 - 1e-3), 1.0]


@every_engine
def test_the_cautious_update_is_what_the_decay_is_masked_by(engine: Any) -> None:
    """An element that is left out of the update does not move, and decays."""
    p = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    both: Any = {"cautious": True, "cautious_weight_decay": True}
    optimizer = AdamW([p], lr=0.1, weight_decay=0.5, engine=engine, **both)
    for gradient in (1.0, -1e-3):
        before = p.detach().clone()
        p.grad = torch.full_like(p, gradient)
        optimizer.step()
    torch.testing.assert_close(p.detach(), before * 0.95)


def decay_of(group: dict[str, Any]) -> float:
    return 0.1 * group["lr"] / 0.02


@pytest.mark.usefixtures("float64_counts")
@every_engine
@pytest.mark.parametrize(
    "name", [*decayed, "muon", "adafactor-decay", "came", "soap", "apollo", "kron"]
)
def test_corrected_decay_is_a_decay_in_proportion_to_the_rate(name: str, engine: Any) -> None:
    """Equation of AdamC in Defazio, 2025 (arXiv:2506.02285): lr² λ / peak."""
    case: Any = CASES.get(name) or matrix_cases.CASES[name]
    shape = (9, 9) if name in matrix_cases.CASES else (SIZE,)
    p, q = random_parameter(*shape), random_parameter(*shape)
    arguments = {**case.arguments, "weight_decay": 0.1}
    optimizer = case.ours([p], **arguments, decay_peak_lr=0.02, engine=engine)
    reference = case.reference([q], **arguments)
    for rate in (0.005, 0.02, 0.01, 0.0):
        g = torch.randn(shape, dtype=torch.float64)
        for each, parameter in ((optimizer, p), (reference, q)):
            parameter.grad = g.clone()
            each.param_groups[0]["lr"] = rate
        reference.param_groups[0]["weight_decay"] = decay_of(reference.param_groups[0])
        optimizer.step()
        reference.step()
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def decayed_by_schedules(**arguments: Any) -> Tensor:
    p = random_parameter(SIZE)
    optimizer = AdamW([p], lr=0.02, weight_decay=0.1, **arguments)
    curve = Linear(10, end=0.5)
    keys = {"lr": curve} if arguments else {"lr": curve, "weight_decay": curve}
    scheduler = Scheduler(optimizer, **keys)
    for _ in range(5):
        p.grad = torch.randn(SIZE, dtype=torch.float64)
        optimizer.step()
        scheduler.step()
    return p.detach()


def test_a_schedule_of_both_is_the_same_correction() -> None:
    torch.testing.assert_close(
        decayed_by_schedules(decay_peak_lr=0.02), decayed_by_schedules(), rtol=1e-14, atol=1e-14
    )


def test_both_inside_a_compiled_step() -> None:
    torch.compiler.reset()
    ends = []
    for wrapped in (lambda step: step, lambda step: torch.compile(step, backend="eager")):
        p = random_parameter(7)
        options: Any = {"cautious_weight_decay": True, "decay_peak_lr": 0.2}
        optimizer = AdamW([p], lr=0.1, weight_decay=0.5, **options)
        step = wrapped(optimizer.step)
        for _ in range(3):
            p.grad = torch.randn(7, dtype=torch.float64)
            step()
        ends.append(p.detach())
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-12)


def test_a_group_has_its_own_which_a_checkpoint_keeps_and_its_text_shows() -> None:
    def made() -> AdamW:
        torch.manual_seed(0)
        p, q = (torch.randn(4).requires_grad_() for _ in range(2))
        own = {"params": [q], "cautious_weight_decay": False, "decay_peak_lr": None}
        given: Any = {"cautious_weight_decay": True, "decay_peak_lr": 0.4}
        return AdamW([{"params": [p]}, own], lr=0.1, weight_decay=0.5, **given)

    optimizer = made()
    assert repr(optimizer).splitlines() == [
        "AdamW(lr=0.1, weight_decay=0.5, cautious_weight_decay=True, decay_peak_lr=0.4, "
        "2 groups, 2 parameters)",
        "  0: 1 parameter",
        "  1: 1 parameter, cautious_weight_decay=False, decay_peak_lr=None",
    ]
    p, q = (group["params"][0] for group in optimizer.param_groups)
    before = [p.detach().clone(), q.detach().clone()]
    p.grad, q.grad = torch.zeros(4), torch.zeros(4)
    optimizer.step()
    torch.testing.assert_close(p.detach(), before[0] * (1 - 0.1 * 0.5 * 0.25))
    torch.testing.assert_close(q.detach(), before[1] * (1 - 0.1 * 0.5))
    state, resumed = optimizer.state_dict(), made()
    state["param_groups"][1]["decay_peak_lr"] = 0.8
    with pytest.warns(UserWarning, match="decay_peak_lr from None to 0.8"):
        resumed.load_state_dict(state)
    assert resumed.param_groups[1]["decay_peak_lr"] == 0.8
    assert "cautious_weight_decay" not in resumed.param_groups[0]


def accepts(kind: Any, **argument: Any) -> bool:
    with suppress(InvalidValue):
        kind([random_parameter(3, 3)], **argument)
        return True
    return False


def test_every_optimizer_that_decouples_its_decay_has_both_and_no_other() -> None:
    kinds = [row.optimizer for row in available() if issubclass(row.optimizer, RuleOptimizer)]
    names = {kind.__name__ for kind in kinds}
    masked = {kind.__name__ for kind in kinds if accepts(kind, cautious_weight_decay=True)}
    corrected = {kind.__name__ for kind in kinds if accepts(kind, decay_peak_lr=0.1)}
    assert masked == corrected == names - COUPLED - WITHOUT
    for kind in (Adam, optim.NAdam, optim.RAdam, optim.MADGRAD):
        kind([random_parameter(1)], decoupled_weight_decay=True, decay_peak_lr=0.1)


GROUPS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "without": (
        optim.LARS,
        {"cautious_weight_decay": True},
        "`cautious_weight_decay` must be False: the rule lars has no option",
    ),
    "coupled": (
        Adam,
        {"decay_peak_lr": 0.1},
        "`decay_peak_lr` must be None: the weight decay of the rule adam is not decoupled here",
    ),
    "zero": (AdamW, {"decay_peak_lr": 0.0}, "`decay_peak_lr` must be more than 0"),
    "text": (AdamW, {"decay_peak_lr": "0.1"}, "`decay_peak_lr` must be a number"),
    "misspelt": (
        MuonWithAuxAdam,
        {"cautious_weightdecay": True},
        "a parameter group has `cautious_weightdecay`: did you mean `cautious_weight_decay`",
    ),
}


@pytest.mark.parametrize(("kind", "group", "sentence"), GROUPS.values(), ids=GROUPS)
def test_a_group_that_cannot_have_them_is_refused(kind: Any, group: Any, sentence: str) -> None:
    with pytest.raises(GlideslopeError, match=sentence):
        kind([{"params": [random_parameter(2, 2)], **group}])
    optimizer = kind([random_parameter(2, 2)])
    with pytest.raises(GlideslopeError, match=sentence):
        optimizer.add_param_group({"params": [random_parameter(2, 2)], **group})
    assert len(optimizer.param_groups) == 1


def test_an_argument_outside_its_bounds_is_refused() -> None:
    for value in (0.0, -1.0):
        with pytest.raises(InvalidValue, match="`decay_peak_lr` must be more than 0"):
            AdamW([random_parameter(1)], decay_peak_lr=value)
    with pytest.raises(InvalidType, match="`decay_peak_lr` must be a number"):
        AdamW([random_parameter(1)], decay_peak_lr="high")  # type: ignore[arg-type]


@pytest.mark.parametrize(("update", "p"), [(1e-30, -1e-30), (-1e-30, 1e-30), (1e-44, -1.0)])
def test_numbers_whose_product_is_rounded_to_0_have_signs(update: float, p: float) -> None:
    first, second = torch.tensor([update]), torch.tensor([p])
    assert rules.agreeing_decay(0.5, first, second) == 0.0
    assert rules.agreeing_decay(0.5, first, -second) == 0.5
