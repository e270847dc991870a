"""What keeps a run safe and visible: checkpoints, resume, early stopping, range tests, records."""

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

from ._checkpoint import load_checkpoint as load_checkpoint
from ._checkpoint import save_checkpoint as save_checkpoint
from ._checkpointer import Checkpoint as Checkpoint
from ._checkpointer import Checkpointer as Checkpointer
from ._early_stopping import EarlyStopping as EarlyStopping
from ._history import History as History
from ._loader import ResumableLoader as ResumableLoader
from ._monitor import LRMonitor as LRMonitor
from ._preview import PlateauPreview as PlateauPreview
from ._preview import StoppingPreview as StoppingPreview
from ._preview import preview as preview
from ._range_test import LRFinder as LRFinder
from ._range_test import lr_range_test as lr_range_test
from ._range_test_result import RangeTestResult as RangeTestResult
from ._state import TrainingState as TrainingState
from ._writers import CSVWriter as CSVWriter
from ._writers import TensorBoardWriter as TensorBoardWriter

__all__ = [
    "CSVWriter",
    "Checkpoint",
    "Checkpointer",
    "EarlyStopping",
    "History",
    "LRFinder",
    "LRMonitor",
    "PlateauPreview",
    "RangeTestResult",
    "ResumableLoader",
    "StoppingPreview",
    "TensorBoardWriter",
    "TrainingState",
    "load_checkpoint",
    "lr_range_test",
    "preview",
    "save_checkpoint",
]
