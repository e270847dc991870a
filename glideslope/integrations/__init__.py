"""Other frameworks: their names on torch, schedules read from theirs, and parts for their loops.

- `lucid`, `genesis` and `transformers` have the names of those libraries, on torch and Glideslope:
  code written for them runs when its imports are changed.
- `lightning` has a part for Lightning's own trainer; the modules `keras`, `paddle` and `tinygrad`,
  which are imported by their full names, have a learning rate for those frameworks.
- ``from_…`` read a schedule from another library's scheduler; `to_lambda_lr` gives one of torch's,
  `to_csv` a table.

Each loads when its name is first used, and needs its framework only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope._lazy import lazy

_PACKAGES = ("genesis", "lightning", "lucid", "optax", "timm", "torch", "transformers")
_OWNERS = {
    "from_optax": "optax",
    "from_timm": "timm",
    "from_torch": "torch",
    "from_transformers": "transformers",
    "to_csv": "_csv",
    "to_lambda_lr": "torch",
}

__all__ = sorted([*_PACKAGES, *_OWNERS])

if TYPE_CHECKING:
    from . import genesis as genesis
    from . import lightning as lightning
    from . import lucid as lucid
    from . import optax as optax
    from . import timm as timm
    from . import torch as torch
    from . import transformers as transformers
    from ._csv import to_csv as to_csv
    from .optax import from_optax as from_optax
    from .timm import from_timm as from_timm
    from .torch import from_torch as from_torch
    from .torch import to_lambda_lr as to_lambda_lr
    from .transformers import from_transformers as from_transformers
else:
    __getattr__ = lazy(__name__, {**{name: name for name in _PACKAGES}, **_OWNERS})


def __dir__() -> list[str]:
    return __all__
