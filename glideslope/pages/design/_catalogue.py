"""The shapes, groups and presets that the design page offers, and what their arguments mean."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import cleandoc

from glideslope.schedules import Constant, Ramp, Schedule

SHAPES: dict[str, type[Schedule]] = {
    kind: shape
    for kind, shape in Schedule.registry.items()
    if issubclass(shape, Ramp) or shape is Constant
}
"""The curves that a phase can be shaped by hand into: those with a length and plain arguments."""

GROUPS = {
    "repeat": {"n": "number", "decay": "number", "stretch": "number"},
    "product": {"factor": "number"},
    "sum": {"offset": "number"},
}
"""The schedules around other phases that the page edits, and their own arguments."""

CATALOGUE = {
    kind: {
        f.name: {"float": "number", "bool": "flag"}.get(str(f.type), "length")
        for f in fields(shape)
    }
    for kind, shape in SHAPES.items()
} | GROUPS
"""The arguments of each shape and group, and the type of each."""

PRESETS = {
    "Warm-up, cosine": "warmup({5}) >> cosine({95})",
    "Warm-up, linear decay": "warmup({5}) >> linear({95})",
    "Warm-up, hold, decay (wsd)": "wsd({5}, {75}, {20})",
    "wsd with a 1 - sqrt decay": 'wsd({5}, {75}, {20}, shape="sqrt")',
    "wsd, decayed three times": "wsd_s({4}, {24}, {8}, 3)",
    "One cycle": "one_cycle({100})",
    "Cosine restarts": "cosine({25}).repeat(4)",
    "Cosine restarts, longer each time": "cosine({14}).repeat(3, stretch=2)",
    "Triangles, lower each time": "triangular({10}).repeat(5, decay=0.5)",
    "Steps": "hold({30}) >> hold({30}, 0.1) >> hold({40}, 0.01)",
    "Inverse square root": "inverse_sqrt({10})",
    "Polynomial decay": "polynomial({100}, power=2)",
    "REX": "warmup({5}) >> rex({95})",
}
"""Well-known schedules by name; ``{5}`` is the number of updates in 5% of the run."""


def described(shape: type[Schedule]) -> dict[str, str]:
    """The arguments of a shape as its docstring explains them."""
    section = cleandoc(shape.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^ {4}(\w+): ", section, flags=re.MULTILINE)[1:]
    texts = (re.sub(r"\s+", " ", text.replace("`", "")).strip() for text in entries[1::2])
    return dict(zip(entries[::2], texts, strict=True))


ABOUT = {kind: described(shape) for kind, shape in SHAPES.items()} | {
    "repeat": {
        "n": "number of cycles; endless if empty",
        "decay": "factor on the height from one cycle to the next",
        "stretch": "factor on the length from one cycle to the next",
    },
    "product": {"factor": "every value is multiplied by this"},
    "sum": {"offset": "this is added to every value"},
}
"""An explanation of each argument of each shape and group."""
