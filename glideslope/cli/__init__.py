"""The command line. A command is a module that registers itself: one import line here."""

from __future__ import annotations

from . import _design as _design
from . import _find_lr as _find_lr
from . import _merge as _merge
from . import _predict as _predict
from . import _preview as _preview
from . import _report as _report
from . import _runs as _runs
from . import _show as _show
from . import _train as _train
from ._app import app as app
from ._app import main as main

__all__ = ["app", "main"]
