"""The state of a whole run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from glideslope.distributed import exchanged, has_peers, own_rank, rank_count
from glideslope.errors import READABLE, StateMismatch, require, shortened

from ._facts import difference, facts_of
from ._history import History
from ._loader import ResumableLoader
from ._nest import plain
from ._parts import (
    Leaf,
    Located,
    check,
    leaves,
    require_part,
    state_of,
    stateful_parts,
    text_of,
    values_of,
    with_values,
)
from ._random import Stream, change_of_devices, global_state, seed_global_streams, set_global_state
from ._restore import Restoration, naming
from ._sharded.reading import agreed_on
from ._writers import CSVWriter, TensorBoardWriter

ENVIRONMENT = "environment"

RECORDS = (History, CSVWriter, TensorBoardWriter)
"""Parts that remove records from files when they go back."""


class TrainingState:
    """The state of a run: all that it needs to resume as if it had not stopped.

    `state_dict` captures every part, and the random states of Python, NumPy and torch;
    `load_state_dict` restores them all, whatever the order in which the parts were built and are
    named. On the same machine, the run then continues bit for bit.

    A part is an attribute; counters are counted there: ``run.step += 1``.

    On several ranks each has random states of its own. A rank that loads what it saved itself
    resumes with them; one that loads another rank's state resumes with random states derived from
    that one and its own number, with a warning, so that no two ranks draw the same numbers.

    Args:
        parts: by name: objects with ``state_dict`` and ``load_state_dict`` (a model, an optimizer,
            schedulers, a `GradScaler`, a `ResumableLoader`, `EarlyStopping`, `History`); random
            generators of torch, NumPy or Python; plain values: counters, a list of losses; and
            lists, tuples and dicts of all these, to any depth: ``optimizers=[first, second]``.

    Raises:
        InvalidType: a part is none of these.
        InvalidValue: a part is named like a method or ``environment``, which holds the random
            states, the version of torch and the number of threads; or an epoch of a
            `ResumableLoader` is running that could draw from one of the generators.

    Example:
        >>> import torch, glideslope as gs
        >>> model = torch.nn.Linear(2, 1)
        >>> run = gs.training.TrainingState(model=model, step=0, losses=[])
        >>> run.step += 1
        >>> run.losses.append(0.5)
        >>> saved = run.state_dict()
        >>> again = gs.training.TrainingState(model=torch.nn.Linear(2, 1), step=0, losses=[])
        >>> again.load_state_dict(saved)
        >>> again.step, again.losses, bool((again.model.weight == model.weight).all())
        (1, [0.5], True)
    """

    def __init__(self, **parts: Any) -> None:
        for name, part in parts.items():
            free = name != ENVIRONMENT and not hasattr(type(self), name)
            require(free, "name of a part", "be none that TrainingState uses", name)
            require_part(name, part)
        vars(self).update(parts)
        self._let_loaders_follow()

    def state_dict(self) -> dict[str, Any]:
        """The state of every part under its name, and ``environment``. Nothing is copied.

        The tensors are those that training changes: save them before it continues, or copy them
        with `copy.deepcopy`. `Checkpointer.save` makes the copy itself.
        """
        environment = {
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "random": global_state(),
            "rank": own_rank(),
            "ranks": rank_count(),
        }
        parts = {name: state_of(name, part) for name, part in vars(self).items()}
        return {**parts, ENVIRONMENT: environment}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore every part, and then the random states.

        ``state`` is left as it was. A plain value is replaced, so read it from here afterwards. If
        a part refuses its state, all parts get their former states again.

        Raises:
            StateMismatch: ``state`` has other parts than these, in lists and dicts too; or a part,
                whose place is named, does not take its own.
        """
        with self._loaded(state):
            pass
        for change in _changes(state[ENVIRONMENT]):
            warnings.warn(change, stacklevel=2)

    def check_ranks(self) -> None:
        """Refuse to continue where the ranks of a run differ in what must be the same on all.

        That is: the counters, such as ``step``; the hyperparameters of every optimizer; and the
        names, shapes and dtypes of the parameters of every model. Call it on all ranks, after they
        have loaded their states. `Checkpointer.resume` refuses the same, and `Checkpointer.save`
        warns. A rank's own count may differ inside a dict or a list: ``own={"samples": 0}``.

        Raises:
            StateMismatch: a value differs; the message has its place, and the ranks by value.
        """
        self._check_ranks("`TrainingState.check_ranks`")

    def __repr__(self) -> str:
        parts = [f"{name}={text_of(part)}" for name, part in vars(self).items()]
        while len(", ".join(parts)) > READABLE:
            parts = [*parts[:-2], "…"]
        return f"TrainingState({', '.join(parts)})"

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in vars(self):
            raise AttributeError(f"`{name}` is no part of this run: name it when building it")
        vars(self)[name] = value
        if any(isinstance(part, Stream | ResumableLoader) for _, part in leaves(name, value)):
            self._let_loaders_follow()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def _check_ranks(self, call: str) -> None:
        state = self.state_dict()
        if told := difference(exchanged(facts_of(state), call), state, call):
            raise StateMismatch(f"the ranks of this run differ: {told}")

    @contextmanager
    def _loaded(self, state: dict[str, Any]) -> Iterator[None]:
        """Restore the run; an error in the block undoes it. Records follow at its end.

        Records that have been cut off do not come back, so they are last.
        """
        self._check(state)
        parts = self._in_order(state)
        records = [each for each in parts if isinstance(each[1], RECORDS)]
        restoration = Restoration(parts)
        try:
            restoration.load([each for each in parts if not isinstance(each[1], RECORDS)])
            with naming(ENVIRONMENT):
                set_global_state(state[ENVIRONMENT]["random"])
                _derive_random(state[ENVIRONMENT])
            with self._with_values(state):
                yield
                restoration.load(records)
        except BaseException as error:
            restoration.undo(error)
            raise

    @contextmanager
    def _with_values(self, state: Mapping[str, Any]) -> Iterator[None]:
        """Replace the plain values; an error in the block undoes it."""
        former = {name: values_of(part) for name, part in vars(self).items()}
        self._set_values(state)
        try:
            yield
        except BaseException:
            self._set_values(former)
            raise

    def _set_values(self, state: Mapping[str, Any]) -> None:
        for name, part in vars(self).items():
            vars(self)[name] = with_values(part, state[name])

    def _leaves(self) -> list[Leaf]:
        return [leaf for name, part in vars(self).items() for leaf in leaves(name, part)]

    def _let_loaders_follow(self) -> None:
        """Let loaders restore the run's generators, because data may be drawn from any of them."""
        streams = {f"run.{place}": it for place, it in self._leaves() if isinstance(it, Stream)}
        for _, part in self._leaves():
            if isinstance(part, ResumableLoader):
                part.follow(streams)

    def _check(self, state: Any) -> None:
        """Refuse the state of other parts."""
        if not isinstance(state, Mapping) or state.keys() != {*vars(self), ENVIRONMENT}:
            there = ", ".join(map(str, state)) if isinstance(state, Mapping) else shortened(state)
            raise StateMismatch(
                f"this run consists of {', '.join(vars(self))}; the state holds {there}"
            )
        plain(state, lambda _, tensor: tensor, sharded=True)
        for name, part in vars(self).items():
            check(name, part, state[name])
        _check_environment(state[ENVIRONMENT])
        for place, part, its_state in self._in_order(state):
            if isinstance(part, History):
                with naming(place):
                    part.check(its_state)

    def _in_order(self, state: Mapping[str, Any]) -> list[Located]:
        """The parts that have a state, with their places and states, in the order of restoring.

        A loader loads batches again, which may need other parts, and draws from generators.
        """
        named = vars(self).items()
        parts = [each for name, part in named for each in stateful_parts(name, part, state[name])]
        kinds = (Stream, ResumableLoader)
        return sorted(parts, key=lambda each: [isinstance(each[1], kind) for kind in kinds])


def load_together(run: TrainingState, state: dict[str, Any] | None, call: str) -> None:
    """Load a run on all ranks, or on none, and check that they do not differ.

    Args:
        run: gets the state.
        state: of this rank; None leaves the run as it is.
        call: what all ranks call, see `exchanged`.

    Raises:
        GlideslopeError: as `TrainingState.load_state_dict` and `TrainingState.check_ranks`.
    """
    with ExitStack() as loading:
        if state is not None:
            agreed_on(lambda: loading.enter_context(run._loaded(state)), call)
        run._check_ranks(call)
    for change in () if state is None else _changes(state[ENVIRONMENT]):
        warnings.warn(change, stacklevel=3)


def _check_environment(environment: Any) -> None:
    known = {"torch", "threads", "random"}
    if not isinstance(environment, dict) or not known <= environment.keys():
        raise StateMismatch(
            f"`{ENVIRONMENT}` must hold {', '.join(sorted(known))}, got {shortened(environment)}"
        )


def _derive_random(environment: dict[str, Any]) -> None:
    """On another rank than the one that saved them, derive random states from the restored ones."""
    if has_peers() and environment.get("rank", 0) != own_rank():
        seed_global_streams(own_rank())


def _changes(environment: dict[str, Any]) -> Iterator[str]:
    """Sentences about what is different from where a state was saved."""
    for change in (_change_of_ranks(environment), change_of_devices(environment["random"])):
        if change:
            yield change
    saved = environment["torch"], environment["threads"]
    here = str(torch.__version__), torch.get_num_threads()
    for name, before, now in zip(("torch", "threads"), saved, here, strict=True):
        if before != now:
            yield f"saved with {name} {before}, resumed with {now}: the last bits may differ"


def _change_of_ranks(environment: dict[str, Any]) -> str:
    """A sentence about random states of another rank, or of another number of ranks."""
    saved, own = environment.get("rank", 0), own_rank()
    before, now = environment.get("ranks", rank_count()), rank_count()
    told = f"saved on {before} ranks, resumed on {now}: " if before != now else ""
    if has_peers() and saved != own:
        told += f"the random states are those of rank {saved}: rank {own} resumes with others, "
        return told + "derived from them and its number"
    return told and f"{told}rank {own} resumes with the random states of rank {saved}"
