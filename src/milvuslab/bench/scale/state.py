"""Where a scale run stands, as its job keeps it: what is done, what it took, what it used at most.

Times are of steps that ran from begin to end in one process. A step that was cut short is done again or waited for,
and has no time: absent, never a part of one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.bench.scale.prediction import Prediction

__all__ = ["STEPS", "PartTimes", "ScaleState", "estimate_left_s"]

STEPS = ("rows", "index", "load", "measure")
"""What is done one after another; `rows` is all parts generated and loaded."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartTimes:
    """One part that the server has.

    Attributes:
        row_count: its rows.
        generate_s: making and comparing them; None when it was cut short.
        bulk_load_s: until the server had stored them; None likewise.
    """

    row_count: int
    generate_s: float | None
    bulk_load_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScaleState:
    """Everything that a run which was killed needs to go on, and what its report is made of.

    Attributes:
        parts: those that are on the server, in order.
        done: names of `STEPS` that are finished.
        index_s: until every row was indexed; None before, and when it was cut short.
        load_s: until searches were answered; likewise.
        measure_s: all searches; likewise.
        started_s: until the server answered, added up over the runs.
        elapsed_s: of all runs of this job up to their last checkpoint.
        run_count: how often the job was begun or gone on with.
        indexes_before: index builds that were on the server's disk before ours.
        server_memory_bytes: highest resident memory of the server by step.
        server_cpu_s: its processor time by step.
        client_memory_bytes: highest resident memory of this process over all runs.
        disk_peak_bytes: highest use of the server's folder with what was staged.
    """

    parts: tuple[PartTimes, ...] = ()
    done: tuple[str, ...] = ()
    index_s: float | None = None
    load_s: float | None = None
    measure_s: float | None = None
    started_s: float = 0.0
    elapsed_s: float = 0.0
    run_count: int = 0
    indexes_before: int | None = None
    server_memory_bytes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    server_cpu_s: Mapping[str, float] = dataclasses.field(default_factory=dict)
    client_memory_bytes: int = 0
    disk_peak_bytes: int = 0

    @property
    def bulk_load_rows_per_s(self) -> float | None:
        """Over the parts that were timed."""
        timed = [part for part in self.parts if part.bulk_load_s is not None]
        seconds = sum(part.bulk_load_s or 0.0 for part in timed)
        return sum(part.row_count for part in timed) / seconds if seconds else None

    @property
    def generate_s(self) -> float | None:
        """All parts; None while one has no time."""
        return _sum([part.generate_s for part in self.parts])

    @property
    def bulk_load_s(self) -> float | None:
        """All parts; None while one has no time."""
        return _sum([part.bulk_load_s for part in self.parts])

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScaleState:
        """The state that `as_dict` wrote; an empty mapping is the beginning."""
        known = {field.name for field in dataclasses.fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        kept["parts"] = tuple(PartTimes(**part) for part in kept.get("parts", ()))
        kept["done"] = tuple(kept.get("done", ()))
        return cls(**kept)


def estimate_left_s(state: ScaleState, case: ScaleCase, prediction: Prediction, *, doing: str, spent_s: float) -> float:
    """Seconds that remain: what was predicted for them, times what the finished steps took beside their prediction.

    Args:
        state: what is finished.
        case: gives the number of parts.
        prediction: of a quiet machine.
        doing: `generate`, `bulk_load`, or a name of `STEPS` after `rows`.
        spent_s: time spent on that already.
    """
    ahead = _predicted_ahead(state, case, prediction)
    now_s = min(spent_s, 0.95 * ahead[doing] / (case.part_count - len(state.parts) if doing in _OF_PARTS else 1))
    return max(0.0, sum(seconds * _pace(name, state, case, prediction) for name, seconds in ahead.items()) - now_s)


_OF_PARTS = ("generate", "bulk_load")
_PACE_FROM_S = 5.0
"""Work predicted to be shorter says nothing about the pace: its time is that of looking whether it is done."""


def _predicted_ahead(state: ScaleState, case: ScaleCase, prediction: Prediction) -> dict[str, float]:
    parts_ratio = (case.part_count - len(state.parts)) / case.part_count
    ahead = {"generate": prediction.generate_s * parts_ratio, "bulk_load": prediction.bulk_load_s * parts_ratio}
    for name in STEPS[1:]:
        ahead[name] = 0.0 if name in state.done else float(getattr(prediction, f"{name}_s"))
    return ahead


def _pace(name: str, state: ScaleState, case: ScaleCase, prediction: Prediction) -> float:
    """How many times its prediction a kind of work took so far; of what was not done yet, what all the rest took."""
    parts_ratio = len(state.parts) / case.part_count
    taken = {
        "generate": (state.generate_s, prediction.generate_s * parts_ratio),
        "bulk_load": (state.bulk_load_s, prediction.bulk_load_s * parts_ratio),
        "index": (state.index_s, prediction.index_s),
    }
    known = {key: pair for key, pair in taken.items() if pair[0] and pair[1]}
    chosen = [known[name]] if name in known else list(known.values())
    predicted_s = sum(pair[1] for pair in chosen)
    if predicted_s < _PACE_FROM_S:
        return 1.0
    return sum(pair[0] or 0.0 for pair in chosen) / predicted_s


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
