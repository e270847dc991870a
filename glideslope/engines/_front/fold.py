"""Fold the branches of a formula that depend on its options."""

from __future__ import annotations

import ast

from glideslope.errors import InvalidValue


def refusal(node: ast.AST, problem: str) -> InvalidValue:
    """The error for a part of a formula that a kernel cannot do."""
    return InvalidValue(f"`{ast.unparse(node)}` {problem}")


class Fold(ast.NodeTransformer):
    """Chooses every branch that depends on an option; no other branch is allowed.

    Args:
        options: each option of the rule, and whether it is on.
    """

    def __init__(self, options: dict[str, bool]) -> None:
        self.options = options

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """The statements that run, up to the first ``return``."""
        chosen: list[ast.stmt] = []
        for statement in statements:
            chosen += self._expanded(statement)
            if chosen and isinstance(chosen[-1], ast.Return):
                break
        return chosen

    def _expanded(self, statement: ast.stmt) -> list[ast.stmt]:
        if not isinstance(statement, ast.If):
            return [self.visit(statement)]
        return self.block(statement.body if self._decide(statement.test) else statement.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        chosen: ast.expr = self.visit(node.body if self._decide(node.test) else node.orelse)
        return chosen

    def _decide(self, test: ast.expr) -> bool:
        asked = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        if not asked <= set(self.options):
            raise refusal(test, "asks for a value; use `where`, only options may be branched on")
        condition = compile(ast.Expression(test), "<options>", "eval")
        return bool(eval(condition, {"__builtins__": {}}, dict(self.options)))
