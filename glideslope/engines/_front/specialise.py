"""Specialise a rule to given options: a straight line, scalars once per step, elements in a loop.

`specialise` reads the formula and

- takes the branch of every ``if`` that the options choose, so no kernel branches on an option;
- moves what is computed from scalars alone out of the loop, into a Python function of the scalars,
  evaluated once per step in double precision: ``(1 - beta2) * g * g`` becomes ``_c0 * g * g``;
- turns a division by a scalar into a product with its inverse, taken in double precision as well;
- inlines a function of one expression that is called with elements;
- where a scalar is a total over the elements, makes a pass of its own that adds it up.

Nothing else is changed: what remains is the formula, with its own functions and in its own order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache

from glideslope.errors import InvalidValue
from glideslope.rules import Rule

from .fold import Fold
from .source import function_tree
from .statements import Stage, StatementSorter


@dataclass(frozen=True)
class StraightLine:
    """One rule under one set of options.

    Attributes:
        elements: the arguments that are numbers of one element: ``p``, ``g`` and the state.
        constants: the scalar expressions that the lines name ``_c0``, ``_c1``, ...
        stages: the passes, most often one.
        gives_totals: whether the last of them adds up totals as well, and nothing is updated.
    """

    elements: tuple[str, ...]
    constants: tuple[str, ...]
    stages: tuple[Stage, ...]
    gives_totals: bool

    @property
    def measuring(self) -> tuple[Stage, ...]:
        """The passes that add up totals."""
        return self.stages if self.gives_totals else self.stages[:-1]


@cache
def specialise(rule: Rule, options: frozenset[str]) -> StraightLine:
    """The straight line of a rule under its active options.

    Raises:
        InvalidValue: the formula uses something that a kernel cannot do.
    """
    fold = Fold({name: name in options for name in rule.options})
    line = StatementSorter(rule)
    for statement in fold.block(function_tree(rule.formula).body):
        line.add(statement)
    kept = rule.kept_state(options)
    return StraightLine(
        elements=("p", "g", *kept),
        constants=tuple(ast.unparse(value) for value in line.constants),
        stages=tuple(line.stage(number, kept) for number in range(line.stage_count)),
        gives_totals=line.gives_totals,
    )


def takes_totals(rule: Rule, options: frozenset[str]) -> bool:
    """True if a rule takes a sum, a mean or a norm over each tensor."""
    try:
        return len(specialise(rule, options).stages) > 1
    except InvalidValue:
        return False


def count_totals(measure: Rule) -> int:
    """The number of totals that a measuring rule returns."""
    (stage,) = specialise(measure, frozenset()).stages
    return len(stage.outputs)
