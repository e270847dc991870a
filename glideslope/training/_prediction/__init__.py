"""Predictions of the loss of a run under other schedules.

- A **law** says how the loss follows from the learning rates: `laws`.
- **Recorded** losses and rates are the arrays of one run: `recorded`.
- A **fit** is a law with coefficients, and how well the run determines them: `fit`.
- A **prediction** is the loss under a schedule, with an interval: `prediction`.
- A **recommendation** is the schedule with the lowest prediction: `recommendation`.
"""

from __future__ import annotations

from .prediction import Estimate as Estimate
from .prediction import Prediction as Prediction
from .prediction import Predictor as Predictor
from .prediction import predict as predict
from .recommendation import Recommendation as Recommendation
from .recommendation import recommend as recommend
