"""Whether a run proves anything: what is refused, what is only marked, and the cause of either in one sentence.

Each check looks for one way in which known benchmark tools reported a number that meant nothing (failed queries left
out, truth of other data, parameters that never reached the server, a client that was the limit). A refused run keeps
its records, has a report that opens with the cause, and ends with exit code 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from milvuslab.bench.case import Case, Setting
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.record import Record
from milvuslab.model.errors import CheckFailedError

if TYPE_CHECKING:
    from milvuslab.data.truth import Truth

__all__ = ["Finding", "Measured", "check_phase", "find_idle_parameters", "judge_record"]

_LATENESS_MS_P99_GOOD = 5.0
_LATENESS_HINT = "the machine is busy, or the rate too high for one client"
_SAMPLE_ROWS = 512
_EXACT_TOLERANCE = 0.02
_LOSSY_TOLERANCE = 0.6
"""Types that store rows in fewer bits report distances to those bits; another metric is off by far more."""
_LOSSY_WORDS = ("PQ", "SQ", "SCANN", "DISKANN", "RABITQ", "PRQ")
_SATURATED = 0.9995


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a reader of the numbers must know.

    Attributes:
        level: `refused` when the numbers mean nothing, `marked` when they mean less.
        cause: two or three words, the same for the same cause: `errors`, `stale truth`.
        text: one sentence with the values.
        setting: label of what was measured; empty for the whole run.
        hint: what to do about it.
    """

    level: Literal["refused", "marked"]
    cause: str
    text: str
    setting: str = ""
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """A form for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """One setting with all its repeats, as the checks across settings need it.

    Attributes:
        setting: what was measured.
        recall: mean over repeats; None without truth.
        latency_ms_p50: of each repeat that has one.
        answers: (nq, k) ids by query, of the first repeat; -1 where a query was not asked.
    """

    setting: Setting
    recall: float | None
    latency_ms_p50: tuple[float, ...]
    answers: Any


def check_phase(case: Case, setting: Setting, record: Record, *, truth: Truth | None) -> None:
    """Returns when the record of a phase may count.

    Raises:
        CheckFailedError: it proves nothing; the message begins with the cause.
    """
    refused = [one for one in judge_record(case, setting, record, truth=truth) if one.level == "refused"]
    if refused:
        raise CheckFailedError(
            f"{refused[0].cause}: {refused[0].text}",
            findings=[f"{one.cause}: {one.text}" for one in refused],
            hint=refused[0].hint,
        )


def judge_record(case: Case, setting: Setting, record: Record, *, truth: Truth | None) -> list[Finding]:
    """What is wrong with one record, worst first; empty when nothing is."""
    found = [*_judge(case, record, truth)]
    found.sort(key=lambda one: one.level == "marked")
    return [dataclasses.replace(one, setting=setting.label) for one in found]


def find_idle_parameters(measured: Sequence[Measured]) -> list[Finding]:
    """Search parameters that changed nothing: a ladder whose every step gives the very same answers.

    Answers of an approximate index below full recall differ somewhere between the steps of a ladder; where not one of
    all ids differs, and latency stays too, the parameter did not arrive. At full recall all answers are right and
    nothing can be told by them: then only a marked finding says so, unless latency moved.
    """
    return [finding for group in _ladders(measured) for finding in _judge_ladder(group)]


def _judge(case: Case, record: Record, truth: Truth | None) -> Iterator[Finding]:
    yield from _judge_errors(case, record)
    if not record.is_answered.any():
        return
    yield from _judge_answers(record)
    if truth is not None:
        yield from _judge_distances(case, record, truth)
        try:
            values = compute_metrics(record, truth=truth, k=case.search.k)
        except CheckFailedError:
            return  # `_judge_answers` said so
        yield from _judge_recall(case, values)
    else:
        yield Finding(level="refused", cause="empty truth", text="there are no true neighbours to count recall against")
        values = compute_metrics(record, k=case.search.k)
    yield from _judge_client(case, record, values)


def _judge_errors(case: Case, record: Record) -> Iterator[Finding]:
    failed_count = int((~record.is_answered).sum())
    ratio = failed_count / max(1, record.request_count)
    if record.request_count == 0:
        yield Finding(level="refused", cause="no requests", text="not one request was sent", hint="measure longer")
    elif ratio > case.limits.error_ratio_max:
        counts = record.error_counts
        worst = max(counts, key=lambda code: counts[code])
        cause = "timeout" if worst == "timed_out" else "errors"
        yield Finding(
            level="refused", cause=cause,
            text=f"{ratio:.1%} of {record.request_count:,} requests failed, most often {worst}: {record.errors[worst]}",
            hint="see how the server stands: milvuslab server status, milvuslab server logs",
        )  # fmt: skip
    elif failed_count:
        yield Finding(level="marked", cause="errors", text=f"{failed_count:,} of {record.request_count:,} failed")


def _judge_answers(record: Record) -> Iterator[Finding]:
    ids = np.sort(record.ids, axis=1)
    repeats = ((ids[:, 1:] == ids[:, :-1]) & (ids[:, 1:] >= 0)).any(axis=1)
    if repeats.any():
        yield Finding(
            level="refused", cause="duplicate keys",
            text=f"{int(repeats.sum()):,} of {len(ids):,} answers name a row twice",
            hint="rows were inserted twice, or a client merged answers wrongly: upload the collection again",
        )  # fmt: skip


def _judge_distances(case: Case, record: Record, truth: Truth) -> Iterator[Finding]:
    """Rows that both sides found must be as far away for both; else the server measures something else."""
    error = _distance_error(record, truth)
    is_lossy = any(word in case.index.type for word in _LOSSY_WORDS)
    if error is not None and error > (_LOSSY_TOLERANCE if is_lossy else _EXACT_TOLERANCE):
        yield Finding(
            level="refused", cause="wrong metric",
            text=f"the server's distances to the same rows differ from {case.metric} by {error:.0%}",
            hint="the index measures by another metric, or the collection holds other vectors",
        )  # fmt: skip


def _distance_error(record: Record, truth: Truth) -> float | None:
    """Median difference of distances to rows that both found, beside the median distance; None when there are none."""
    rows = np.flatnonzero(np.repeat(record.is_answered, record.batch_rows))[:_SAMPLE_ROWS]
    queries = record.query_of_row[rows]
    found, true = record.ids[rows], truth.ids[queries]
    is_same = (found[:, :, None] == true[:, None, :]) & (found[:, :, None] >= 0)
    row, left, right = np.nonzero(is_same)
    if not len(row):
        return None
    true_distances = truth.distances[queries][row, right].astype(np.float64)
    differences = np.abs(record.distances[rows][row, left] - true_distances)
    scale = max(float(np.median(np.abs(true_distances))), 1e-6)
    return float(np.median(differences)) / scale


def _judge_recall(case: Case, values: dict[str, float | None]) -> Iterator[Finding]:
    recall = values["recall_by_distance"]
    if recall is None or recall == 0:
        yield Finding(
            level="refused", cause="zero recall", text="not one of the true neighbours was found",
            hint="the truth is of other data, the metric is wrong, or the collection holds other rows",
        )  # fmt: skip
    elif recall < case.limits.recall_min:
        yield Finding(
            level="refused", cause="low recall",
            text=f"recall is {recall:.4f}, the case asks for {case.limits.recall_min:g}",
            hint="raise the search parameter, or lower limits.recall_min",
        )  # fmt: skip


def _judge_client(case: Case, record: Record, values: dict[str, float | None]) -> Iterator[Finding]:
    bound = values["client_bound_ratio"]
    if bound is not None and bound > case.limits.client_bound_ratio_max:
        yield Finding(
            level="refused", cause="client-bound",
            text=f"the client used {bound:.0%} of a core: its own speed was measured, not the server's",
            hint="lower the rate or the requests in flight, or send more queries in a request",
        )  # fmt: skip
    late_ms = values["lateness_ms_p99"]
    if late_ms is not None and late_ms > case.limits.lateness_ms_p99_max:
        yield Finding(
            level="refused", cause="lateness", hint=_LATENESS_HINT,
            text=f"1 % of the requests were sent {late_ms:.1f} ms late or more, "
            f"the limit is {case.limits.lateness_ms_p99_max:g} ms",
        )  # fmt: skip
    elif late_ms is not None and late_ms > _LATENESS_MS_P99_GOOD:
        yield Finding(
            level="marked", cause="lateness", hint=_LATENESS_HINT,
            text=f"1 % of the requests were sent {late_ms:.1f} ms late or more",
        )  # fmt: skip
    if values["latency_ms_p99"] is None and record.is_answered.all():
        yield Finding(
            level="marked", cause="few requests", hint="measure longer",
            text=f"{record.request_count:,} requests are too few for a P99",
        )  # fmt: skip


def _ladders(measured: Sequence[Measured]) -> Iterator[list[Measured]]:
    """Groups that differ in search parameters only."""
    groups: dict[Any, list[Measured]] = {}
    for one in measured:
        key = (one.setting.selectivity, one.setting.batch_rows, one.setting.rate_per_s, one.setting.in_flight)
        groups.setdefault(key, []).append(one)
    yield from (group for group in groups.values() if len(group) > 1)


def _judge_ladder(group: Sequence[Measured]) -> Iterator[Finding]:
    first = group[0]
    if not all(_same_answers(first.answers, one.answers) for one in group[1:]) or _latency_moved(group):
        return
    steps = "; ".join(one.setting.label for one in group)
    recalls = [one.recall for one in group if one.recall is not None]
    if recalls and max(recalls) >= _SATURATED:
        yield Finding(
            level="marked", cause="idle parameters",
            text=f"every step has full recall and the same latency, so nothing shows that they arrive: {steps}",
            hint="measure more rows, or smaller values",
        )  # fmt: skip
    else:
        yield Finding(
            level="refused", cause="parameters never reach the server",
            text=f"not one answer and no latency differs between {steps}",
            hint="check the names of the search parameters, and what lies between client and server",
        )  # fmt: skip


def _same_answers(left: Any, right: Any) -> bool:
    """Whether all queries that both sides answered got the same ids, in any order: ties may swap places."""
    count = min(len(left), len(right))  # a slow setting may not have come to every query
    left, right = left[:count], right[:count]
    both = (left[:, 0] >= 0) & (right[:, 0] >= 0)
    return bool((np.sort(left[both], axis=1) == np.sort(right[both], axis=1)).all())


def _latency_moved(group: Sequence[Measured]) -> bool:
    """Whether some step is slower than another in each of its repeats, by a tenth and more.

    One repeat tells nothing: a busy machine alone moves latency as far.
    """
    known = [one.latency_ms_p50 for one in group if len(one.latency_ms_p50) > 1]
    if len(known) < 2:
        return False
    slowest, fastest = max(known, key=min), min(known, key=max)
    return min(slowest) > 1.1 * max(fastest)
