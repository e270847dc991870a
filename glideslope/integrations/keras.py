"""A schedule as a learning rate of Keras 3, on JAX, TensorFlow or torch."""

from __future__ import annotations

from typing import Any, Self

import keras

from glideslope.schedules import Schedule

from ._given import as_rates

__all__ = ["LearningRateSchedule"]


@keras.saving.register_keras_serializable("glideslope")
class LearningRateSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A schedule for ``learning_rate=`` of any optimizer of Keras: update t runs at ``s(t)``.

    It is saved with a model, in a ``.keras`` file too. Import this module before such a file is
    loaded: it registers the class.

    Args:
        schedule: the rates, as a schedule or the text of one.

    Raises:
        InvalidType: ``schedule`` is neither.
        UnboundError: some length is still in epochs, tokens or percent.

    Example:
        >>> rate = LearningRateSchedule("0.1 * (warmup(5) >> cosine(20))")
        >>> LearningRateSchedule.from_config(rate.get_config()).schedule
        (warmup(5) >> cosine(20)) * 0.1

    Source: ``keras.optimizers.schedules.LearningRateSchedule``.
    """

    def __init__(self, schedule: Schedule | str) -> None:
        self.schedule = as_rates(schedule)

    def __call__(self, step: Any) -> Any:
        """The rate of an update."""
        return self.schedule(keras.ops.cast(step, "float32"))

    def get_config(self) -> dict[str, Any]:
        """The schedule as plain data."""
        return {"schedule": self.schedule.to_json()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The learning rate that `get_config` wrote."""
        return cls(Schedule.from_json(config["schedule"]))

    def __repr__(self) -> str:
        return f"LearningRateSchedule({self.schedule})"


def __dir__() -> list[str]:
    return __all__
