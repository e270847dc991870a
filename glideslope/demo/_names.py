"""Names of optimizers, known before torch is loaded."""

from __future__ import annotations

import ast
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from glideslope.errors import InvalidValue


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
    """The classes in ``__all__`` of `glideslope.optim`; none where its source is not at hand."""
    found = find_spec("glideslope.optim")
    if found is None or found.origin is None or not Path(found.origin).is_file():
        return []
    for node in ast.parse(Path(found.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [name for name in ast.literal_eval(node.value) if name[0].isupper()]
    return []
