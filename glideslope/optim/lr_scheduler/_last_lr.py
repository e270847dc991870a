"""The learning rates last set, as a list that also reads as one number."""

from __future__ import annotations

from glideslope.errors import InvalidType


class LastLR(list[float]):
    """Learning rates, one per parameter group; with a single group it also formats as a number.

    Example:
        >>> rates = LastLR([0.05])
        >>> rates, rates[0], float(rates), f"{rates:.3f}", "%.1e" % rates
        ([0.05], 0.05, 0.05, '0.050', '5.0e-02')
        >>> f"{LastLR([0.1, 0.02]):.2f}"
        '[0.10, 0.02]'
    """

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        numbers = [format(rate, spec) for rate in self]
        return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"

    def __float__(self) -> float:
        if len(self) != 1:
            raise InvalidType(f"one learning rate makes a number, there are {len(self)}: index one")
        return self[0]
