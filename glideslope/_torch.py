"""The oldest torch that Glideslope runs on.

Every package that needs torch imports this module first, so that a torch that is missing or too old
is refused in one sentence, before anything fails for want of it.
"""

from __future__ import annotations

import re

from glideslope.errors import MissingDependency

OLDEST = "2.13"


def release(version: str) -> tuple[int, ...]:
    """The two numbers that compare releases.

    >>> release("2.13.0+cpu") < release("2.14.0a0+git123")
    True
    """
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":  # torch is there, and a part of its own is missing
        raise
    raise MissingDependency("torch", "torch") from None
if release(torch.__version__) < release(OLDEST):
    raise MissingDependency("torch", "torch", f"{OLDEST} or newer, got {torch.__version__}")
