"""Tensors that hold a number in another form than an operation takes it.

They are opened before a rule runs, into tensors that it may write, and closed after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .._eight_bits import unpacked
from .._engine import REMAINDER, Recipe, scale_of
from .._split import joined, parted

Arrays = Mapping[str, Tensor]
Lists = Mapping[str, list[Tensor]]
Pack = Callable[[Tensor, torch.dtype], tuple[Tensor, Tensor]]
"""`packed`, with the noise of a step."""


def opened_dtypes(recipe: Recipe, arrays: Arrays) -> dict[str, torch.dtype]:
    """The dtypes of opened arrays."""
    names = ("p", "g", *recipe.opened.state)
    wide = dict.fromkeys([*["p"] * recipe.is_split, *recipe.codes], torch.float32)
    return {name: arrays[name].dtype for name in names} | wide


def opened_lists(recipe: Recipe, lists: Lists) -> Lists:
    """Opened arrays of several parameters, by name."""
    if recipe.opened is recipe:
        return lists
    each = [opened(recipe, arrays) for arrays in _by_parameter(lists)]
    return {name: [arrays[name] for arrays in each] for name in each[0]}


def close_lists(recipe: Recipe, lists: Lists, given: Lists, pack: Pack) -> None:
    """Store opened arrays of several parameters."""
    if recipe.opened is not recipe:
        for arrays, own in zip(_by_parameter(lists), _by_parameter(given), strict=True):
            close(recipe, arrays, own, pack)


def _by_parameter(lists: Lists) -> list[Arrays]:
    return [dict(zip(lists, tensors, strict=True)) for tensors in zip(*lists.values(), strict=True)]


def opened(recipe: Recipe, arrays: Arrays) -> dict[str, Tensor]:
    """The arrays of `Recipe.opened`, by name: copies of those that are held in another form."""
    if recipe.opened is recipe:
        return dict(arrays)
    given = {name: arrays[name] for name in ("p", "g", *recipe.opened.state)}
    if recipe.is_split:
        given["p"] = joined(arrays["p"], arrays[REMAINDER])
    codes = {name: unpacked(arrays[name], arrays[scale_of(name)]) for name in recipe.codes}
    return given | codes


def close(recipe: Recipe, arrays: Arrays, given: Arrays, pack: Pack) -> None:
    """Store opened arrays in the form that the recipe's have."""
    if recipe.is_split:
        upper, remainder = parted(given["p"], arrays[REMAINDER].dtype)
        arrays["p"].copy_(upper)
        arrays[REMAINDER].copy_(remainder)
    for name in recipe.codes:
        codes, scales = pack(given[name], arrays[name].dtype)
        arrays[name].copy_(codes)
        arrays[scale_of(name)].copy_(scales)
