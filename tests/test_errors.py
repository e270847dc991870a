"""The sentences of errors, whatever the value that they show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glideslope.errors import InvalidType, InvalidValue, require, require_type
from glideslope.training import TrainingState


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


NUMBERS = str(list(range(100_000)))

VALUES: dict[str, tuple[object, str]] = {
    "number": (3, "3"),
    "text": ("two\nlines", r"'two\nlines'"),
    "as long as may be": ("x" * 198, f"'{'x' * 198}'"),
    "longer by one": ("x" * 199, f"'{'x' * 99}…{'x' * 98}'"),
    "list": (list(range(100_000)), f"{NUMBERS[:100]}…{NUMBERS[-99:]}"),
}


@pytest.mark.parametrize(("check", "kind"), [(require, InvalidValue), (require_type, InvalidType)])
@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_a_long_value_is_cut_and_a_short_one_is_not(
    check: Callable[..., None], kind: type[Exception], value: object, text: str
) -> None:
    with pytest.raises(kind) as caught:
        check(False, "gamma", "be small", value)
    assert str(caught.value) == f"`gamma` must be small, got {text}"


def test_a_value_without_a_text_is_named_by_its_class() -> None:
    with pytest.raises(InvalidValue, match=r"`gamma` must be small, got <.*Silent object at"):
        require(False, "gamma", "be small", Silent())


class Listing:
    """An object with a long text and no state."""

    def __repr__(self) -> str:
        return "\n".join(f"entry {i}: {'x' * 20}" for i in range(1000))


def test_an_object_of_a_thousand_lines_leaves_the_rule_in_sight() -> None:
    with pytest.raises(InvalidType, match="`optimizers` must have `state_dict`") as caught:
        TrainingState(optimizers=Listing())
    assert len(str(caught.value)) < 500
