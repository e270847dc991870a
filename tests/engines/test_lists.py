"""Lists of tensors get what the formula gives, in no more operations than torch's optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glideslope import optim
from glideslope.engines import Recipe
from glideslope.engines._tensor import engine as tensor_engine
from glideslope.engines._tensor.graph import Graph
from glideslope.engines._tensor.lists import Emitter, ListProgram
from glideslope.optim import AdamW, RuleOptimizer, available
from glideslope.rules import Rule, clip, maximum, mean, minimum, norm, rule, sign, sqrt, where

SHAPES = ((4, 3), (2, 2), (5, 1), (3, 4))
OPTIMIZERS = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
FOLDED = {"max_grad_norm": 0.1, "ema_decay": 0.9}
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in OPTIMIZERS),
    *((name, FOLDED) for name in OPTIMIZERS),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"cautious": True, "maximize": True, **FOLDED}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("LAMB", {"weight_decay": 0.1}),
    ("Lion", {"cautious": True, "cautious_weight_decay": True, "weight_decay": 0.1}),
]


def parameters(dtype: torch.dtype) -> list[Tensor]:
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in SHAPES]


def trained(name: str, dtype: torch.dtype, **options: Any) -> list[Tensor]:
    """Parameters, and all that an optimizer keeps of them, after three steps."""
    torch.manual_seed(0)
    params = parameters(dtype)
    optimizer = getattr(optim, name)(params, engine="tensor", **options)
    for _ in range(3):
        for p in params:
            p.grad = torch.randn_like(p)
        optimizer.step(zero_grad=True)
    assert not any(p.grad.any() for p in params if p.grad is not None)
    state = [value for p in params for value in optimizer.state[p].values()]
    return [tensor.detach() for tensor in (*params, *state)]


def by_formula(patch: pytest.MonkeyPatch) -> None:
    """Have the formula called with one tensor after the other."""
    patch.setattr(tensor_engine, "_program", lambda *_: None)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_lists_get_what_the_formula_gives(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = trained(name, torch.float64, **options)
    by_formula(monkeypatch)
    for list_, formula in zip(together, trained(name, torch.float64, **options), strict=True):
        torch.testing.assert_close(list_, formula, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "SOAP"])
def test_a_gradient_is_clipped_before_it_is_squared(name: str) -> None:
    """The square of a float32 gradient of 1e25 overflows; clipped, it is that of a gradient of 1.

    SOAP's rotation of a column is free but for one direction, so that rounding decides it.
    """
    kept = []
    for scale in (1.0, 1e25):
        torch.manual_seed(0)
        params = parameters(torch.float32)
        optimizer = getattr(optim, name)(params, engine="tensor", max_grad_norm=1.0)
        for _ in range(2):
            for p in params:
                p.grad = torch.randn_like(p) * scale
            optimizer.step()
        kept.append([p.detach() for p in params])
    for small, huge in zip(*kept, strict=True):
        torch.testing.assert_close(huge, small, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["AdamW", "LAMB"])
def test_lists_are_cut_where_they_leave_the_cache(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = trained(name, torch.float32)
    monkeypatch.setattr(tensor_engine, "CACHED", 12)
    assert all(map(torch.equal, together, trained(name, torch.float32)))


@pytest.mark.parametrize("rounding", ["nearest", "compensated"])
def test_lists_of_16_bits(rounding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"rounding": rounding, "weight_decay": 0.5, "state_dtype": torch.float32}
    together = trained("AdamW", torch.bfloat16, **options)
    by_formula(monkeypatch)
    for list_, formula in zip(together, trained("AdamW", torch.bfloat16, **options), strict=True):
        torch.testing.assert_close(list_, formula)


def test_stochastic_rounding_of_lists_is_right_on_average() -> None:
    params = [torch.ones(100_000, dtype=torch.bfloat16, requires_grad=True) for _ in range(2)]
    for p in params:
        p.grad = torch.ones_like(p)
    optim.SGD(params, lr=2.0**-10, engine="tensor", rounding="stochastic").step()
    for p in params:  # each element is 1 or the next number below it, 2^-8 away
        assert (
            abs(float(p.detach().double().mean()) - (1 - 2.0**-10)) < 5 * 2.0**-8 / 2 / 100_000**0.5
        )


def test_parameters_at_different_steps_are_in_different_lists() -> None:
    first, second = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = AdamW([first, second], lr=0.5, weight_decay=0.0, engine="tensor")
    first.grad = torch.ones(2)
    optimizer.step()
    second.grad = torch.ones(2)
    optimizer.step()
    torch.testing.assert_close(first.detach(), torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(second.detach(), torch.full((2,), 0.5), rtol=0, atol=1e-6)


def test_a_tensor_for_a_rate_moves_a_list() -> None:
    params = [torch.ones(shape, requires_grad=True) for shape in SHAPES]
    optimizer = AdamW(params, lr=torch.tensor(0.5), weight_decay=0.0, engine="tensor")
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    for p in params:
        torch.testing.assert_close(p.detach(), torch.full_like(p, 0.5), rtol=0, atol=1e-6)


class Marked(Tensor):
    """A tensor of a class of its own."""


def test_tensors_of_other_classes_are_updated_one_after_the_other() -> None:
    params = [torch.ones(3).as_subclass(Marked).requires_grad_() for _ in range(2)]
    for p in params:
        p.grad = torch.ones_like(p)
    optim.SGD(params, lr=0.25).step()
    assert all(p.tolist() == [0.75] * 3 and type(p) is Marked for p in params)


# Words ------------------------------------------------------------------------------------------


@rule
def arithmetic(p, g, a, /, lr):
    return (1.5 - p) * g / lr + (-a) - g * 0.5, a - lr + lr * (p - a) * (-g)


@rule
def quotients(p, g, a, /, lr):
    return 2.0 / (1 + abs(p)) + p / (abs(g) + 1), (lr * p + g) / (abs(a) + 1) - lr / (p + 9) * g


@rule
def shared_quotient(p, g, a, /, lr):
    update = (lr * p + 2 * g) / (abs(a) + 1)
    return p - update, update * update


@rule
def roots_and_signs(p, g, a, /, lr):
    return sqrt(abs(p)) * sign(g), a - lr * sqrt(abs(a))


@rule
def extremes(p, g, a, /, lr):
    return maximum(p, g) - minimum(p, 0.1) + maximum(lr, a), clip(g, -lr, lr) + clip(a, -0.2, 0.3)


@rule
def choices(p, g, a, /, lr):
    here = (p > 0) & (g <= 0) | (p < -lr) | (g >= 2)
    chosen = where(here, 1, 0) * (a > 0) * p + (g > 0) * where(p != g, a, p)
    return chosen, where(a == g, lr, a * 0.5) + where(here, p, 0.1)


@rule
def totals(p, g, a, /, lr):
    return p * norm(g) + mean(a) - lr * g / maximum(1.0, norm(p)), a * mean(g * a) + norm(a)


@rule
def totals_of_totals(p, g, a, /, lr):
    center = mean(g)
    spread = norm(g - center)
    length = norm(p)  # known before the spread, and written after it
    return p - lr * g * spread / (length + 1), a


@rule
def swapped(p, g, a, b, /, lr):
    return p - lr * g, b, a


@rule
def reread(p, g, a, b, /, lr):
    return a + lr * p, a * p + g, p


@rule
def settled(p, g, a, /, lr):
    return p - lr * g, 2 * lr


RULES = (
    arithmetic,
    quotients,
    shared_quotient,
    roots_and_signs,
    extremes,
    choices,
    totals,
    totals_of_totals,
    swapped,
    reread,
    settled,
)


@pytest.mark.parametrize("formula", RULES, ids=lambda formula: formula.name)
def test_every_word_means_the_same(formula: Rule) -> None:
    generator = torch.Generator().manual_seed(0)
    count = 2 + len(formula.state)
    lists = [[torch.randn(s, generator=generator).double() for s in SHAPES] for _ in range(count)]
    rows = [[each.clone() for each in row] for row in zip(*lists, strict=True)]
    expected = [formula.formula(*row, lr=0.75) for row in rows]
    program = ListProgram(Recipe(formula, frozenset()), frozenset())
    update = program.bound({"lr": 0.75}, torch.float64, Tensor.clone, Tensor.to, Tensor.clone)
    update(lists, [each.numel() for each in lists[0]])
    written = zip(lists[0], *lists[2:], strict=True)
    for got, wanted in zip(written, expected, strict=True):
        for left, right in zip(got, wanted, strict=True):
            right = torch.as_tensor(right, dtype=left.dtype).expand_as(left)
            torch.testing.assert_close(left, right, rtol=1e-13, atol=1e-14, msg=program.text)


@pytest.mark.parametrize("engine", ["fused", "tensor"])
def test_totals_of_totals_in_an_optimizer(engine: str) -> None:
    class Spread(RuleOptimizer):
        rule = totals_of_totals

        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.1}, engine=engine)

    p = torch.tensor([3.0, 4.0], requires_grad=True)
    p.grad = torch.tensor([1.0, 3.0])
    Spread([p]).step()  # the norms are 5, and that of [-1, 1]
    expected = torch.tensor([3.0, 4.0]) - 0.1 * p.grad * 2**0.5 / 6
    torch.testing.assert_close(p.detach(), expected)


def test_a_rule_with_other_words_is_called_with_one_tensor_after_the_other() -> None:
    @rule
    def squashed(p, g, /, lr):
        return p - lr * torch.tanh(g)

    class Squashed(RuleOptimizer):
        rule = squashed

        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.5})

    params = [torch.zeros(2, requires_grad=True) for _ in range(2)]
    for p in params:
        p.grad = torch.ones(2)
    Squashed(params).step()
    for p in params:
        torch.testing.assert_close(p.detach(), -0.5 * torch.ones(2).tanh())


# Any lines --------------------------------------------------------------------------------------

NAMES = ("p", "g", "a", "b")


def expressions(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Words on names and on the scalars c and d."""
    leaves = st.sampled_from(names)
    operands = leaves | st.sampled_from(("c", "d"))
    forms = {
        "({0} + {1})": 2,
        "({0} - {1})": 2,
        "({1} - {0})": 2,
        "({0} * {1})": 2,
        "({0} / (absolute({2}) + more))": 3,
        "({0} + c * {1} * {2})": 3,
        "({0} + d * ({2} - {0}))": 3,
        "({0} - {1} / (absolute({2}) + more))": 3,
        "sqrt(absolute({0}) + high)": 1,
        "(-sign({0}))": 1,
        "maximum({0}, {1})": 2,
        "clip({0}, low, high)": 1,
        "where({0} > some, {1}, {2})": 3,
    }

    def extended(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        first = inner.filter(lambda text: any(name in text for name in names))
        return st.builds(
            lambda form, x, y, z: form.format(x, y, z),
            st.sampled_from(sorted(forms)),
            first,
            inner | operands,
            inner,
        )

    return st.recursive(leaves, extended, max_leaves=4)


@st.composite
def several_lines(draw: st.DrawFn) -> list[str]:
    """Assignments to arrays, the gradient's name and another name."""
    names, lines = NAMES, []
    for _ in range(draw(st.integers(1, 5))):
        target = draw(st.sampled_from((*NAMES, "between")))
        lines.append(f"{target} = {draw(expressions(names))}")
        names = (*NAMES, "between") if "between" in (target, *names) else NAMES
    return lines


WORDS = {
    "absolute": abs,
    "sqrt": torch.sqrt,
    "sign": torch.sign,
    "where": torch.where,
    "clip": torch.clip,
    "maximum": lambda x, y: torch.maximum(*map(torch.as_tensor, (x, y))),
}


@given(several_lines())
def test_any_lines_leave_what_they_say_in_the_arrays(lines: list[str]) -> None:
    """The reference runs the lines; the calls overwrite whatever they may."""
    scalars = {"c": 0.75, "d": -1.25, "low": -0.5, "high": 0.5, "more": 1.5, "some": 0.3}
    lists = {name: [torch.randn(5, dtype=torch.float64) for _ in range(2)] for name in NAMES}
    expected: list[dict[str, Any]] = []
    for row in zip(*lists.values(), strict=True):
        space = {**WORDS, **scalars, **{n: x.clone() for n, x in zip(NAMES, row, strict=True)}}
        exec("\n".join(lines), {}, space)
        expected.append(space)
    gradient = [each.clone() for each in lists["g"]]

    graph = Graph(NAMES, scalars)
    for line in lines:
        graph.add(line)
    text = "\n".join(Emitter(graph, ["p", "a", "b"], ()).lines())
    exec(text, {"torch": torch, "_real": torch.float64, **lists, **scalars})

    for i, space in enumerate(expected):
        for name in ("p", "a", "b"):
            wanted = torch.as_tensor(space[name], dtype=torch.float64).expand(5)
            torch.testing.assert_close(lists[name][i], wanted, rtol=1e-9, atol=1e-9, msg=text)
        assert torch.equal(lists["g"][i], gradient[i])


# Operations -------------------------------------------------------------------------------------


class Traffic(TorchDispatchMode):
    """Counts operations on the elements of tensors, and the numbers they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.numbers = 0, 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        result = function(*arguments, **options or {})
        read = _elements((arguments, options))
        if read and not function._schema.name.endswith(("detach", "alias")):
            in_place = function._schema.name.endswith("_")
            self.operations += 1
            self.numbers += read + _elements(arguments[0] if in_place else result)
        return result


def _elements(nest: Any) -> int:
    tensors = (leaf for leaf in tree_leaves(nest) if isinstance(leaf, Tensor))
    return sum(tensor.numel() for tensor in tensors if tensor.ndim)


COUNTED: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"maximize": True}),
    ("NAdam", {"weight_decay": 0.1}),
    ("RAdam", {}),
    ("Adamax", {}),
    ("Adagrad", {"weight_decay": 0.1}),
    ("Adadelta", {}),
    ("RMSprop", {}),
    ("Rprop", {}),
    ("ASGD", {}),
]


@pytest.mark.parametrize(("name", "options"), COUNTED, ids=str)
def test_no_more_operations_and_traffic_than_torchs_lists(
    name: str, options: dict[str, Any]
) -> None:
    """On a GPU each is a kernel that reads and writes memory, and that is the time of a step."""
    ours = traffic(lambda p: getattr(optim, name)(p, engine="tensor", **options))
    theirs = traffic(lambda p: getattr(torch.optim, name)(p, foreach=True, **options))
    assert ours.operations <= theirs.operations
    assert ours.numbers <= theirs.numbers


def traffic(make: Callable[[list[Tensor]], torch.optim.Optimizer]) -> Traffic:
    """The arguments of the second step, prepared by the first as for all later ones.

    Both are in a mode: guards of tensors hold in the dispatch state that they were made in.
    """
    params = parameters(torch.float32)
    optimizer = make(params)
    for p in params:
        p.grad = torch.randn_like(p)
    for _ in range(2):
        with Traffic() as counted:
            optimizer.step()
    return counted


class Calls(TorchDispatchMode):
    """Counts operations, on tensors and on lists of them."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.number += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_a_norm_takes_one_operation_for_all_tensors(dtype: torch.dtype) -> None:
    gradients = [torch.randn(3, 4, dtype=dtype) for _ in range(40)]
    with Calls() as calls:
        squares = tensor_engine.squares_of(gradients)
    assert calls.number <= 5 + len(gradients) * dtype.is_complex * 2  # views of real numbers
    expected = sum(float(torch.linalg.vector_norm(g)) ** 2 for g in gradients)
    assert float(squares) == pytest.approx(expected, rel=1e-5)
