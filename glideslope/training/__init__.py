"""What keeps a training run safe: checkpoints, exact resume, early stopping, a history."""

from ._checkpoint import load_checkpoint as load_checkpoint
from ._checkpoint import save_checkpoint as save_checkpoint
from ._checkpointer import Checkpoint as Checkpoint
from ._checkpointer import Checkpointer as Checkpointer
from ._early_stopping import EarlyStopping as EarlyStopping
from ._history import History as History
from ._loader import ResumableLoader as ResumableLoader
from ._state import TrainingState as TrainingState

__all__ = [
    "Checkpoint",
    "Checkpointer",
    "EarlyStopping",
    "History",
    "ResumableLoader",
    "TrainingState",
    "load_checkpoint",
    "save_checkpoint",
]
