"""The small language model that `glideslope train` and `glideslope find-lr` train.

- `Settings` are the options of a run. They load without torch, and everything else with it.
- A `Corpus` is the text, a `CharTransformer` the model.
- `Training` joins model, optimizer and schedule, and yields a `Record` for each update.
- `start_run` and `resume_run` keep a run in a folder (see `glideslope.runs`).
- A `TrainedRun` reads one, and measures it after a `Cooldown` that is merged from its checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope._lazy import lazy

from ._names import require_known_optimizer
from ._notes import warnings_as_notes
from ._settings import Settings

__all__ = [
    "CharTransformer",
    "Cooldown",
    "Corpus",
    "Record",
    "Settings",
    "TrainedRun",
    "Training",
    "python_reference",
    "require_known_optimizer",
    "resume_run",
    "start_run",
    "warnings_as_notes",
]

if TYPE_CHECKING:
    from ._cooldown import Cooldown, TrainedRun
    from ._corpus import Corpus, python_reference
    from ._loop import Record, Training
    from ._model import CharTransformer
    from ._resume import resume_run
    from ._run import start_run
else:
    __getattr__ = lazy(
        __name__,
        {
            "CharTransformer": "_model",
            "Cooldown": "_cooldown",
            "Corpus": "_corpus",
            "Record": "_loop",
            "TrainedRun": "_cooldown",
            "Training": "_loop",
            "python_reference": "_corpus",
            "resume_run": "_resume",
            "start_run": "_run",
        },
    )


def __dir__() -> list[str]:
    return __all__
