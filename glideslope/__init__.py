"""Learning-rate schedules as values, drop-in schedulers, and optimizers written as one formula.

``import glideslope as gs`` gives the schedules at once. What needs torch or Matplotlib loads when
its name is first used, so a script that only composes a schedule starts in a blink.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from glideslope import schedules
from glideslope.schedules import *  # noqa: F403  (an explicit `__all__` stands behind the star)

__version__ = "0.1.0"

_ROOMS = (
    "engines",
    "errors",
    "groups",
    "integrations",
    "optim",
    "plot",
    "rules",
    "schedules",
    "training",
)
_HOMES = {"load_checkpoint": "training", "save_checkpoint": "training"}

__all__ = sorted([*schedules.__all__, *_ROOMS, *_HOMES])

if TYPE_CHECKING:
    from glideslope import engines as engines
    from glideslope import errors as errors
    from glideslope import groups as groups
    from glideslope import integrations as integrations
    from glideslope import optim as optim
    from glideslope import plot as plot
    from glideslope import rules as rules
    from glideslope import training as training
    from glideslope.training import load_checkpoint as load_checkpoint
    from glideslope.training import save_checkpoint as save_checkpoint
else:

    def __getattr__(name: str) -> object:
        if name in _ROOMS:
            return import_module(f"glideslope.{name}")
        if name in _HOMES:
            return getattr(import_module(f"glideslope.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
