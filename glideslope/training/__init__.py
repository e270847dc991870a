"""Companions of a training loop: checkpoints, resume, early stopping, range tests, records.

- A **checkpoint** is a file with a nest of plain values: `save_checkpoint`, `load_checkpoint`,
  and `Checkpointer` for a folder of them.
- A **part** is an object of a run that has a state. `TrainingState` saves and restores all parts
  and the random states; `ResumableLoader` makes a part of a data loader.
- A **stream** is a random generator that a program holds itself.
- A **record** is a dict of what was measured at a step. **Writers** store records: `History`,
  `CSVWriter`, `TensorBoardWriter`. `LRMonitor` makes records of an optimizer's hyperparameters.
- A **merge** of checkpoints is their weighted mean: the model after a cooldown that was not run.
- A **preview** tells what `EarlyStopping` or a plateau would have done to recorded metrics.
- A **prediction** is the loss that a recorded run would have had under another schedule; a
  **recommendation** is the schedule with the lowest one.
- A **range test** trains at rising learning rates and restores everything afterwards.

Records and their readers load without torch; the rest loads with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope._lazy import lazy

from ._early_stopping import EarlyStopping
from ._history import History
from ._json_lines import read_json_lines
from ._prediction import Estimate, Prediction, Predictor, Recommendation, predict, recommend
from ._preview import PlateauPreview, StoppingPreview, preview
from ._range_test_result import RangeTestResult
from ._writers import CSVWriter, TensorBoardWriter

__all__ = [
    "CSVWriter",
    "Checkpoint",
    "Checkpointer",
    "EarlyStopping",
    "Estimate",
    "History",
    "LRFinder",
    "LRMonitor",
    "MergedModel",
    "PlateauPreview",
    "Prediction",
    "Predictor",
    "RangeTestResult",
    "Recommendation",
    "ResumableLoader",
    "ScheduledBatchSampler",
    "StoppingPreview",
    "TensorBoardWriter",
    "TrainingState",
    "load_checkpoint",
    "lr_range_test",
    "merge",
    "predict",
    "preview",
    "read_json_lines",
    "recommend",
    "save_checkpoint",
]

if TYPE_CHECKING:
    from ._batch_sampler import ScheduledBatchSampler
    from ._checkpoint import load_checkpoint, save_checkpoint
    from ._checkpointer import Checkpoint, Checkpointer
    from ._loader import ResumableLoader
    from ._merge import MergedModel, merge
    from ._monitor import LRMonitor
    from ._range_test import LRFinder, lr_range_test
    from ._state import TrainingState
else:
    __getattr__ = lazy(
        __name__,
        {
            "Checkpoint": "_checkpointer",
            "Checkpointer": "_checkpointer",
            "LRFinder": "_range_test",
            "LRMonitor": "_monitor",
            "MergedModel": "_merge",
            "ResumableLoader": "_loader",
            "ScheduledBatchSampler": "_batch_sampler",
            "TrainingState": "_state",
            "load_checkpoint": "_checkpoint",
            "lr_range_test": "_range_test",
            "merge": "_merge",
            "save_checkpoint": "_checkpoint",
        },
        first="glideslope._torch",
    )


def __dir__() -> list[str]:
    return __all__
