"""Products that a sum takes in without rounding, written out.

The compiler could choose among several products of a sum, and would choose otherwise where the same
formula reads its numbers from other kinds of memory. So the text says which one it is: then the
same numbers give the same results, in whatever form they are stored.
"""

from __future__ import annotations

import ast


def with_products(line: str) -> str:
    """A line whose sums call `multiply_add` for one of their products.

    >>> with_products("p = p * a - b * (c + d)")
    'p = multiply_add(-b, c + d, p * a)'
    >>> with_products("x = a * b - y"), with_products("x = a + b")
    ('x = multiply_add(a, b, -y)', 'x = a + b')
    """
    return ast.unparse(ast.fix_missing_locations(_Sums().visit(ast.parse(line))))


class _Sums(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.BinOp(other, ast.Add(), ast.BinOp(x, ast.Mult(), y)):
                return _multiply_add(x, y, other)
            case ast.BinOp(other, ast.Sub(), ast.BinOp(x, ast.Mult(), y)):
                return _multiply_add(ast.UnaryOp(ast.USub(), x), y, other)
            case ast.BinOp(ast.BinOp(x, ast.Mult(), y), ast.Add(), other):
                return _multiply_add(x, y, other)
            case ast.BinOp(ast.BinOp(x, ast.Mult(), y), ast.Sub(), other):
                return _multiply_add(x, y, ast.UnaryOp(ast.USub(), other))
        return node


def _multiply_add(x: ast.expr, y: ast.expr, z: ast.expr) -> ast.Call:
    return ast.Call(ast.Name("multiply_add", ast.Load()), [x, y, z], [])
