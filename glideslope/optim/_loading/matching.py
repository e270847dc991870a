"""The parameters of a saved state, matched with those of an optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from glideslope.errors import StateMismatch, shortened

Group = dict[str, Any]


class Place(NamedTuple):
    """One parameter of some groups: what it is called, and the group that it is in."""

    member: Any
    name: str | None
    group: int


class Match(NamedTuple):
    """A parameter, and where it was when its state was saved.

    Attributes:
        parameter: the parameter.
        title: its name, or its number, for a message.
        group: the number of its group.
        identity: the key of its saved state.
        source: the number of the saved group that it was in.
    """

    parameter: Tensor
    title: str
    group: int
    identity: Any
    source: int


def check_saved(saved: Any) -> None:
    """Refuse what is no state of an optimizer.

    Raises:
        StateMismatch: a part of it is missing, or of another kind.
    """
    for key, kind in {"state": Mapping, "param_groups": list}.items():
        if not isinstance(saved, Mapping) or not isinstance(saved.get(key), kind):
            keys = list(saved) if isinstance(saved, Mapping) else saved
            raise StateMismatch(
                f"the saved state of an optimizer has a {'dict' if key == 'state' else 'list'} "
                f"`{key}`, got {shortened(keys)}"
            )
    for number, group in enumerate(saved["param_groups"]):
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
            raise StateMismatch(f"the saved group {number} has no list `params`")


def match_parameters(groups: list[Group], saved: list[Group], strict: bool) -> list[Match]:
    """The parameters that have a saved counterpart: by name if both sides have names.

    torch's distributed checkpoint gives names instead of numbers, in the optimizer's order.

    Raises:
        StateMismatch: the groups differ in number or size, or a parameter has no saved name.
    """
    mine, theirs = list(_places(groups)), list(_places(saved))
    if _are_named(mine) and _are_named(theirs):
        pairs = _by_name(mine, theirs, strict)
    else:
        _check_sizes(groups, saved)
        pairs = list(zip(mine, theirs, strict=True))
    number_of = {place.member: number for number, place in enumerate(mine)}
    return [
        Match(
            place.member,
            f"`{name}`" if (name := place.name or other.name) else str(number_of[place.member]),
            place.group,
            other.member,
            other.group,
        )
        for place, other in pairs
    ]


def _by_name(mine: list[Place], theirs: list[Place], strict: bool) -> list[tuple[Place, Place]]:
    by_name = {place.name: place for place in theirs}
    missing = [str(place.name) for place in mine if place.name not in by_name]
    if strict and missing:
        raise StateMismatch(f"the saved state has no parameter named {', '.join(missing)}")
    return [(place, by_name[place.name]) for place in mine if place.name in by_name]


def _check_sizes(groups: list[Group], saved: list[Group]) -> None:
    """Refuse groups without names that are not of the same sizes."""
    sizes, saved_sizes = ([len(group["params"]) for group in side] for side in (groups, saved))
    if sizes != saved_sizes:
        raise StateMismatch(
            f"the saved groups have {saved_sizes} parameters, the optimizer's {sizes}"
        )


def sources_of(groups: Sequence[Group], saved: Sequence[Group], matches: list[Match]) -> list[Any]:
    """For each group the saved groups that its parameters were in: one, where that is known.

    Where the groups are as many as the saved ones, that of the same number comes first.
    """
    found: list[list[int]] = [[] for _ in groups]
    for match in matches:
        if match.source not in found[match.group]:
            found[match.group].append(match.source)
    if len(groups) != len(saved):
        return found
    return [
        [number] if number in sources or not group["params"] else sources
        for number, (group, sources) in enumerate(zip(groups, found, strict=True))
    ]


def _places(groups: Sequence[Group]) -> Iterator[Place]:
    for number, group in enumerate(groups):
        for member, name in zip(group["params"], names_of(group), strict=True):
            yield Place(member, name, number)


def names_of(group: Mapping[str, Any]) -> list[str | None]:
    """The names of a group's parameters, None where it has none.

    DeepSpeed replaces the parameters by one vector, and leaves their names: it has none.

    The keys of torch's distributed checkpoint are names, in the order of the parameters; its
    ``"param_names"`` are in the order in which they were saved.
    """
    members, names = group["params"], group.get("param_names")
    if names is not None and members and all(isinstance(member, str) for member in members):
        return list(members) if {*members} == {*names} else [None] * len(members)
    if names is None or len(names) != len(members):
        return [None] * len(members)
    return list(names)


def _are_named(places: Sequence[Place]) -> bool:
    """True if each has a name of its own."""
    names = {place.name for place in places}
    return None not in names and len(names) == len(places)
