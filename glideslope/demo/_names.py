"""Names of optimizers, known before torch is loaded."""

from __future__ import annotations

import ast
import re
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from glideslope.errors import InvalidValue

LIST = re.compile(r"^__all__ = (\[.*?\])", re.MULTILINE | re.DOTALL)


def require_known_optimizer(name: str) -> None:
    """Refuse a name, in any case, that `glideslope.optim` does not export.

    Importing that package loads torch, which takes seconds; so its list of names is read from its
    source.

    Raises:
        InvalidValue: the name is not known; the message has the nearest one.
    """
    known = {each.lower(): each for each in exported_names()}
    if known and name.lower() not in known:
        near = get_close_matches(name.lower(), known, 1)
        hint = f"did you mean `{known[near[0]]}`?" if near else "see glideslope.optim"
        raise InvalidValue(f"there is no optimizer `{name}`: {hint}")


def exported_names() -> list[str]:
    """The classes in ``__all__`` of the files of `glideslope.optim`; none without its source."""
    found = find_spec("glideslope.optim")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent
    files = (*folder.glob("*.py"), *folder.glob("_*/*.py"))
    texts = (path.read_text(encoding="utf-8") for path in files)
    lists = (ast.literal_eval(names) for text in texts for names in LIST.findall(text))
    return [name for names in lists for name in names if name[0].isupper()]
