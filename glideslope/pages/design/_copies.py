"""The texts in which a schedule is copied from the design page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from glideslope.schedules import Schedule
from glideslope.schedules.notation import tokenize

OPTIONS = {
    "total_steps": "--steps",
    "steps_per_epoch": "--steps-per-epoch",
    "tokens_per_step": "--tokens-per-step",
    "lr": "--lr",
    "compare": "--compare",
}
"""The options of `glideslope design`."""


def copies(
    schedule: Schedule, numbers: Mapping[str, float | None], compare: str = ""
) -> dict[str, str]:
    """The schedule as text, as options of a command, as Python, as JSON, and as this page.

    Args:
        schedule: the schedule.
        numbers: the numbers of the run and the base rate under ``lr``, None where one is not given.
        compare: the text of the second schedule; empty where there is none.
    """
    lr, text = numbers.get("lr"), str(schedule)
    given = {**numbers, "compare": compare or None}
    return {
        "text": text,
        "shell": " ".join([*options({"lr": lr}), "--schedule", shlex.quote(text)]),
        "python": python_lines(text, lr),
        "json": json.dumps(schedule.to_dict(), indent=2) + "\n",
        "page": " ".join(["glideslope design", shlex.quote(text), *options(given)]),
    }


def options(given: Mapping[str, float | str | None]) -> list[str]:
    """The options of a command line, those without a value left out."""
    return [
        f"{OPTIONS[name]} {shlex.quote(f'{value:.15g}' if name != 'compare' else str(value))}"
        for name, value in given.items()
        if value is not None
    ]


def python_lines(text: str, lr: float | None) -> str:
    """A piece of Python that makes the schedule, and the base rate if there is one."""
    rate = "" if lr is None else f"lr = {lr!r}  # where the schedule is 1\n"
    return f"import glideslope as gs\n\n{rate}schedule = {python_text(text)}\n"


def python_text(text: str) -> str:
    """The notation with the package's prefix before every name that Python has to look up."""
    tokens = tokenize(text)
    before = ["", *(token.text for token in tokens)]
    for previous, token, after in reversed(list(zip(before, tokens, tokens[1:], strict=False))):
        if token.kind == "name" and after.text == "(" and previous != ".":
            text = f"{text[: token.position]}gs.{text[token.position :]}"
    return text
