"""Progress of long work: one event, one observer, watched alike by bars, pages and logs.

Long work takes an `observer` and calls it with `Progress` values. An observer is a plain callable, must be
quick, and may raise `KeyboardInterrupt` to stop the work; the work leaves a state that can be resumed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

__all__ = ["Observer", "Progress", "silent"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a piece of long work stands.

    Attributes:
        step: what is being done now, a verb phrase in English: `download model`, `embed passages`.
        done_count: units finished in this step; never falls within a step.
        total_count: units of the step, None while unknown.
        unit: what is counted: `bytes`, `documents`, `passages`, `rows`.
        message: one short sentence for a person; may be empty.
    """

    step: str
    done_count: int = 0
    total_count: int | None = None
    unit: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        assert self.done_count >= 0, f"done_count is negative: {self.done_count}"

    @property
    def done_ratio(self) -> float | None:
        """Share done in [0, 1], or None while the total is unknown."""
        if not self.total_count:
            return None
        return min(1.0, self.done_count / self.total_count)


Observer = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """The observer that looks at nothing."""
    del progress
