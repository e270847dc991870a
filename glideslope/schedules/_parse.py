"""Text to schedule: a grammar of calls and operators, read by hand and never evaluated.

::

    schedule  =  sum { ">>" sum }
    sum       =  product { ("+" | "-") product }
    product   =  unary { ("*" | "/") unary }
    unary     =  ("-" | "+") unary | atom { "." name arguments }
    atom      =  number | [ ("gs" | "glideslope") "." ] name arguments | "(" schedule ")"
    arguments =  "(" [ argument { "," argument } ] ")"
    argument  =  [ name "=" ] ( schedule | string | list | tuple | word )
    word      =  "True" | "False" | "None" | "rest"
    number    =  digits [ unit ]          units: ep, tok, %; digits may be grouped, 10_000

A comment runs from ``#`` to the end of its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from inspect import Signature, isfunction, ismethod, signature
from operator import add, mul, neg, pos, sub
from typing import Any, NamedTuple, NoReturn

from glideslope.errors import GlideslopeError, ParseError, require, require_type

from . import _recipes
from ._curves import Constant
from ._foreign import FOREIGN, general_form, translated
from ._length import LENGTH, NUMBER, REST, UNITS, Length
from ._schedule import JOIN, Schedule, combine
from ._transformations import Transformation

SPACE = re.compile(r"(?:\s+|#[^\n]*)*")
TOKEN = re.compile(
    rf"(?:(?P<length>{NUMBER}(?:ep|tok|%)(?!\w))"
    rf"|(?P<number>{NUMBER}(?!\w))"
    rf"|{NUMBER}(?P<unit>\w+)"
    r"|(?P<name>[a-z_]\w*)"
    r"""|(?P<string>"[^"\\]*"|'[^'\\]*')"""
    r"|(?P<sign>>>|[-+*/().,=\[\]]))",
    re.IGNORECASE,
)
WORDS = {"True": True, "False": False, "None": None, "rest": REST}
PREFIXES = ("gs", "glideslope")
"""The prefixes that a name may have, as in Python."""
Operator = Callable[[Any, Any], Any]
DEPTH = 40
"""The deepest nesting of parentheses, far below the limit of Python's stack."""
LONGEST = 1_000_000
"""The number of characters of the longest text, which takes seconds to read."""


class Token(NamedTuple):
    """A piece of a schedule's text, as `glideslope.schedules.notation.tokenize` gives it.

    Args:
        kind: name, number, length, string, sign, or "end".
        text: the piece itself.
        position: the index of its first character.
    """

    kind: str
    text: str
    position: int


def parse(text: str) -> Schedule:
    """The schedule that ``text`` describes, in the notation `repr` prints.

    The text is parsed, never passed to `eval`. It can contain the library's curves, recipes and
    methods, numbers, lengths with a unit, strings and lists, and nothing else.

    Args:
        text: such as ``"warmup(500) >> cosine(9500)"`` or ``"wsd(5%, 75%, 20%) * 3e-4"``.

    Raises:
        InvalidType: ``text`` is no string.
        ParseError: a syntax error, an unknown name, an argument that a curve refuses, or more
            than a million characters; the message points at the character.

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
    if len(text) > LONGEST:
        raise ParseError(f"longer than {LONGEST:,} characters", text, LONGEST)
    return Parser(text, tokenize(text)).schedule()


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text``, closed by one of kind "end".

    Raises:
        ParseError: a character, a unit or a string that is not part of the notation.

    >>> [token.text for token in tokenize("warmup(5%) * 3e-4")]
    ['warmup', '(', '5%', ')', '*', '3e-4', 'the end']
    """
    tokens, stop, position = [], 0, after_space(text, 0)
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ParseError(f"unexpected character {text[position]!r}", text, position)
        kind = match.lastgroup
        if kind == "unit":
            known = ", ".join(UNITS)
            raise ParseError(
                f"unknown unit `{match[kind]:.40}`, the units are {known}", text, position
            )
        tokens.append(Token(kind, match[kind], position))
        stop = match.end()
        position = after_space(text, stop)
    return [*tokens, Token("end", "the end", stop)]


def after_space(text: str, position: int) -> int:
    """Where the spaces and comments that begin at ``position`` end."""
    space = SPACE.match(text, position)
    assert space is not None  # it matches nothing, too
    return space.end()


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
        return self.chain("sequence", {">>": joined}, self.sum)

    def sum(self) -> Any:
        return self.chain("sum", {"+": add, "-": sub}, self.product)

    def product(self) -> Any:
        return self.chain("product", {"*": mul, "/": divide}, self.unary)

    def chain(self, operation: str, operators: Mapping[str, Operator], part: Any) -> Any:
        """Parts with ``operators`` between them, joined all at once: there may be thousands."""
        values = [part()]
        while self.next.kind == "sign" and self.next.text in operators:
            operator = self.take()
            left = self.refuse_plain(values[-1], operator)
            right = self.refuse_plain(part(), operator)
            both = self.attempt(operator, operators[operator.text], left, right)
            if len(values) == 1 and not isinstance(both, Schedule):
                values = [both]  # numbers alone, as Python joins them
            else:
                values.append(self.attempt(operator, INVERSES.get(operator.text, pos), right))
        return values[0] if len(values) == 1 else self.attempt(operator, combine, operation, values)

    def unary(self) -> Any:
        sign = self.next
        if self.skip("-"):
            return self.attempt(sign, neg, self.refuse_plain(self.nested(self.unary), sign))
        if self.skip("+"):
            return self.refuse_plain(self.nested(self.unary), sign)
        return self.atom()

    def atom(self) -> Any:
        value = self.primary()
        while self.skip("."):
            method = self.take("name")
            if method.text not in methods():
                self.unknown(method, methods())
            if not isinstance(value, Schedule):
                self.fail(f"`.{method.text}` needs a schedule before it", method)
            value = self.called(method, getattr(value, method.text))
        return value

    def primary(self) -> Any:
        token = self.take()
        if token.kind == "number":
            return float(token.text)
        if token.kind == "length":
            return self.attempt(token, length_of, token.text)
        if token.kind == "string":
            return token.text[1:-1]
        if token.kind == "name":
            return WORDS[token.text] if token.text in WORDS else self.call(token)
        if token.text in ("(", "["):
            return self.nested(lambda: self.group(token))
        missing = token.kind == "end"
        return self.fail("something is missing" if missing else f"unexpected `{token.text}`", token)

    def call(self, name: Token) -> Any:
        """A curve or a recipe by its name, which may have the package's before it."""
        if name.text in PREFIXES and self.skip("."):
            name = self.take("name")
        table = vocabulary()
        if name.text not in table:
            self.unknown(self.foreign(name), table)
        return self.called(name, table[name.text])

    def foreign(self, name: Token) -> Token:
        """The last name of a path such as ``torch.optim.StepLR``, if another library has it."""
        last = name
        while self.skip("."):
            last = self.take("name")
        return last if last.text in FOREIGN else name

    def called(self, name: Token, build: Callable[..., Schedule]) -> Any:
        """The value of ``build`` for the arguments that follow."""
        known = signature(build) if ismethod(build) else known_signature(build)
        own = f"its arguments are {', '.join(known.parameters)}"
        positional, named = self.nested(self.arguments)
        for keyword, (token, _) in named.items():
            if keyword not in known.parameters:
                self.fail(f"`{name.text}` has no argument `{keyword}`: {own}", token)
        values = {keyword: value for keyword, (_, value) in named.items()}
        try:
            known.bind(*positional, **values)
        except TypeError as error:
            self.fail(f"`{name.text}`: {error}; {own}", name)
        return self.attempt(name, build, *positional, **values)

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

    def arguments(self) -> tuple[list[Any], dict[str, tuple[Token, Any]]]:
        """The arguments of a call, by position and by name; these with their place."""
        positional: list[Any] = []
        named: dict[str, tuple[Token, Any]] = {}
        self.take("sign", "(")
        while not self.skip(")"):
            first = self.next
            if first.kind == "name" and self.tokens[self.place + 1].text == "=":
                self.place += 2
                if first.text in named:
                    self.fail(f"`{first.text}` is given twice", first)
                named[first.text] = first, self.sequence()
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
        """The result of ``build``; an error it raises points at ``token``."""
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
        if name.text in FOREIGN:
            self.fail(f"unknown name `{name.text}`, here: {self.translation(name)}", name)
        close = get_close_matches(name.text, list(known), n=1)
        hint = f", did you mean `{close[0]}`?" if close else ""
        self.fail(f"unknown name `{name.text}`{hint}", name)

    def translation(self, name: Token) -> str:
        """A call of another library as it is written here, with its arguments if they are plain."""
        try:
            positional, named = self.nested(self.arguments)
            values = {keyword: value for keyword, (_, value) in named.items()}
            text = translated(name.text, *positional, **values)
            return min(text, repr(parse(text)), key=len)  # without defaults, but recipes as such
        except (GlideslopeError, TypeError):
            return general_form(name.text)

    def fail(self, problem: str, token: Token) -> NoReturn:
        raise ParseError(problem, self.text, token.position) from None


def joined(first: Any, second: Any) -> Schedule:
    """``first >> second``, where either may be a number until it is refused."""
    require_type(isinstance(first, Schedule), ">>", JOIN, first)
    sequence: Schedule = first >> second
    return sequence


def divide(number: Any, divisor: Any) -> Any:
    """``number / divisor``, either of which may be a schedule until it is refused."""
    plain = not isinstance(number, Schedule) and not isinstance(divisor, Schedule)
    require(not plain or divisor != 0, "/", "divide by a number other than 0", divisor)
    return number / divisor


def reciprocal(number: float) -> float:
    """The factor that divides a schedule by ``number``."""
    return 1 / number


INVERSES: Mapping[str, Callable[[Any], Any]] = {"-": neg, "/": reciprocal}
"""For each operator that `combine` does not have, the function it applies to its right side."""


def length_of(text: str) -> Length:
    """A token such as ``10ep`` as a length."""
    match = LENGTH.fullmatch(text)
    assert match is not None
    return Length(float(match["number"]), match["unit"].lower())


@cache
def known_signature(build: Callable[..., Schedule]) -> Signature:
    """The arguments of a curve or recipe; cached, for a text may contain thousands of calls."""
    return signature(build)


def methods() -> list[str]:
    """The methods that a text may call: those that make a transformation."""
    kinds = Schedule.registry.items()
    return [name for name, kind in kinds if issubclass(kind, Transformation)]


@cache
def vocabulary() -> dict[str, Callable[..., Schedule]]:
    """The names that a text may call: curves by their notation or class name, and recipes."""
    curves = {name: kind for name, kind in Schedule.registry.items() if kind._has_name}
    classes = {kind.__name__: kind for kind in curves.values()}
    recipes = {
        name: value
        for name, value in vars(_recipes).items()
        if isfunction(value) and value.__module__ == _recipes.__name__ and not name.startswith("_")
    }
    return {**classes, **curves, **recipes}
