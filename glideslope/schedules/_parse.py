"""Text to schedule: a grammar of calls and operators, read by hand and never evaluated.

::

    schedule  =  sum { ">>" sum }
    sum       =  product { ("+" | "-") product }
    product   =  unary { "*" unary }
    unary     =  "-" unary | atom { "." name arguments }
    atom      =  number | name arguments | "(" schedule ")"
    arguments =  "(" [ argument { "," argument } ] ")"
    argument  =  [ name "=" ] ( schedule | string | list | tuple | "True" | "False" | "None" )
    number    =  digits [ unit ]          units: ep, tok, %
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, reduce
from inspect import isfunction
from operator import add, mul, neg, sub
from typing import Any, NamedTuple, NoReturn

from glideslope.errors import GlideslopeError, ParseError, require_type

from . import _recipes
from ._curves import Constant
from ._length import NUMBER, Length, as_steps
from ._schedule import Schedule, combine

TOKEN = re.compile(
    rf"\s*(?:(?P<length>{NUMBER}(?:ep|tok|%)(?!\w))"
    rf"|(?P<number>{NUMBER}(?!\w))"
    r"|(?P<name>[a-z_]\w*)"
    r"""|(?P<string>"[^"\\]*"|'[^'\\]*')"""
    r"|(?P<sign>>>|[-+*().,=\[\]]))",
    re.IGNORECASE,
)
WORDS = {"True": True, "False": False, "None": None}
Operator = Callable[[Any, Any], Any]
DEPTH = 40
"""Parentheses within parentheses; far below what Python's own stack allows."""
METHODS = ("clip", "repeat", "stretch", "reverse", "shift", "take", "staircase", "branch")


class Token(NamedTuple):
    """A piece of the text: its kind (a group of `TOKEN`, or "end"), its text, where it stands."""

    kind: str
    text: str
    position: int


def parse(text: str) -> Schedule:
    """The schedule that ``text`` describes, in the notation `repr` prints.

    The text is read, not evaluated: it can name the library's curves, recipes and methods, numbers,
    lengths with a unit, strings and lists, and nothing else.

    Args:
        text: such as ``"warmup(500) >> cosine(9500)"`` or ``"wsd(5%, 75%, 20%) * 3e-4"``.

    Raises:
        ParseError: a syntax error, an unknown name, or an argument that a curve refuses; the
            message points at the character.

    Example:
        >>> import glideslope as gs
        >>> gs.parse("warmup(5%) >> cosine(95%, end=0.1)")
        warmup("5%") >> cosine("95%", end=0.1)
        >>> gs.parse("warmup(500) >> cosin(9500)")
        Traceback (most recent call last):
        glideslope.errors.ParseError: unknown name `cosin`, did you mean `cosine`?
          warmup(500) >> cosin(9500)
                         ^
    """
    require_type(isinstance(text, str), "text", "be a string", text)
    return Parser(text, tokenize(text)).schedule()


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text``, closed by one of kind "end"."""
    tokens, position, stop = [], 0, len(text.rstrip())
    while position < stop:
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise ParseError(f"unexpected character {text[start]!r}", text, start)
        kind = match.lastgroup
        tokens.append(Token(kind, match[kind], match.start(kind)))
        position = match.end()
    return [*tokens, Token("end", "the end", stop)]


@dataclass
class Parser:
    """Reads tokens left to right; one method for each line of the grammar."""

    text: str
    tokens: list[Token]
    place: int = 0
    depth: int = 0

    def schedule(self) -> Schedule:
        """The whole text, which must be one schedule."""
        first = self.next
        value = self.sequence()
        if self.next.kind != "end":
            self.fail(f"unexpected `{self.next.text}`: the schedule ended before it", self.next)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = self.attempt(first, Constant, value)
        if not isinstance(value, Schedule):
            self.fail("a schedule is needed here", first)
        return value

    def sequence(self) -> Any:
        return self.chain("sequence", {">>": follow}, self.sum)

    def sum(self) -> Any:
        return self.chain("sum", {"+": add, "-": sub}, self.product)

    def product(self) -> Any:
        return self.chain("product", {"*": mul}, self.unary)

    def chain(self, operation: str, operators: Mapping[str, Operator], part: Any) -> Any:
        """Parts with ``operators`` between them, joined all at once: there may be thousands."""
        values = [part()]
        while self.next.kind == "sign" and self.next.text in operators:
            operator = self.take()
            left = self.refuse_plain(values[-1], operator)
            right = self.refuse_plain(part(), operator)
            self.attempt(operator, operators[operator.text], left, right)  # two that do not go
            values.append(self.negative(operator, right) if operator.text == "-" else right)
        if len(values) == 1:
            return values[0]
        if not any(isinstance(value, Schedule) for value in values):
            return reduce(operators["*" if operation == "product" else "+"], values)
        return self.attempt(operator, combine, operation, values)

    def unary(self) -> Any:
        if not self.skip("-"):
            return self.atom()
        minus = self.tokens[self.place - 1]
        return self.negative(minus, self.nested(self.unary))

    def negative(self, minus: Token, value: Any) -> Any:
        return self.attempt(minus, neg, self.refuse_plain(value, minus))

    def atom(self) -> Any:
        value = self.primary()
        while self.skip("."):
            method = self.take("name")
            if method.text not in METHODS:
                self.unknown(method, METHODS)
            if not isinstance(value, Schedule):
                self.fail(f"`.{method.text}` needs a schedule before it", method)
            positional, named = self.nested(self.arguments)
            value = self.attempt(method, getattr(value, method.text), *positional, **named)
        return value

    def primary(self) -> Any:
        token = self.take()
        if token.kind == "number":
            return float(token.text)
        if token.kind == "length":
            return self.attempt(token, as_length, token.text)
        if token.kind == "string":
            return token.text[1:-1]
        if token.kind == "name":
            return WORDS[token.text] if token.text in WORDS else self.call(token)
        if token.text in ("(", "["):
            return self.nested(lambda: self.group(token))
        missing = token.kind == "end"
        return self.fail("something is missing" if missing else f"unexpected `{token.text}`", token)

    def call(self, name: Token) -> Schedule:
        table = vocabulary()
        if name.text not in table:
            self.unknown(name, table)
        positional, named = self.nested(self.arguments)
        schedule: Schedule = self.attempt(name, table[name.text], *positional, **named)
        return schedule

    def group(self, opening: Token) -> Any:
        """A schedule in parentheses, a tuple, or a list."""
        closing = ")" if opening.text == "(" else "]"
        values, comma = [], False
        while not self.skip(closing):
            values.append(self.sequence())
            comma = self.separator(closing) or comma
        if opening.text == "[":
            return values
        return values[0] if len(values) == 1 and not comma else tuple(values)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call, by position and by name."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        self.take("sign", "(")
        while not self.skip(")"):
            first = self.next
            if first.kind == "name" and self.tokens[self.place + 1].text == "=":
                self.place += 2
                if first.text in named:
                    self.fail(f"`{first.text}` is given twice", first)
                named[first.text] = self.sequence()
            elif named:
                self.fail("an argument without a name follows a named one", first)
            else:
                positional.append(self.sequence())
            self.separator(")")
        return positional, named

    # -- moving along ----------------------------------------------------------------------------

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self, kind: str | None = None, text: str | None = None) -> Token:
        """The next token, which must be of the kind and text asked for."""
        token = self.next
        if (kind and token.kind != kind) or (text and token.text != text):
            self.fail(f"expected {repr(text) if text else 'a ' + str(kind)}", token)
        self.place += token.kind != "end"
        return token

    def skip(self, sign: str) -> bool:
        found = self.next.kind == "sign" and self.next.text == sign
        self.place += found
        return found

    def separator(self, closing: str) -> bool:
        """A comma, or nothing before ``closing``."""
        if self.skip(","):
            return True
        if self.next.kind != "sign" or self.next.text != closing:
            self.fail(f"expected ',' or '{closing}'", self.next)
        return False

    def nested(self, inner: Callable[[], Any]) -> Any:
        self.depth += 1
        if self.depth > DEPTH:
            self.fail(f"nested more than {DEPTH} deep", self.next)
        value = inner()
        self.depth -= 1
        return value

    # -- refusing --------------------------------------------------------------------------------

    def attempt(self, token: Token, build: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """What ``build`` makes; its refusal points at ``token``."""
        try:
            return build(*args, **named)
        except ParseError:
            raise
        except GlideslopeError as error:
            self.fail(str(error), token)
        except TypeError as error:  # Python's own, for arguments that do not fit the signature
            self.fail(f"`{token.text}`: {str(error).partition('() ')[2] or error}", token)

    def refuse_plain(self, value: Any, operator: Token) -> Any:
        """An operand must be a number or a schedule."""
        if isinstance(value, bool) or not isinstance(value, int | float | Schedule):
            self.fail(f"`{operator.text}` needs a schedule or a number on both sides", operator)
        return value

    def unknown(self, name: Token, known: Iterable[str]) -> NoReturn:
        close = get_close_matches(name.text, list(known), n=1)
        hint = f", did you mean `{close[0]}`?" if close else ""
        self.fail(f"unknown name `{name.text}`{hint}", name)

    def fail(self, problem: str, token: Token) -> NoReturn:
        raise ParseError(problem, self.text, token.position) from None


def follow(first: Any, second: Any) -> Schedule:
    """``first >> second``; a number there would be a value without a length."""
    rule = "join schedules; hold(steps, value) is one"
    for part in (first, second):
        require_type(isinstance(part, Schedule), ">>", rule, part)
    joined: Schedule = first >> second
    return joined


def as_length(text: str) -> Length:
    """A token such as ``10ep`` as a length."""
    value = as_steps("length", text)
    assert isinstance(value, Length)
    return value


@cache
def vocabulary() -> dict[str, Callable[..., Schedule]]:
    """What a text may call: every curve by its notation or class name, and every recipe."""
    hidden = {"function", "sequence", "product", "sum", *METHODS}
    curves = {name: kind for name, kind in Schedule.registry.items() if name not in hidden}
    classes = {kind.__name__: kind for kind in curves.values()}
    recipes = {
        name: value
        for name, value in vars(_recipes).items()
        if isfunction(value) and value.__module__ == _recipes.__name__ and not name.startswith("_")
    }
    return {**classes, **curves, **recipes}
