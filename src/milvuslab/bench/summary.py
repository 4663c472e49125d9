"""What a run says, worked out of its raw records: metrics by setting and repeat, medians, verdict.

`metrics.json` of a run folder is this and can be made again at any time.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milvuslab.bench.case import Case
from milvuslab.bench.metrics import METRICS, compute_metrics
from milvuslab.bench.record import Record
from milvuslab.bench.run_folder import RunFolder, SearchPhase
from milvuslab.bench.validity import Finding, Measured, find_idle_parameters, judge_record
from milvuslab.bench.writes import WRITE_METRICS
from milvuslab.model.errors import CheckFailedError

__all__ = ["check_verdict", "compute_summary", "summarise"]

_SHARE_GOOD = 0.85


def summarise(run: RunFolder) -> dict[str, Any]:
    """The summary of a run, worked out anew and kept in its folder."""
    summary = compute_summary(run)
    run.write_json("metrics", summary)
    return summary


def compute_summary(run: RunFolder) -> dict[str, Any]:
    """Metrics of each setting (`repeats`, `median`, `low`, `high`), findings, times, and the server's side.

    `verdict` is `valid`, `marked` or `refused`.
    """
    settings: list[dict[str, Any]] = []
    findings: list[Finding] = []
    measured: list[Measured] = []
    usage = {phase["phase"]: phase for phase in run.read_json("server").get("phases", [])}
    for phases in _by_setting(run):
        records = [run.read_record(phase.name) for phase in phases]
        truth = run.read_truth(phases[0].setting)
        repeats = [_metrics(record, truth, run.case) for record in records]
        for phase, record in zip(phases, records, strict=True):
            findings += judge_record(run.case, phase.setting, record, truth=truth)
        measured.append(_measured(phases[0], records, repeats))
        settings.append({**_setting_values(phases[0]), **_spread(repeats), "server": _server(phases, repeats, usage)})
        settings[-1]["writes"] = _writes(phases)
    findings += find_idle_parameters(measured)
    times = _times(run)
    findings += _judge_times(times)
    levels = {one.level for one in findings}
    return {
        "verdict": "refused" if "refused" in levels else "marked" if levels else "valid",
        "findings": [one.as_dict() for one in dict.fromkeys(findings)],
        "settings": settings,
        "phases": {name: report for name, report in run.phases.items() if "repeat" not in report},
        "times": times,
    }


def check_verdict(summary: Mapping[str, Any]) -> None:
    """Returns when the run may count.

    Raises:
        CheckFailedError: it is refused; the message begins with the cause.
    """
    refused = [one for one in summary["findings"] if one["level"] == "refused"]
    if refused:
        first = refused[0]
        raise CheckFailedError(
            f"{first['cause']}: {first['text']}",
            findings=[f"{one['cause']}: {one['text']}" for one in refused],
            hint=first["hint"],
        )


def _by_setting(run: RunFolder) -> list[list[SearchPhase]]:
    groups: dict[int, list[SearchPhase]] = {}
    for phase in run.search_phases():
        groups.setdefault(phase.number, []).append(phase)
    return list(groups.values())


def _metrics(record: Record, truth: Any, case: Case) -> dict[str, float | None]:
    try:
        values = compute_metrics(record, truth=truth, k=case.search.k)
    except CheckFailedError:  # a row named twice: `judge_record` says so
        return compute_metrics(record, k=case.search.k)
    if case.writes.insert_per_s:
        # An added row is as near as the one it repeats and has another key: only distances can be compared.
        values.update(recall=None, recall_worst_decile=None)
    return values


def _writes(phases: Sequence[SearchPhase]) -> dict[str, dict[str, float | None]]:
    """Of each kind of write the counts of all repeats, and the median of each metric; empty where none was written."""
    reports = [phase.report.get("writes", {}) for phase in phases]
    return {
        kind: {
            **{name: sum(one[kind][name] for one in reports) for name in ("request_count", "failed_count")},
            **{name: _median([one[kind][name] for one in reports]) for name in WRITE_METRICS},
        }
        for kind in reports[0]
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if len(known) == len(values) else None


def _measured(phase: SearchPhase, records: Sequence[Record], repeats: Sequence[Mapping[str, Any]]) -> Measured:
    recalls = _known(repeats, "recall")
    return Measured(
        setting=phase.setting,
        recall=statistics.mean(recalls) if recalls else None,
        latency_ms_p50=tuple(_known(repeats, "service_ms_p50")),
        answers=_answers(records[0]),
    )


def _answers(record: Record) -> Any:
    """(nq, k) ids of each query's first answer; -1 for queries that were not answered."""
    is_good = np.repeat(record.is_answered, record.batch_rows)
    queries = record.query_of_row
    table = np.full((int(queries.max()) + 1 if len(queries) else 0, record.ids.shape[1]), -1, dtype=np.int64)
    rows = np.flatnonzero(is_good)[::-1]
    table[queries[rows]] = record.ids[rows]
    return table


def _setting_values(phase: SearchPhase) -> dict[str, Any]:
    setting = phase.setting
    return {
        "label": setting.label,
        "params": dict(setting.params),
        "selectivity": setting.selectivity,
        "batch_rows": setting.batch_rows,
        "rate_per_s": setting.rate_per_s,
        "in_flight": setting.in_flight,
    }


def _spread(repeats: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """Every repeat, and of each metric the median, lowest and highest; None where a repeat has none."""
    values = {name: [one[name] for one in repeats] for name in METRICS}
    whole = {name: [one for one in row if one is not None] for name, row in values.items() if None not in row}
    return {
        "repeats": list(repeats),
        "median": {name: statistics.median(whole[name]) if name in whole else None for name in METRICS},
        "low": {name: min(whole[name]) if name in whole else None for name in METRICS},
        "high": {name: max(whole[name]) if name in whole else None for name in METRICS},
    }


def _server(
    phases: Sequence[SearchPhase], repeats: Sequence[Mapping[str, Any]], usage: Mapping[str, Mapping[str, Any]]
) -> dict[str, float | None]:
    """What a setting cost the server, over all repeats; empty where nobody could look."""
    seen = [(usage[phase.name], one) for phase, one in zip(phases, repeats, strict=True) if phase.name in usage]
    query_count = sum(one["query_count"] or 0 for _, one in seen)
    if not seen or not query_count:
        return {}
    memory = [phase["memory"] for phase, _ in seen if phase["memory"]]
    totals = {
        name: sum(phase[name] for phase, _ in seen) if all(phase[name] is not None for phase, _ in seen) else None
        for name in ("cpu_s", "read_bytes", "write_bytes", "major_faults")
    }
    return {
        "cpu_us_per_query": None if totals["cpu_s"] is None else totals["cpu_s"] * 1e6 / query_count,
        "read_bytes_per_query": _ratio(totals["read_bytes"], query_count),
        "write_bytes_per_query": _ratio(totals["write_bytes"], query_count),
        "major_faults_per_query": _ratio(totals["major_faults"], query_count),
        "rss_bytes_max": max(phase["rss_bytes_max"] for phase, _ in seen),
        "pss_anon_bytes": max((one["pss_anon_bytes"] for one in memory), default=None),
        "pss_file_bytes": max((one["pss_file_bytes"] for one in memory), default=None),
        **_mean_metrics([phase["metrics"] for phase, _ in seen]),
    }


def _mean_metrics(changes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean latencies that the server's own metrics tell, over the repeats."""
    names = {name for one in changes for name in one if name.endswith("_ms_mean")}
    return {name: statistics.mean(one[name] for one in changes if name in one) for name in sorted(names)}


def _times(run: RunFolder) -> dict[str, Any]:
    facts = run.facts
    wall_s, measured_s = facts.get("wall_s"), facts.get("measured_s")
    upload = run.phases.get("upload", {})
    built = run.phases.get("build and load", {})
    return {
        "wall_s": wall_s,
        "measured_s": measured_s,
        "measured_ratio": measured_s / wall_s if wall_s and measured_s is not None else None,
        "is_search_only": upload.get("insert_s") is None and built.get("build_s") is None,
    }


def _judge_times(times: Mapping[str, Any]) -> list[Finding]:
    ratio = times["measured_ratio"]
    if not times["is_search_only"] or ratio is None or ratio >= _SHARE_GOOD:
        return []
    text = f"{ratio:.0%} of the run's time was measurement, {_SHARE_GOOD:.0%} is usual for a run that only searches"
    return [Finding(level="marked", cause="short measurement", text=text, hint="measure longer: load.duration_s")]


def _ratio(total: float | None, count: float) -> float | None:
    return None if total is None else total / count


def _known(repeats: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [one[name] for one in repeats if one[name] is not None]
