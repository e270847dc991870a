"""The base class of all schedules."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, overload

from glideslope.errors import InvalidType, InvalidValue, UnboundError, require, require_type

from ._codec import ATOM, VERSION, call_text, decode, encode, inner_schedules, unwrap
from ._comparison import comparison
from ._far import ADDED, Area, Peak, far_area, far_first, far_peak, looks, runs, sampled
from ._length import REST, Binder, Length, RunNumbers, Steps, bind_call, real, whole
from ._lint import Finding, lint
from ._maths import SCALARS, Arrays, array_namespace, as_floats
from ._merge_weights import merge_weights
from ._outline import Outline, outline, settling_steps
from ._series import Grid, Number, Total
from ._svg import svg
from ._trace import Evaluator, evaluator

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


CHUNK = 1 << 14
"""The number of steps evaluated at once. Their intermediate results fit into a core's cache, whose
traffic is what evaluation costs."""


JOIN = "join schedules; hold(steps, value) is one"
"""The rule of ``>>``, for messages."""

Array = TypeVar("Array")
Span = tuple[float, float]
"""The first step, and the step after the last."""


class Phase(NamedTuple):
    """The steps ``start <= t < stop`` in which one curve gives the value; see `Schedule.phases`.

    Args:
        start: the first step.
        stop: the step after the last; infinity if the curve is endless.
        curve: the curve, on its own clock.
    """

    start: float
    stop: float
    curve: Schedule


@dataclass(frozen=True, repr=False)
class Schedule(ABC):
    r"""The value of a hyperparameter at each step, as an immutable object.

    ``s(t)`` is a closed form, for any t in any order; nothing is stepped. A schedule is defined for
    ``0 <= t < steps`` and **holds** ``end = s(steps)`` afterwards; before 0 it holds its start.

    - one step (int or float) gives a Python float, an array of steps gives an array of the same
      library (NumPy, torch, JAX, MLX, TensorFlow, also in a compiled function);
    - ``==``, ``hash``, ``pickle`` work; ``repr`` is the text that `parse` reads and that Python
      evaluates back to the same schedule; `to_json` and `from_json` are inverses too;
    - ``a >> b`` runs b, on its own clock, after a; ``a * b``, ``a * 3e-4``, ``a + b``, ``1 - a``
      work on values; the methods below work on either.

    Example:
        >>> import glideslope as gs
        >>> s = gs.warmup(4) >> gs.cosine(6)
        >>> [round(s(t), 3) for t in range(11)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 0.933, 0.75, 0.5, 0.25, 0.067, 0.0]
        >>> s
        warmup(4) >> cosine(6)
        >>> s == gs.parse("warmup(4) >> cosine(6)")
        True
    """

    notation: ClassVar[str] = ""
    """The name in text and JSON; for a transformation, also the name of its method."""
    registry: ClassVar[dict[str, type[Schedule]]] = {}
    __array_ufunc__: ClassVar[None] = None  # an array times a schedule is not an array of schedules
    _rank: ClassVar[int] = ATOM
    _is_monotone: ClassVar[bool] = False
    _has_name: ClassVar[bool] = True
    """False if a text cannot call the kind by its name."""
    _keeps_clock: ClassVar[bool] = True
    """False if the inner schedules are evaluated at other steps than t."""

    def __init_subclass__(cls) -> None:
        if cls.notation:
            Schedule.registry[cls.notation] = cls

    # -- methods that a kind of schedule defines -------------------------------------------------

    @abstractmethod
    def _at(self, t: Any, xp: Any) -> Any:
        """The value at ``t``, a float or a floating array, by the operations of ``xp``."""

    def _over(self, steps: Any, t: Any, xp: Any) -> Any:
        """The value at ``t`` when the whole is stretched over ``steps`` and ``t`` lies inside."""
        return self._at(xp.scaled(t, self.steps, steps), xp)

    @property
    def _length(self) -> float | Length:
        """The number of steps, infinity, or a length inside that is not bound yet."""
        return self.steps

    def _phases(self) -> Iterator[Phase]:
        yield Phase(0, self.steps, self)

    def _total(self, grid: Grid) -> Total:
        """The sum over the points of a grid: by a closed form where there is one."""
        return sampled(self, grid)

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        """Times from ``start`` to ``stop`` between which the curve is monotone, where known.

        Unless ``every`` one is asked for, those with the highest value between them suffice.
        """
        return [] if self._is_monotone else None

    def _shape_steps(self) -> int:
        """The number of steps that show the shape of an endless schedule."""
        inner = [part.view_steps() for part in inner_schedules(self)]
        return max(inner) if inner else settling_steps(self)

    def _restarts(self) -> Iterator[Span]:
        """The spans of steps in which the schedule restarts on purpose."""
        inner = [span for part in inner_schedules(self) for span in part._restarts()]
        if inner and not self._keeps_clock:
            return iter([(0.0, self.steps)])
        return ((start, min(stop, self.steps)) for start, stop in inner)

    # -- evaluation ------------------------------------------------------------------------------

    @overload
    def __call__(self, t: float | np.number[Any]) -> float: ...
    @overload
    def __call__(self, t: NDArray[np.integer[Any]]) -> NDArray[np.float64]: ...
    @overload
    def __call__(self, t: Array) -> Array: ...
    def __call__(self, t: Any) -> Any:
        """The value at step ``t``.

        Args:
            t: a step (int or float), or an array of steps.

        Raises:
            InvalidType: ``t`` is neither.
            InvalidValue: ``t`` is NaN, or the value overflows.
            UnboundError: some length is still in epochs, tokens or percent.
        """
        if self._unbound is not None:
            self._check_bound()
        kind = type(t)
        if kind is int or kind is float:
            return self._scalar(t)
        if isinstance(t, Real) and kind is not bool:
            return self._scalar(real("t", t))
        library = array_namespace(t)
        floats = as_floats(t, library)
        return self._at(floats, Arrays(library, floats))

    def _scalar(self, t: float) -> float:
        if t != t:
            require(False, "t", "be a number", t)
        try:
            value = float(self._at(t, SCALARS))
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise InvalidValue(f"`{self}` is not finite at step {t}: {value}")
        return value

    def evaluator(self) -> Evaluator:
        """A compiled function of one step, int or float, with the values of ``schedule(t)``.

        It is several times faster, for a loop that evaluates every step. Each call of `evaluator`
        compiles, so keep the result. It does not pickle; the schedule does.

        Raises:
            UnboundError: some length is still in epochs, tokens or percent.

        >>> import glideslope as gs
        >>> value = (gs.warmup(4) >> gs.cosine(6)).evaluator()
        >>> [round(value(t), 3) for t in range(11)]
        [0.0, 0.25, 0.5, 0.75, 1.0, 0.933, 0.75, 0.5, 0.25, 0.067, 0.0]
        """
        self._check_bound()
        return evaluator(self)

    def _check_bound(self) -> None:
        if self._unbound is not None:
            call = bind_call(self._unbound)
            problem = f"has the unbound length {str(self._unbound)!r}: call {call} first"
            raise UnboundError(f"`{self}` {problem}")

    @cached_property
    def _unbound(self) -> Length | None:
        """The first length without a number of steps, in this schedule or inside it."""
        return next(unbound_lengths(self), None)

    @cached_property
    def steps(self) -> float:
        """The length in steps: an int (or a float), or ``math.inf``."""
        self._check_bound()
        return self._length  # type: ignore[return-value]

    @property
    def end(self) -> float:
        """The value at ``t = steps``, which is held afterwards.

        Raises:
            InvalidValue: the schedule is endless.
        """
        if math.isinf(self.steps):
            raise InvalidValue(f"`{self}` is endless: it has no end value")
        return float(self(self.steps))

    @property
    def _endless(self) -> bool:
        return self._length == math.inf

    @cached_property
    def _depth(self) -> int:
        """The depth of nested schedules."""
        return 1 + max((part._depth for part in inner_schedules(self)), default=0)

    # -- the algebra -----------------------------------------------------------------------------

    def __rshift__(self, other: Schedule) -> Schedule:
        is_number = isinstance(other, Real) and not isinstance(other, bool)
        require_type(not is_number, ">>", JOIN, other)
        combined: Schedule = self._combine("sequence", self, other)
        return combined

    def __mul__(self, other: Schedule | float) -> Schedule:
        combined: Schedule = self._combine("product", self, other)
        return combined

    def __rmul__(self, other: Schedule | float) -> Schedule:
        combined: Schedule = self._combine("product", self, other)
        return combined

    def __add__(self, other: Schedule | float) -> Schedule:
        combined: Schedule = self._combine("sum", self, other)
        return combined

    def __radd__(self, other: Schedule | float) -> Schedule:
        combined: Schedule = self._combine("sum", self, other)
        return combined

    def __truediv__(self, other: float) -> Schedule:
        require_type(not isinstance(other, Schedule), "/", "divide by a number", other)
        if not isinstance(other, Real) or isinstance(other, bool):
            return NotImplemented
        divisor = real("/", other)
        require(divisor != 0, "/", "divide by a number other than 0", other)
        return self * (1 / divisor)

    def __rtruediv__(self, other: float) -> Schedule:
        raise InvalidType(f"`/` must divide by a number, got {self!r}")

    def __pos__(self) -> Schedule:
        return self

    def __neg__(self) -> Schedule:
        return self * -1.0

    def __sub__(self, other: Schedule | float) -> Schedule:
        return self + -other

    def __rsub__(self, other: Schedule | float) -> Schedule:
        return -self + other

    def _combine(self, operation: str, *parts: object) -> Any:
        if not all(isinstance(p, Schedule | Real) and not isinstance(p, bool) for p in parts):
            return NotImplemented
        if operation == "sequence" and not all(isinstance(p, Schedule) for p in parts):
            return NotImplemented
        return combine(operation, parts)

    def clip(self, lo: float | None = None, hi: float | None = None) -> Schedule:
        """The same curve held between ``lo`` and ``hi``: ``min(max(s(t), lo), hi)``.

        >>> import glideslope as gs
        >>> gs.linear(10).clip(0.25)(9)
        0.25
        """
        return _make("clip", self, lo, hi)

    def repeat(self, n: float = math.inf, *, decay: float = 1.0, stretch: float = 1.0) -> Schedule:
        r"""The curve ``n`` times: cycle k is ``decay**k`` as high and ``stretch**k`` as long.

        ``s(t) = decay^k · inner((t - B_k) / stretch^k)`` where ``B_k`` is the sum of the first k
        lengths, kept in exact integers when the length and ``stretch`` are integers.

        Args:
            n: number of cycles; endless unless given.
            decay: factor on the height from one cycle to the next.
            stretch: factor on the length from one cycle to the next; at least 1 when endless.

        >>> import glideslope as gs
        >>> sgdr = gs.cosine(10).repeat(stretch=3)
        >>> [sgdr(t) for t in (0, 10, 40, 1210)]
        [1.0, 1.0, 1.0, 1.0]
        """
        return _make("repeat", self, n, decay=decay, growth=stretch)

    def stretch(self, steps: Steps) -> Schedule:
        """The same curve over ``steps`` steps: ``inner(t · inner.steps / steps)``.

        >>> import glideslope as gs
        >>> (gs.warmup(5) >> gs.cosine(95)).stretch(1000)(50)
        1.0
        """
        return _make("stretch", self, steps)

    def reverse(self) -> Schedule:
        """The curve run backwards: ``inner(steps - t)``.

        >>> import glideslope as gs
        >>> gs.cosine(10).reverse()(0), gs.cosine(10).reverse()(10)
        (0.0, 1.0)
        """
        return _make("reverse", self)

    def shift(self, k: Steps) -> Schedule:
        """The curve ``k`` steps later (earlier when negative): ``inner(t - k)``.

        >>> import glideslope as gs
        >>> gs.warmup(10).shift(-1)(0)      # never zero: (t + 1) / 10
        0.1
        """
        return _make("shift", self, k)

    def take(self, steps: Steps) -> Schedule:
        """The first ``steps`` steps; afterwards the value reached there is held.

        >>> import glideslope as gs
        >>> gs.exponential(0.5).take(2)(100)
        0.25
        """
        return _make("take", self, steps)

    def staircase(self, every: Steps) -> Schedule:
        """The curve in stairs of ``every`` steps: ``inner(every · floor(t / every))``.

        >>> import glideslope as gs
        >>> [gs.linear(4).staircase(2)(t) for t in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.0]
        """
        return _make("staircase", self, every)

    def branch(self, at: Steps, decay: Schedule) -> Schedule:
        """Leave the curve at step ``at`` and continue with ``decay`` from the value it had.

        ``s(t) = inner(t)`` before ``at``, then ``inner(at) · decay(t - at)``.

        >>> import glideslope as gs
        >>> cooled = gs.constant(0.5).branch(100, gs.linear(10))
        >>> cooled(99), cooled(105), cooled(110)
        (0.5, 0.25, 0.0)
        """
        return _make("branch", self, at, decay)

    # -- units -----------------------------------------------------------------------------------

    def bind(
        self,
        *,
        steps_per_epoch: float | None = None,
        tokens_per_step: float | None = None,
        total_steps: float | None = None,
    ) -> Schedule:
        """The same schedule with every length in whole steps.

        In a sequence the boundaries are rounded, not the parts, so ``"33%"`` three times and
        ``"1%"`` come to the whole; a part that comes to no steps is dropped. ``"rest"`` is the
        run less the other parts.

        Raises:
            UnboundError: a unit is used whose number is not given.
            InvalidValue: a number not above 0, or nothing is left for the rest.

        >>> import glideslope as gs
        >>> (gs.warmup("5%") >> gs.cosine("95%")).bind(total_steps=1000)
        warmup(50) >> cosine(950)
        >>> (gs.warmup(2000) >> gs.cosine("rest")).bind(total_steps=10_000)
        warmup(2000) >> cosine(8000)
        """
        run = RunNumbers.of(
            steps_per_epoch=steps_per_epoch,
            tokens_per_step=tokens_per_step,
            total_steps=total_steps,
        )
        return self._bind(Binder(run))

    def _bind(self, binder: Binder) -> Schedule:
        bound = {f.name: _bound(f.name, getattr(self, f.name), binder) for f in fields(self)}
        return replace(self, **bound)

    # -- analysis --------------------------------------------------------------------------------

    def values(self, steps: int | None = None) -> NDArray[np.float64]:
        """The values of steps ``0 .. steps - 1`` (the whole schedule unless given), as an array.

        >>> import glideslope as gs
        >>> gs.linear(4).values()
        array([1.  , 0.75, 0.5 , 0.25])
        """
        import numpy as np

        values = np.empty(self._horizon(steps))
        for start, chunk in self._chunks(0, len(values)):
            values[start : start + len(chunk)] = chunk
        return values

    def area(self, a: int = 0, b: int | None = None) -> Area:
        """The sum of the curve, ``Σ s(t)`` over ``a <= t < b`` (to the end unless given).

        Of more than 1,048,576 steps by a closed form, or of samples where there is none; see
        `Area`.

        >>> import glideslope as gs
        >>> gs.linear(100).area()
        50.5
        """
        a, stop = whole("a", a, 0), self._horizon(b, "b", 0)
        if stop - a > ADDED:
            return far_area(self, a, stop)
        return Area(math.fsum(float(chunk.sum()) for _, chunk in self._chunks(a, stop)))

    def peak(self, steps: int | None = None) -> Peak:
        """The highest value among the whole steps, and the first step that has it.

        Of more than 1,048,576 steps by where the curve can turn, or of samples where that is not
        known: see `Peak`.

        >>> import glideslope as gs
        >>> (gs.warmup(10) >> gs.cosine(90)).peak()
        Peak(step=10, value=1.0)
        """
        stop = self._horizon(steps) or 1
        if stop > ADDED:
            return far_peak(self, stop)
        tops = (
            (float(chunk.max()), -(start + int(chunk.argmax())))
            for start, chunk in self._chunks(0, stop)
        )
        value, step = max(tops)
        return Peak(-step, value)

    def first(self, value: float, steps: int | None = None) -> int | None:
        """The first step at which the curve reaches or has crossed ``value``; None if never.

        After 1,048,576 steps, a curve that may turn anywhere is sampled evenly.

        >>> import glideslope as gs
        >>> (gs.warmup(10) >> gs.cosine(90)).first(0.5)
        5
        """
        value, stop = float(real("value", value)), self._horizon(steps)
        side = 1.0 if self(0) >= value else -1.0
        knots = self._knots(0, stop, every=True) if stop > ADDED else None
        if knots is not None:
            return far_first(self, value, side, runs(knots, stop))
        for start, chunk in self._chunks(0, min(stop, ADDED)):
            reached = (chunk - value) * side <= 0
            if reached.any():
                return start + int(reached.argmax())
        return far_first(self, value, side, looks(self, stop)) if stop > ADDED else None

    def phases(self) -> tuple[Phase, ...]:
        """The spans of steps of the curves that the schedule consists of.

        >>> import glideslope as gs
        >>> for phase in (gs.warmup(10) >> gs.cosine(90)).phases():
        ...     print(phase.start, phase.stop, phase.curve)
        0 10 warmup(10)
        10 100 cosine(90)
        """
        self._check_bound()
        return tuple(self._phases())

    def lint(self, steps: int | None = None) -> list[Finding]:
        """Likely mistakes in the schedule for a run of ``steps`` steps.

        `Finding` lists the checks.

        >>> import glideslope as gs
        >>> for finding in (gs.warmup(500) >> gs.cosine(9500)).lint(steps=300):
        ...     print(finding)
        short-run: the run ends at step 300 of 10000: the schedule's end is never reached
        endless-warmup: still warming up at step 300, the end of the run
        zero-start: the value at step 0 is 0: the first update changes nothing
        """
        return lint(self, steps)

    def merge_weights(self, steps: Sequence[int]) -> list[float]:
        r"""The weights with which checkpoints of a run merge into the result of this decay.

        The decay ends at the last checkpoint. With ``w_j``, its mean factor over the updates from
        checkpoint j - 1 to checkpoint j, 1 before it begins::

            c_0 = 1 - w_1,    c_j = w_j - w_{j+1},    c_n = w_n

        Then ``Σ c_j θ_j = θ_0 + Σ w_j (θ_j - θ_{j-1})``: the recorded updates, each as small as it
        would have been. The weights add up to 1. `glideslope.training.merge` applies them.

        Args:
            steps: the steps of the checkpoints, each the number of updates made before it. The
                first may be any at which the factor is still 1. Percent in a schedule are of
                the last one.

        Raises:
            InvalidValue: ``steps`` do not increase, or begin after the decay does; the decay is
                longer than the run, endless, rises, or is negative.
            UnboundError: a length is in epochs or tokens.

        Source: Tian et al., *WSM: Decay-Free Learning Rate Schedule via Checkpoint Merging* (2025),
        https://arxiv.org/abs/2507.17634.

        >>> import glideslope as gs
        >>> gs.linear(4).merge_weights([96, 97, 98, 99, 100])
        [0.0, 0.25, 0.25, 0.25, 0.25]
        >>> gs.polynomial("50%", power=2).merge_weights([0, 4, 6, 8])
        [0.0, 0.21875, 0.625, 0.15625]
        """
        return merge_weights(self, steps)

    def _horizon(self, steps: int | None, name: str = "steps", least: int = 1) -> int:
        """The number of steps to evaluate: those given, or all."""
        self._check_bound()
        if steps is not None:
            return whole(name, steps, least)
        if math.isinf(self.steps):
            raise InvalidValue(f"`{self}` is endless: say how many steps")
        return math.ceil(self.steps)

    def _chunks(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The first step of each chunk and its values."""
        import numpy as np

        for a in range(start, stop, CHUNK):
            yield a, self(np.arange(a, min(a + CHUNK, stop), dtype=np.float64))

    # -- text, JSON, pictures --------------------------------------------------------------------

    def __repr__(self) -> str:
        return call_text(self)

    def to_dict(self) -> dict[str, Any]:
        """The schedule as plain data, with the version of the format.

        Raises:
            InvalidType: a user's function is inside.

        >>> import glideslope as gs
        >>> gs.cosine(100, end=0.1).to_dict()
        {'glideslope': 1, 'schedule': {'kind': 'cosine', 'steps': 100, 'end': 0.1}}
        """
        return {"glideslope": VERSION, "schedule": encode(self)}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Schedule:
        """The schedule that `to_dict` wrote.

        Raises:
            InvalidValue: ``data`` is something else, or of another version.

        >>> import glideslope as gs
        >>> gs.Schedule.from_dict({"glideslope": 1, "schedule": {"kind": "cosine", "steps": 9}})
        cosine(9)
        """
        try:
            schedule = decode(unwrap(data), Schedule.registry)
        except RecursionError:
            raise InvalidValue("a saved schedule nested too deeply to be one") from None
        require(isinstance(schedule, Schedule), "schedule", "be a saved schedule", data)
        return schedule  # type: ignore[no-any-return]

    def to_json(self) -> str:
        """The schedule as JSON.

        >>> import glideslope as gs
        >>> (gs.warmup("5%") >> gs.cosine("95%")).to_json()[:60]
        '{"glideslope": 1, "schedule": {"kind": "sequence", "parts": '
        """
        return json.dumps(self.to_dict())

    @staticmethod
    def from_json(text: str) -> Schedule:
        """The schedule that `to_json` wrote.

        Raises:
            InvalidType: ``text`` is no string.
            InvalidValue: ``text`` is not such JSON.

        >>> import glideslope as gs
        >>> gs.Schedule.from_json(gs.cosine(9).to_json())
        cosine(9)
        """
        try:
            data = json.loads(text)
        except TypeError:
            raise InvalidType(f"`text` must be a string, got {text!r:.80}") from None
        except (ValueError, RecursionError) as error:
            raise InvalidValue(f"not JSON: {error}") from None
        return Schedule.from_dict(data)

    def _repr_svg_(self) -> str | None:
        return None if self._unbound else svg(self)

    def table(self, *others: Schedule, steps: int | None = None, rows: int = 11) -> str:
        """The values of this schedule, and of ``others`` beside it, as text.

        Args:
            others: schedules to compare with.
            steps: the last step; as far as `plot` draws unless given.
            rows: number of even steps; the first step of each phase is added.

        >>> import glideslope as gs
        >>> print((gs.warmup(10) >> gs.cosine(90)).table(gs.linear(100), rows=3))
        step  warmup(10) >> cosine(90)  linear(100)
           0                         0            1
          10                         1          0.9
          50                    0.5868          0.5
         100                         0            0
        """
        self._check_bound()
        return comparison((self, *others), steps, rows)

    def view_steps(self) -> int:
        """The number of steps to draw: all, or of an endless schedule enough to show its shape.

        That is four cycles of a repetition; of a decay, the steps until it is nearly constant.

        >>> import glideslope as gs
        >>> gs.cosine(100).view_steps(), gs.cosine(100).repeat().view_steps()
        (100, 400)
        """
        self._check_bound()
        return self._shape_steps() if self._endless else max(math.ceil(float(self.steps)), 1)

    def outline(self, stop: float | None = None, columns: int = 1000) -> Outline:
        """Points that draw ``0 <= t <= stop`` in a picture that is ``columns`` wide.

        Each column keeps its lowest and its highest point, so a spike of one step, a jump and
        the teeth of a thousand cycles are all drawn. Values that are not finite are left out.

        Args:
            stop: the last step drawn; `view_steps` unless given.
            columns: width of the picture in pixels or characters.

        >>> import glideslope as gs
        >>> steps, values = gs.linear(10).outline(columns=2)
        >>> float(steps[-1]), float(values[-1])
        (10.0, 0.0)
        """
        self._check_bound()
        return outline(self, self.view_steps() if stop is None else stop, columns)

    def plot(
        self,
        *others: Schedule,
        steps: int | None = None,
        labels: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw this schedule, and ``others`` beside it; the arguments are `glideslope.plot.plot`'s.

        Returns:
            The Matplotlib axes drawn on.
        """
        from glideslope.plot import plot  # loads NumPy

        return plot(self, *others, steps=steps, labels=labels, ax=ax)


def combine(operation: str, parts: Iterable[Any]) -> Schedule:
    """Schedules and numbers joined by ``"sequence"``, ``"product"`` or ``"sum"``."""
    curves = tuple(p if isinstance(p, Schedule) else _make("constant", p) for p in parts)
    joined: Schedule = Schedule.registry[operation].join(curves)  # type: ignore[attr-defined]
    return joined


def _make(notation: str, *args: Any, **options: Any) -> Schedule:
    """A schedule of a registered kind; the modules of the kinds import this one."""
    return Schedule.registry[notation](*args, **options)


def _bound(name: str, value: Any, binder: Binder) -> Any:
    """A field with its lengths in steps; only the length of a part carries rounding to the next."""
    if isinstance(value, Schedule):
        return value._bind(binder)
    if isinstance(value, Length):
        return binder.resolve(value) if name == "steps" else binder.position(value)
    return value


def has_rest(schedule: Schedule) -> bool:
    """True if a phase inside ``schedule`` takes the rest of the run."""
    unbound = schedule._unbound is not None
    return unbound and any(length == REST for length in unbound_lengths(schedule))


def unbound_lengths(value: Any) -> Iterator[Length]:
    """Every length inside ``value`` that is not in steps yet."""
    if isinstance(value, Length):
        yield value
    elif isinstance(value, Schedule):
        for f in fields(value):
            yield from unbound_lengths(getattr(value, f.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from unbound_lengths(item)
