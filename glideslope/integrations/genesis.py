"""The names of genesis: code written for it runs on torch when its imports are changed.

`nn` is `torch.nn`, `optim` is `glideslope.optim`, and the functions for checkpoints and for the
range test are those of `glideslope.training`. They are imported as genesis's are, by
``import …genesis.optim as optim`` and ``from …genesis.optim.lr_scheduler import LambdaLR`` too.

Example:
    >>> import glideslope.integrations.genesis as genesis
    >>> import glideslope.integrations.genesis.nn as nn
    >>> import glideslope.integrations.genesis.optim as optim
    >>> model = nn.Linear(10, 1)
    >>> optimizer = optim.Adam(model.parameters(), lr=0.001)
    >>> scheduler = optim.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.95 ** epoch)
    >>> optimizer.step(); scheduler.step()
    >>> f"{scheduler.get_last_lr():.6f}"
    '0.000950'

Source: https://github.com/phonism/genesis, whose documents name what is here.
"""

from __future__ import annotations

import sys

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

# isort: split
from torch import nn as nn

from glideslope import optim as optim
from glideslope.training import load_checkpoint as load_checkpoint
from glideslope.training import lr_range_test as lr_range_test
from glideslope.training import save_checkpoint as save_checkpoint

__all__ = ["load_checkpoint", "lr_range_test", "nn", "optim", "save_checkpoint"]

# Submodules that have their home elsewhere, as `os.path` has.
sys.modules[f"{__name__}.nn"] = nn
sys.modules[f"{__name__}.optim"] = optim
sys.modules[f"{__name__}.optim.lr_scheduler"] = optim.lr_scheduler
