"""The Pareto front: what cannot be beaten on one cost without paying more of another."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["pareto_front"]


def pareto_front(costs: Sequence[Sequence[float]]) -> list[int]:
    """Places of the points that no other point beats, in ascending order of the first cost.

    A point is beaten by one that is nowhere dearer and somewhere cheaper. Of equal points all stay.

    Args:
        costs: for each point its costs, smaller is better; all of one length.

    >>> pareto_front([(3.0, 1.0), (1.0, 5.0), (3.5, 4.0)])
    [1, 0]
    """
    kept = [
        place
        for place, own in enumerate(costs)
        if not any(_beats(other, own) for index, other in enumerate(costs) if index != place)
    ]
    return sorted(kept, key=lambda place: tuple(costs[place]))


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
