"""Learning-rate schedules as values, drop-in schedulers, and optimizers written as one formula.

``import glideslope as gs`` gives the schedules at once. What needs torch or Matplotlib loads when
its name is first used, so a script that only composes a schedule starts fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope import schedules
from glideslope._lazy import lazy
from glideslope._version import __version__ as __version__
from glideslope.schedules import *  # noqa: F403  (the package defines `__all__`)

_PACKAGES = (
    "demo",
    "distributed",
    "engines",
    "errors",
    "files",
    "groups",
    "integrations",
    "optim",
    "pages",
    "plot",
    "rules",
    "runs",
    "schedules",
    "text",
    "training",
)
_OWNERS = {
    "Scheduler": "optim",
    "from_optax": "integrations",
    "from_timm": "integrations",
    "from_torch": "integrations",
    "from_transformers": "integrations",
    "load_checkpoint": "training",
    "save_checkpoint": "training",
    "to_csv": "integrations",
    "to_lambda_lr": "integrations",
}

__all__ = sorted([*schedules.__all__, *_PACKAGES, *_OWNERS])

if TYPE_CHECKING:
    from glideslope import demo as demo
    from glideslope import distributed as distributed
    from glideslope import engines as engines
    from glideslope import errors as errors
    from glideslope import files as files
    from glideslope import groups as groups
    from glideslope import integrations as integrations
    from glideslope import optim as optim
    from glideslope import pages as pages
    from glideslope import plot as plot
    from glideslope import rules as rules
    from glideslope import runs as runs
    from glideslope import text as text
    from glideslope import training as training
    from glideslope.integrations import from_optax as from_optax
    from glideslope.integrations import from_timm as from_timm
    from glideslope.integrations import from_torch as from_torch
    from glideslope.integrations import from_transformers as from_transformers
    from glideslope.integrations import to_csv as to_csv
    from glideslope.integrations import to_lambda_lr as to_lambda_lr
    from glideslope.optim import Scheduler as Scheduler
    from glideslope.training import load_checkpoint as load_checkpoint
    from glideslope.training import save_checkpoint as save_checkpoint
else:
    __getattr__ = lazy(__name__, {**{name: name for name in _PACKAGES}, **_OWNERS})


def __dir__() -> list[str]:
    return __all__
