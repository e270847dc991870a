"""Parameter groups for weight decay, rates of layers and widths, and Muon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import Tensor, nn

from glideslope.errors import require, require_type
from glideslope.text import text_table

from ._base.hyperparameters import Scalar, check_values
from ._module_kinds import EMBEDDINGS, NORMS, parameters_in
from ._widths import factors_of_width, width_factors

STEM, HEAD = "stem", "head"
"""The layers of what comes before and after the numbered blocks."""

Patterns = Iterable[str | type[nn.Module]]


class ParamGroups(list[dict[str, Any]]):
    """Parameter groups as `param_groups` makes them: a list of dicts; as text, a table of them."""

    def __repr__(self) -> str:
        """One line for each group: its name, its hyperparameters, how much is in it."""
        own = dict.fromkeys(key for group in self for key in group)
        shown = ["name", *(key for key in own if key not in ("name", "params", "param_names"))]
        rows = [[*shown, "tensors", "elements"]]
        rows += [[*(_cell(group.get(key)) for key in shown), *_sizes(group)] for group in self]
        return text_table(rows, "<".ljust(len(rows[0]), ">"))


def param_groups(
    model: nn.Module,
    *,
    lr: Scalar | None = None,
    weight_decay: Scalar | None = None,
    no_decay: Patterns = (),
    layer_decay: float | None = None,
    use_muon: bool = False,
    base_model: nn.Module | None = None,
    base_width: int | None = None,
) -> ParamGroups:
    r"""Groups for any optimizer: no decay where it does harm, and a rate for each layer or width.

    Biases, the parameters of norms, and all other parameters of one dimension or none are not
    decayed: they are in groups of ``weight_decay`` 0. With ``layer_decay`` the rate of a layer is

    .. math::
        \eta_l = \eta \, \delta^{L - l}, \quad l = 0, \ldots, L

    so that the last layer has η itself. Layers are found in the order in which the model registers
    its parameters. A numbered block is a layer: the name of a parameter up to its first number,
    ``blocks.3`` or ``encoder.layer.0``. What comes before all blocks is one layer, the stem; what
    comes after them is another, the head; what comes between belongs to the block before it. A
    model without numbers has a layer for each of its children.

    With ``base_model``, a rate that was tuned on this narrower model serves for the wide one: a
    matrix that is m times as wide as there, on both sides, has

    .. math::
        \eta_m = \eta / m, \quad \lambda_m = m \lambda

    so that decay, which is :math:`\eta \lambda`, stays. All else keeps η and λ: vectors, the
    embedding, the output layer. That is the rule of the maximal update parameters for Adam and its
    kin. It has two more parts, which are the model's own: multiply what the output layer gives by
    1/m, and divide the products of queries and keys by their length d, not by :math:`\sqrt{d}`.

    ``base_width`` does without the narrow model if shapes show what grows. The width of a model is
    the number of outputs of its first layer, an embedding or a matrix, and of inputs of its last.
    Matrices between them grow on both sides, by the same m, and every side must be a multiple of
    the width: as in a transformer or a perceptron, but not with a side of 8/3 times the width. The
    inputs of a first matrix and the outputs of a last one do not grow, and must be no multiple of
    it. Anything else is refused. Layers are in the order in which the model registers them.

    Every parameter comes with its name, so that a saved optimizer finds it again in any order. One
    that is frozen (``requires_grad`` is False) is left out, and one that two modules share comes
    once, under its first name; it is decayed only where no module it belongs to objects.

    Args:
        model: the model.
        lr: η; by default that of the optimizer.
        weight_decay: of what is decayed; by default that of the optimizer.
        no_decay: what else is not decayed: names of parameters, in which ``*`` matches anything,
            and classes of modules, such as ``torch.nn.Embedding``.
        layer_decay: δ, more than 0 and at most 1.
        use_muon: say in each group whether `MuonWithAuxAdam` is to use Muon on it, ``use_muon``: it
            is for the hidden matrices, which are the decayed parameters of two dimensions that are
            not in an embedding, nor in the last module that has such a matrix.
        base_model: the model that η and λ were tuned on: of the same class and depth, with the
            same names of parameters. It may be on the device ``meta``.
        base_width: the width of that model, instead of the model.

    Returns:
        A list of groups, each with a ``name``; its text is a table.

    Raises:
        InvalidValue: nothing in the model can be trained, ``no_decay`` names no parameter of it,
            ``layer_decay`` is given without ``lr``, ``base_model`` or ``base_width`` without ``lr``
            and ``weight_decay`` or with ``use_muon``, whose steps have a scale for all widths;
            ``base_model`` has other parameters, shapes do not show what grows with the width, or a
            number is outside its bounds.
        InvalidType: a model is no module, or ``no_decay`` holds neither names nor classes.

    Example:
        >>> from torch import nn
        >>> layers = [nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 2)]
        >>> model = nn.Sequential(nn.Embedding(10, 8), *layers)
        >>> param_groups(model, weight_decay=0.1, no_decay=[nn.Embedding])
        name      weight_decay  tensors  elements
        no_decay           0.0        5       106
        decay              0.1        2        80
        >>> param_groups(model, lr=0.5, layer_decay=0.5)[0]["lr"]
        0.0625
        >>> wide, narrow = (nn.Sequential(nn.Linear(3, n), nn.Linear(n, n)) for n in (64, 16))
        >>> param_groups(wide, lr=0.01, weight_decay=0.1, base_model=narrow)
        name               lr  weight_decay  tensors  elements
        decay            0.01           0.1        1       192
        no_decay         0.01           0.0        2       128
        decay, 4x wide  0.0025           0.4        1      4096

    Source: layer-wise rates: Howard and Ruder, `Universal Language Model Fine-tuning
    <https://arxiv.org/abs/1801.06146>`_ (2018), with one factor for all layers as in Clark et al.,
    `ELECTRA <https://arxiv.org/abs/2003.10555>`_ (2020). Rates of widths: Yang et al., `Tensor
    Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter Transfer
    <https://arxiv.org/abs/2203.03466>`_ (2022), with the decay of their package ``mup``.
    """
    require_type(isinstance(model, nn.Module), "model", "be a torch.nn.Module", model)
    given = {"lr": lr, "weight_decay": weight_decay}
    chosen = {key: value for key, value in given.items() if value is not None}
    check_values(chosen)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    require(bool(trained), "model", "have parameters that require gradients", model)
    layers = _layers(list(trained)) if layer_decay is not None else dict.fromkeys(trained, "")
    undecayed = _undecayed(model, no_decay)
    hidden = _hidden_matrices(model, undecayed) if use_muon else set()
    widths = _widths(model, base_model, base_width, chosen, use_muon)
    members: dict[_Kind, list[tuple[str, Tensor]]] = {}
    for name, parameter in trained.items():
        width = widths.get(parameter, 1.0)
        kind = _Kind(layers[name], parameter not in undecayed, parameter in hidden, width)
        members.setdefault(kind, []).append((name, parameter))
    rates = _layer_rates(layers.values(), lr, layer_decay)
    return ParamGroups(
        {
            "name": kind.title,
            "params": params,
            **kind.widened({**chosen, **rates.get(kind.layer, {})}),
            **({} if kind.decays else {"weight_decay": 0.0}),
            **({"use_muon": kind.hidden} if use_muon else {}),
        }
        for kind, params in members.items()
    )


class _Kind(NamedTuple):
    """The properties that the parameters of a group share."""

    layer: str
    decays: bool
    hidden: bool
    width: float

    @property
    def title(self) -> str:
        decay = "decay" if self.decays else "no_decay"
        title = " ".join(filter(None, (self.layer, "hidden" if self.hidden else decay)))
        return title if self.width == 1 else f"{title}, {self.width:g}x wide"

    def widened(self, chosen: dict[str, Any]) -> dict[str, Any]:
        """Hyperparameters at this width: see `param_groups`."""
        if self.width == 1:
            return chosen
        scales = {"lr": 1 / self.width, "weight_decay": self.width}
        return {**chosen, **{key: chosen[key] * scale for key, scale in scales.items()}}


def _widths(
    model: nn.Module,
    base_model: nn.Module | None,
    base_width: int | None,
    chosen: Mapping[str, Any],
    use_muon: bool,
) -> dict[Tensor, float]:
    """The width of each parameter in units of the base model's, where there is one."""
    if base_model is None and base_width is None:
        return {}
    name = "base_width" if base_model is None else "base_model"
    alone = base_model is None or base_width is None
    require(alone, "base_width", "be None with base_model", base_width)
    require(not use_muon, "use_muon", f"be False with {name}", use_muon)
    for key in ("lr", "weight_decay"):
        require(key in chosen, key, f"be given with {name}", None)
    if base_model is not None:
        return width_factors(model, base_model)
    return factors_of_width(model, base_width)


def _layers(names: list[str]) -> dict[str, str]:
    """The layer of each parameter: see `param_groups`."""
    blocks = [_block(name) for name in names]
    if not any(blocks):
        return {name: name.split(".")[0] for name in names}
    last = max(i for i, block in enumerate(blocks) if block)
    layers, present = {}, STEM
    for i, (name, block) in enumerate(zip(names, blocks, strict=True)):
        present = HEAD if i > last else block or present
        layers[name] = present
    return layers


def _block(name: str) -> str:
    """A parameter's name up to its first number, or nothing."""
    parts = name.split(".")
    number = next((i for i, part in enumerate(parts) if part.isdecimal()), -1)
    return ".".join(parts[: number + 1])


def _layer_rates(
    layers: Iterable[str], lr: Scalar | None, decay: float | None
) -> dict[str, dict[str, Any]]:
    """The learning rate of each layer, as part of its groups."""
    if decay is None:
        return {}
    require(0 < decay <= 1, "layer_decay", "be more than 0 and at most 1", decay)
    require(lr is not None, "lr", "be given with layer_decay", lr)
    from_last = enumerate(reversed(dict.fromkeys(layers)))
    return {layer: {"lr": lr * decay**depth} for depth, layer in from_last}  # type: ignore[operator]


def _undecayed(model: nn.Module, no_decay: Patterns) -> set[Tensor]:
    """The parameters that are not decayed, under any of their names."""
    several = not isinstance(no_decay, str | type)
    require_type(several, "no_decay", "be a list of names and classes", no_decay)
    no_decay = tuple(no_decay)
    classes = NORMS + tuple(entry for entry in no_decay if isinstance(entry, type))
    patterns = [entry for entry in no_decay if not isinstance(entry, type)]
    return {
        *(p for p in model.parameters() if p.ndim < 2),
        *parameters_in(model, classes),
        *(p for name, p in _all_names(model) if name.split(".")[-1] == "bias"),
        *(p for pattern in patterns for p in _matching(model, pattern)),
    }


def _matching(model: nn.Module, pattern: str) -> list[Tensor]:
    require_type(isinstance(pattern, str), "no_decay", "hold names and classes", pattern)
    found = [p for name, p in _all_names(model) if fnmatchcase(name, pattern)]
    require(bool(found), "no_decay", "name parameters of the model", pattern)
    return found


def _hidden_matrices(model: nn.Module, undecayed: set[Tensor]) -> set[Tensor]:
    """The matrices between the embeddings and the last module that has one."""
    holders = [
        module
        for module in model.modules()
        if any(p.ndim == 2 for p in module.parameters(recurse=False))
    ]
    outer = {
        p for i, module in enumerate(holders, 1) for p in module.parameters(recurse=False)
        if i == len(holders) or isinstance(module, EMBEDDINGS)
    }  # fmt: skip
    return {p for p in model.parameters() if p.ndim == 2 and p not in outer | undecayed}


def _all_names(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter under each of its names."""
    return model.named_parameters(remove_duplicate=False)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) and value else str(value)


def _sizes(group: Mapping[str, Any]) -> list[str]:
    """The number of tensors in a group, and of their elements."""
    members = [entry[-1] if isinstance(entry, tuple) else entry for entry in group["params"]]
    return [str(len(members)), str(sum(p.numel() for p in members))]
