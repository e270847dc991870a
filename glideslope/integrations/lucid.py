"""The names of lucid: code written for it runs on torch when its imports are changed.

`nn` is `torch.nn` with a `Parameter` that also takes numbers. `optim` is `glideslope.optim` with
an `Optimizer` that also takes a model without parameters. They are imported as lucid's are, by
``import …lucid.optim as optim`` and ``from …lucid.optim.lr_scheduler import StepLR`` too.

Example:
    >>> import glideslope.integrations.lucid.nn as nn
    >>> import glideslope.integrations.lucid.optim as optim
    >>> from glideslope.integrations.lucid.optim.lr_scheduler import StepLR
    >>> optimizer = optim.SGD([nn.Parameter([1.0, 2.0, 3.0])], lr=0.1)
    >>> scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.last_lr
    [0.05]

Source: https://github.com/ChanLumerico/lucid, whose documents name what is here.
"""

from __future__ import annotations

import sys

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

# isort: split
from . import _lucid_nn as nn
from . import _lucid_optim as optim
from ._lucid_nn import Parameter as Parameter

__all__ = ["Parameter", "nn", "optim"]

# Submodules that have their home elsewhere, as `os.path` has.
sys.modules[f"{__name__}.nn"] = nn
sys.modules[f"{__name__}.optim"] = optim
sys.modules[f"{__name__}.optim.lr_scheduler"] = optim.lr_scheduler
