"""The page of `glideslope design`, and the server that answers its questions."""

from __future__ import annotations

from ._answer import answer
from ._server import DesignServer

__all__ = ["DesignServer", "answer"]


def __dir__() -> list[str]:
    return __all__
