"""Learning-rate schedules as values, drop-in schedulers, and optimizers written as one formula."""

from __future__ import annotations

__version__ = "0.1.0"
