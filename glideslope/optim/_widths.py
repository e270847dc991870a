"""Widths of a model against those of a smaller one, for rates that transfer."""

from __future__ import annotations

from typing import Any, NoReturn

from torch import Size, Tensor, nn

from glideslope.errors import InvalidValue, require, require_type

from ._module_kinds import EMBEDDINGS, NORMS, parameters_in


def width_factors(model: nn.Module, base: nn.Module) -> dict[Tensor, float]:
    """How many times as many inputs each matrix has as in the base model, if both sides grew.

    Raises:
        InvalidType: the base model is no module.
        InvalidValue: the base model lacks a parameter, or has it with other dimensions.
    """
    require_type(isinstance(base, nn.Module), "base_model", "be a torch.nn.Module", base)
    shapes = {name: p.shape for name, p in base.named_parameters(remove_duplicate=False)}
    factors: dict[Tensor, float] = {}
    for name, p in model.named_parameters():
        require(
            name in shapes, "base_model", f"have the model's parameter `{name}`", sorted(shapes)
        )
        factors[p] = _factor(name, p.shape, shapes[name])
    return factors


def _factor(name: str, shape: Size, base: Size) -> float:
    """The ratio of inputs, the last of two dimensions that differ; 1 where fewer differ."""
    same = len(shape) == len(base)
    grown = [i for i in range(len(shape)) if same and shape[i] != base[i]]
    if not same or len(grown) > 2:
        rule = "differ in at most two dimensions of each parameter"
        raise InvalidValue(
            f"`base_model` must {rule}: `{name}` is {tuple(shape)}, there {tuple(base)}"
        )
    return shape[grown[1]] / base[grown[1]] if len(grown) == 2 else 1.0


def factors_of_width(model: nn.Module, base: Any) -> dict[Tensor, float]:
    """The same where only the width of the base model is known: see `param_groups`.

    Raises:
        InvalidType: the width is no whole number.
        InvalidValue: it is below 1, or the model's shapes do not show what grows with it.
    """
    whole = isinstance(base, int) and not isinstance(base, bool)
    require_type(whole, "base_width", "be a whole number", base)
    require(base >= 1, "base_width", "be at least 1", base)
    matrices = _matrices(model)
    require(bool(matrices), "base_width", "come with a model that has matrices", base)
    tables = set(parameters_in(model, EMBEDDINGS))
    first, last = next(iter(matrices)), next(reversed(matrices))
    width = _width(matrices, first, last, tables)
    return {
        p: width / base
        for name, p in matrices.items()
        if p not in tables and _is_hidden(name, p, width, (name != last, name != first))
    }


def _matrices(model: nn.Module) -> dict[str, Tensor]:
    """The parameters of two dimensions or more, without those of norms, under all their names."""
    return {
        f"{prefix}.{name}".lstrip("."): p
        for prefix, module in model.named_modules()
        if not isinstance(module, NORMS)
        for name, p in module.named_parameters(recurse=False)
        if p.ndim >= 2
    }


def _width(matrices: dict[str, Tensor], first: str, last: str, tables: set[Tensor]) -> int:
    """The number of outputs of the first layer, which is that of the inputs of the last."""
    outputs = matrices[first].shape[1 if matrices[first] in tables else 0]
    inputs = matrices[last].shape[1]
    if outputs != inputs:
        _refuse(f"`{first}` has {outputs} outputs and `{last}` {inputs} inputs")
    return outputs


def _is_hidden(name: str, p: Tensor, width: int, sides: tuple[bool, bool]) -> bool:
    """True if both sides grow with the width.

    Args:
        name: for messages.
        p: a matrix, or a convolution, whose other dimensions do not grow.
        width: of the model.
        sides: True for each side that grows, as the place of the layer in the model shows.
    """
    for size, grows in zip(p.shape, (*sides, *(False,) * p.ndim), strict=False):
        if size != 1 and (size % width == 0) != grows:
            _refuse(
                f"{size} of `{name}`, {tuple(p.shape)}, may grow with the width, {width}, or not"
            )
    return all(size % width == 0 for size in p.shape[:2])


def _refuse(problem: str) -> NoReturn:
    raise InvalidValue(f"`base_width` is not enough for this model: {problem}: give `base_model`")
