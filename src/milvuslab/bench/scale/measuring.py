"""Searches on the loaded set: the parameter that reaches the recall, then latency alone and under load."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.bench.driver import run_closed_loop, run_open_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.record import Record, write_record
from milvuslab.bench.scale.case import ScaleCase
from milvuslab.bench.schedule import constant_schedule
from milvuslab.model.errors import CheckFailedError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.recall import recall_at_k

if TYPE_CHECKING:
    from milvuslab.data.nearest import Nearest
    from milvuslab.data.vectors.vector_set import FloatRows
    from milvuslab.gateway import Gateway

__all__ = ["Measured", "measure"]

_LADDER = (4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256)
_MARGIN = 0.002
"""Recall asked of the step that is chosen above the target: 1,000 queries tell it to about a thousandth."""
_BATCH_ROWS = 100
_TIMEOUT_S = 30.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the searches showed.

    Attributes:
        ladder: recall of each tried parameter, in order.
        params: those that were measured.
        one_at_a_time: metrics of the closed loop with one search under way.
        open_loop: metrics at the fixed rate.
    """

    ladder: tuple[dict[str, Any], ...]
    params: dict[str, Any]
    one_at_a_time: dict[str, float | None]
    open_loop: dict[str, float | None]


def measure(
    gateway: Gateway,
    case: ScaleCase,
    *,
    queries: FloatRows,
    truth: Nearest,
    folder: Path,
    observer: Observer = silent,
) -> Measured:
    """Chooses `nprobe`, measures, and keeps both raw records in the folder.

    Raises:
        CheckFailedError: a search failed, or no parameter reaches the recall that is asked for.
    """
    ladder = _climb(gateway, case, queries, truth, observer)
    params = {"nprobe": ladder[-1]["nprobe"]}
    prepared = gateway.prepare_searches(case.name, queries, limit=case.k, params=params, field="vector")
    single = run_closed_loop(
        prepared, in_flight=1, request_count=max(200, len(queries)), timeout_s=_TIMEOUT_S,
        observer=_named(observer, "search one at a time"),
    )  # fmt: skip
    schedule = constant_schedule(rate_per_s=case.rate_per_s, duration_s=case.duration_s)
    loaded = run_open_loop(
        prepared, schedule, timeout_s=_TIMEOUT_S, observer=_named(observer, f"search at {case.rate_per_s:g}/s")
    )
    for name, record in (("one-at-a-time", single), ("open-loop", loaded)):
        _check(record, name)
        write_record(record, folder / name)
    return Measured(
        ladder=tuple(ladder),
        params=params,
        one_at_a_time=compute_metrics(single, truth=truth, k=case.k),
        open_loop=compute_metrics(loaded, truth=truth, k=case.k),
    )


def _climb(
    gateway: Gateway, case: ScaleCase, queries: FloatRows, truth: Nearest, observer: Observer
) -> list[dict[str, Any]]:
    """Tries larger and larger parameters until one reaches the recall."""
    tried: list[dict[str, Any]] = []
    for nprobe in [step for step in _LADDER if step <= case.list_count]:
        observer(Progress(step="choose the search parameter", done_count=len(tried), message=f"nprobe {nprobe}"))
        recall = _recall(gateway, case, queries, truth, {"nprobe": nprobe})
        tried.append({"nprobe": nprobe, "recall": round(recall, 4)})
        if recall >= min(1.0, case.recall_target + _MARGIN):
            return tried
    raise CheckFailedError(
        f"no nprobe reaches recall {case.recall_target}: the best was {tried[-1]['recall']} with {tried[-1]['nprobe']}",
        findings=[f"nprobe {one['nprobe']}: recall {one['recall']}" for one in tried],
        hint="ask for less with --recall, or for --index IVF_FLAT: IVF_SQ8 itself costs two hundredths",
    )


def _recall(gateway: Gateway, case: ScaleCase, queries: FloatRows, truth: Nearest, params: dict[str, Any]) -> float:
    found = [
        gateway.search(
            case.name, queries[start : start + _BATCH_ROWS], limit=case.k, params=params, timeout_s=10 * _TIMEOUT_S
        ).id_table(k=case.k)
        for start in range(0, len(queries), _BATCH_ROWS)
    ]
    return float(recall_at_k(np.concatenate(found), truth.ids, k=case.k).mean())


def _check(record: Record, name: str) -> None:
    if record.errors:
        raise CheckFailedError(
            f"searches failed ({name}): {', '.join(record.errors)}", findings=list(record.errors.values()),
            hint="see the server's log: milvuslab server logs scale",
        )  # fmt: skip


def _named(observer: Observer, step: str) -> Observer:
    return lambda progress: observer(dataclasses.replace(progress, step=step))
