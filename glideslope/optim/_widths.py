"""Widths of a model against those of a smaller one, for rates that transfer."""

from __future__ import annotations

from torch import Size, Tensor, nn

from glideslope.errors import InvalidValue, require, require_type


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
