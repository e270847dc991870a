"""The errors that Glideslope raises on purpose, and the one place that builds their messages.

A bad value is refused when it is given, by name, rule and value::

    GlideslopeError
    ├── InvalidValue       (ValueError)   `steps` must be at least 1, got 0
    ├── InvalidType        (TypeError)    `gamma` must be a number, got 'fast'
    │   └── UnsupportedDtype (RuntimeError) a matrix method is given complex parameters
    ├── ParseError         (ValueError)   points at the character of a schedule's text
    ├── UnboundError       (ValueError)   a length such as "10ep" was never bound to steps
    ├── StateMismatch      (ValueError)   a saved state does not fit this object
    ├── CheckpointError    (RuntimeError) a file is damaged, foreign, or could not be written
    ├── PredictionError    (ValueError)   a run does not tell what is to be predicted
    ├── RankFailed         (RuntimeError) another process of the run failed or ended
    └── MissingDependency  (ImportError)  names the command that installs what is missing

Each also inherits the built-in error in parentheses, so ``except ValueError`` works as expected.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__all__ = [
    "CheckpointError",
    "GlideslopeError",
    "InvalidType",
    "InvalidValue",
    "MissingDependency",
    "ParseError",
    "PredictionError",
    "RankFailed",
    "StateMismatch",
    "UnboundError",
    "UnsupportedDtype",
    "pip_install",
    "require",
    "require_installed",
    "require_type",
    "shortened",
]

READABLE = 200
"""The number of characters up to which a message shows a value in full."""


class GlideslopeError(Exception):
    """The root of every error raised on purpose."""


class InvalidValue(GlideslopeError, ValueError):
    """A value of the right type that breaks a rule."""


class InvalidType(GlideslopeError, TypeError):
    """A value of the wrong type."""


class UnsupportedDtype(InvalidType, RuntimeError):
    """A dtype that no formula here supports, where torch raises a `RuntimeError` at the step."""


class ParseError(GlideslopeError, ValueError):
    """Text that is not a schedule; the message points at the character.

    Args:
        problem: what is wrong, a sentence.
        text: the whole text.
        position: the index of the character.

    >>> print(ParseError("unknown name `cosin`", "warmup(5) >> cosin(9)", 13))
    unknown name `cosin`
      warmup(5) >> cosin(9)
                   ^
    """

    def __init__(self, problem: str, text: str, position: int) -> None:
        self.problem, self.text, self.position = problem, text, position
        line, column = _excerpt(text, position)
        super().__init__(f"{_cut(problem, 3 * READABLE)}\n  {line}\n  {' ' * column}^")

    def __reduce__(self) -> tuple[type[ParseError], tuple[str, str, int]]:
        return type(self), (self.problem, self.text, self.position)


def _excerpt(text: str, position: int) -> tuple[str, int]:
    r"""The line of ``text`` at ``position``, cut to `READABLE` characters, and the place in it.

    >>> _excerpt("a\nbcd", 4)
    ('bcd', 2)
    """
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position) % (len(text) + 1)  # -1, for none, is the end
    first = max(begin, min(position - READABLE // 2, end - READABLE))
    last = min(end, first + READABLE)
    before, after = "…" if first > begin else "", "…" if last < end else ""
    return f"{before}{text[first:last]}{after}", position - first + len(before)


class UnboundError(GlideslopeError, ValueError):
    """A length in epochs, tokens or percent, or the rest, used before it was bound to steps."""


class StateMismatch(GlideslopeError, ValueError):
    """A saved state that does not fit the object it is loaded into."""


class PredictionError(GlideslopeError, ValueError):
    """A recorded run that does not determine the loss that is to be predicted."""


class CheckpointError(GlideslopeError, RuntimeError):
    """A checkpoint that is damaged, foreign, or could not be written."""


class RankFailed(GlideslopeError, RuntimeError):
    """Another process of a run on several failed, ended or does not answer."""


class MissingDependency(GlideslopeError, ImportError):
    """Optional packages are missing or too old; the message names the command that installs them.

    Args:
        package: the package, or the names of several.
        extra: the extra of Glideslope that has it, or several, joined by commas.
        rule: what the package must be, such as ``2.13 or newer, got 2.9``; unless given, it is
            missing.

    >>> "`torch` must be 2.13 or newer, got 2.9: pip install" in str(
    ...     MissingDependency("torch", "torch", "2.13 or newer, got 2.9")
    ... )
    True
    """

    def __init__(self, package: str | tuple[str, ...], extra: str, rule: str = "") -> None:
        self.package, self.extra, self.rule = package, extra, rule
        names = (package,) if isinstance(package, str) else package
        subject = " and ".join(f"`{name}`" for name in names)
        problem = f"{'is' if len(names) == 1 else 'are'} needed here"
        problem = f"must be {rule}" if rule else problem
        super().__init__(f"{subject} {problem}: {pip_install(extra)}")

    def __reduce__(self) -> tuple[type[MissingDependency], tuple[object, str, str]]:
        return type(self), (self.package, self.extra, self.rule)


def require_installed(**extras: str) -> None:
    """Raise `MissingDependency` unless every package can be imported; no package is imported.

    Args:
        extras: for each package, the extra that installs it.

    Raises:
        MissingDependency: one is not installed.

    >>> require_installed(numpy="torch")
    """
    missing = tuple(package for package in extras if not _is_installed(package))
    if missing:
        raise MissingDependency(missing, ",".join(sorted({extras[name] for name in missing})))


def pip_install(extra: str) -> str:
    """The command that adds an extra to this installation of Glideslope.

    It names what Glideslope was installed from: a checkout, another folder or address, or the
    package index.

    Args:
        extra: the name of the extra, or several, joined by commas.

    >>> "[torch]" in pip_install("torch")
    True
    """
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e '{checkout}[{extra}]'"
    url = _installed_from()
    return (
        f"pip install 'glideslope[{extra}] @ {url}'"
        if url
        else f"pip install 'glideslope[{extra}]'"
    )


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # `sys.modules` holds None, or a module without a specification
        return False


def _installed_from() -> str:
    """The address that pip recorded (PEP 610); empty for the package index or a deleted folder."""
    import json  # these take longer to load than the schedules
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    try:
        record = json.loads(distribution("glideslope").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    url, version_control = record.get("url", ""), record.get("vcs_info", {}).get("vcs")
    if url.startswith("file:") and not Path(unquote(urlsplit(url).path)).exists():
        return ""
    return f"{version_control}+{url}" if version_control else url


def require(ok: bool, name: str, rule: str, value: object) -> None:
    """Raise `InvalidValue`, "`name` must rule, got value", unless ``ok`` is true.

    Args:
        ok: True if the value keeps the rule.
        name: the argument's name.
        rule: what it must do, from the verb on: ``"be at least 1"``.
        value: what was given.

    Raises:
        InvalidValue: ``ok`` is false.

    >>> require(0 >= 1, "steps", "be at least 1", 0)
    Traceback (most recent call last):
    glideslope.errors.InvalidValue: `steps` must be at least 1, got 0
    """
    if not ok:
        raise InvalidValue(f"`{name}` must {rule}, got {shortened(value)}")


def require_type(ok: bool, name: str, rule: str, value: object) -> None:
    """Raise `InvalidType`, "`name` must rule, got value", unless ``ok`` is true.

    Args:
        ok: True if the value has the type.
        name: the argument's name.
        rule: what it must do, from the verb on: ``"be a number"``.
        value: what was given.

    Raises:
        InvalidType: ``ok`` is false.

    >>> require_type(False, "gamma", "be a number", "fast")
    Traceback (most recent call last):
    glideslope.errors.InvalidType: `gamma` must be a number, got 'fast'
    """
    if not ok:
        raise InvalidType(f"`{name}` must {rule}, got {shortened(value)}")


def shortened(value: object, length: int = READABLE) -> str:
    """The ``repr`` of a value; of a long one, only the beginning and the end.

    Args:
        value: the value.
        length: the most characters.

    >>> shortened("fast"), shortened([1] * 1000, 20)
    ("'fast'", '[1, 1, 1, … 1, 1, 1]')
    """
    try:
        text = repr(value)
    except Exception:  # a `repr` that fails must not hide the message
        text = object.__repr__(value)
    return _cut(text, length)


def _cut(text: str, length: int) -> str:
    """``text``, without its middle where it is longer than ``length``."""
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return f"{text[: length - 1 - end]}…{text[-end:]}"
