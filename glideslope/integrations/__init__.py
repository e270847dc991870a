"""Other frameworks' names on torch and Glideslope: their code runs when its imports are changed.

`lightning` is another case: a part for Lightning's own trainer.
"""

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

from . import genesis as genesis
from . import lightning as lightning
from . import lucid as lucid
from . import transformers as transformers

__all__ = ["genesis", "lightning", "lucid", "transformers"]


def __dir__() -> list[str]:
    return __all__
