"""Parameter groups, and the one kind of binding that sets their hyperparameters.

- A **key** is the name of a hyperparameter in a parameter group: ``"lr"``, ``"weight_decay"``, or
  one element of a tuple, ``"betas[0]"``. `KeyValues` reads and writes it in every group and detects
  values that other code has written.
- A **source** gives the values of a key: a schedule's at step t, a controller's, whose factor is
  its state, a user's recursion. It knows no optimizer.
- A **binding** ties one source to one key of one optimizer. It joins with the groups' own values,
  takes in groups that are added later, writes, and resumes from a saved state. A scheduler is a
  clock, a source for each key, and their bindings; so is a schedule given to an optimizer.
- The **base** of a group is its own value of a key, without any factor. The **shared key** holds
  the bases and, for each binding, an **entry** with its factor. A group gets the base times the
  product of the factors.
- A **port** reaches the groups of any optimizer, torch's or not.
"""

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

from ._binding import Binding as Binding
from ._binding import Due as Due
from ._binding import Source as Source
from ._binding import due_values as due_values
from ._binding import write_all as write_all
from ._entry import NewGroup as NewGroup
from ._key_values import KeyValues as KeyValues
from ._key_values import key_values as key_values
from ._loads import remember_load as remember_load
from ._names import group_names as group_names
from ._notes import NOTE as NOTE
from ._numbers import blended as blended
from ._numbers import compounded as compounded
from ._numbers import plain as plain
from ._numbers import scaled as scaled
from ._port import Group as Group
from ._port import Port as Port
from ._shared_key import SharedKey as SharedKey

__all__ = [
    "Binding",
    "Due",
    "Group",
    "KeyValues",
    "NOTE",
    "NewGroup",
    "Port",
    "SharedKey",
    "Source",
    "blended",
    "compounded",
    "due_values",
    "group_names",
    "key_values",
    "plain",
    "remember_load",
    "scaled",
    "write_all",
]


def __dir__() -> list[str]:
    return __all__
