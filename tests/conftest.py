"""Settings shared by all tests, made before torch or Hypothesis reads them."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# The default run tries the same few examples every time; `make long` looks for new ones.
settings.register_profile("default", max_examples=50, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
