"""Steps of search parameters: about a half more each time, so that the chosen one costs little more than the best."""

from __future__ import annotations

__all__ = ["count_ladder"]

_MANTISSAS = (4, 5, 6, 7)


def count_ladder(low: int, high: int) -> tuple[int, ...]:
    """Whole numbers from low to high, four to a doubling, without repeats.

    >>> count_ladder(1, 32)
    (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32)
    """
    steps = {1, 2, 3}
    unit = 1
    while unit * _MANTISSAS[0] <= high:
        steps |= {mantissa * unit for mantissa in _MANTISSAS}
        unit *= 2
    return tuple(sorted(step for step in steps if low <= step <= high))
