"""Expression graph of the lines of a formula, each expression once."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from .._engine import FACTOR

Term = int | str
"""An expression of elements, by its number, or the text of a scalar."""
Operation = tuple[Term, ...]
"""An operation, and what it is applied to."""

_OPERATIONS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


class Graph:
    """The expressions of straight lines of code.

    Scalars are moved out of products, ``(c * x) * y`` being ``c * (x * y)``, and what is added is
    no quotient of a sum, since torch adds a scaled product or quotient in one operation;
    differences from a scalar, negatives and limits are brought to fewer forms as well.

    Args:
        arrays: the names of the elements.
        scalars: the names of the scalars.
    """

    def __init__(self, arrays: Iterable[str], scalars: Iterable[str]) -> None:
        self.entries: list[Operation] = []
        self._numbers: dict[Operation, int] = {}
        self.meaning: dict[str, Term] = {name: name for name in scalars}
        for name in arrays:
            self.meaning[name] = self.enter("array", name)

    def add(self, line: str) -> None:
        """Take the next line, an assignment."""
        statement = ast.parse(line).body[0]
        assert isinstance(statement, ast.Assign)
        self.meaning[ast.unparse(statement.targets[0])] = self.term(statement.value)

    def term(self, node: ast.expr) -> Term:
        """The term of an expression, after the lines so far."""
        match node:
            case ast.Name(name):
                return self.meaning[name]
            case ast.UnaryOp(ast.USub(), operand):
                return self._product("-1.0", self.term(operand))
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
                return self._combined(_OPERATIONS[type(op)], self.term(left), self.term(right))
            case ast.Call(ast.Name(word), arguments):
                return self._called(word, *map(self.term, arguments))
        raise AssertionError(f"no straight line holds {ast.unparse(node)}")

    def enter(self, *entry: Term) -> int:
        """The number of an expression."""
        if entry not in self._numbers:
            self._numbers[entry] = len(self.entries)
            self.entries.append(entry)
        return self._numbers[entry]

    def uses(self, ends: Iterable[Term]) -> Counter[Term]:
        """Number of reads of each expression that some results need, their own included."""
        counts: Counter[Term] = Counter()
        waiting = list(ends)
        while waiting:
            term = waiting.pop()
            counts[term] += 1
            if counts[term] == 1:
                waiting += self.operands(term)
        return counts

    def operands(self, term: Term) -> Iterator[int]:
        """The expressions that an expression is made from."""
        if isinstance(term, int):
            yield from (part for part in self.entries[term][1:] if isinstance(part, int))

    def scaled_part(self, term: Term) -> tuple[str, int] | None:
        """A scalar and an expression, if the term is their product."""
        match self.entries[term] if isinstance(term, int) else ():
            case ("mul", str(scale), int(rest)):
                return scale, rest
        return None

    def _combined(self, operation: str, left: Term, right: Term) -> Term:
        match operation, left, right:
            case ("mul", _, _):
                return self._product(left, right)
            case ("div", _, int(divisor)):
                return self._quotient(left, divisor)
            case ("sub", str(), _):
                return self._combined("add", left, self._product("-1.0", right))
            case ("sub", _, str()):
                return self.enter("add", left, f"(-{right})")
            case ("add", str(), int()):
                return self.enter("add", right, left)
            case ("add" | "sub", int(), int()) if parts := self._quotients(right):
                return self._combined(
                    operation, self._combined(operation, left, parts[0]), parts[1]
                )
        return self.enter(operation, left, right)

    def _product(self, left: Term, right: Term) -> Term:
        if isinstance(left, str) and isinstance(right, str):
            return f"({left} * {right})"
        if isinstance(right, str) or (isinstance(left, int) and self._is_column(left)):
            left, right = right, left
        if isinstance(left, int) and (inner := self._movable(left)):
            return self._product(inner[0], self._product(inner[1], right))
        if inner := self._movable(right):
            return self._product(self._product(inner[0], left), inner[1])
        return self.enter("mul", left, right)

    def _quotient(self, numerator: Term, divisor: int) -> Term:
        if isinstance(numerator, str):
            return self._product(numerator, self.enter("reciprocal", divisor))
        if inner := self._movable(numerator):
            return self._product(inner[0], self.enter("div", inner[1], divisor))
        return self.enter("div", numerator, divisor)

    def _quotients(self, term: int) -> tuple[Term, Term] | None:
        """``a * x / z`` and ``y / z`` if the term is ``(a * x + y) / z``, itself perhaps scaled."""
        scale, quotient = self.scaled_part(term) or ("1.0", term)
        match self.entries[quotient]:
            case ("div", int(total), int(divisor)):
                match self.entries[total]:
                    case ("add", int(x), int(y)) if self.scaled_part(x):
                        parts = self._quotient(x, divisor), self._quotient(y, divisor)
                        return self._product(scale, parts[0]), self._product(scale, parts[1])
        return None

    def _movable(self, term: Term) -> tuple[str, int] | None:
        """A scaled expression whose scalar may be moved outwards."""
        inner = self.scaled_part(term)
        # What the gradient's factor brings into range must be there before it is squared.
        return None if inner and FACTOR in inner[0] else inner

    def _called(self, word: str, *arguments: Term) -> Term:
        if word == "clip":
            x, low, high = arguments
            return self._called("minimum", self._called("maximum", x, low), high)
        if word in ("maximum", "minimum") and isinstance(arguments[0], str):
            arguments = arguments[::-1]
        return self.enter(word, *arguments)

    def _is_column(self, term: int) -> bool:
        """True if it is one number for a whole tensor."""
        return self.entries[term][0] == "column"
