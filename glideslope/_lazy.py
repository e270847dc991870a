"""Names of a package that are imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(
    package: str, homes: Mapping[str, str], first: str | None = None
) -> Callable[[str], object]:
    """The ``__getattr__`` of a package, by PEP 562.

    Args:
        package: the package's full name.
        homes: for each name, the module of the package that defines it; of a subpackage, its own
            name.
        first: a module that is imported before any of them.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if first is not None:
            import_module(first)
        module = import_module(f"{package}.{homes[name]}")
        return module if homes[name] == name else getattr(module, name)

    return load
