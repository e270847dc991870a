"""Settings shared by the tests in other frameworks: warnings of theirs are for their users."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec, module_from_spec

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("DEV", "PYTHON")  # tinygrad without a compiler
os.environ.setdefault("HF_HUB_OFFLINE", "1")


# timm imports torchvision, whose build must be for this one of torch; its schedulers do not.
# So the package is there without having been run.
if (timm := find_spec("timm")) is not None:  # which TensorFlow's environment lacks
    sys.modules["timm"] = module_from_spec(timm)


def pytest_configure(config: pytest.Config) -> None:
    """One of Paddle's warnings is given when it is imported."""
    config.addinivalue_line("filterwarnings", "ignore:No ccache found")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Their warnings come in the tests as well as when they are imported."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"))
