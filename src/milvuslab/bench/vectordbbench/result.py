"""What the tool wrote, as values of ours: units in the names, None where nothing was measured.

In the tool's file a number that was not measured is 0, times are seconds, and a case that failed is an entry like any
other with a label; the program's exit code is 0 either way.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milvuslab.model.errors import CheckFailedError, ConfigError, NotFoundError

__all__ = ["ToolResult", "read_result"]

_DONE_LABEL = ":)"
_RATE = re.compile(r"search \d+s: actual_dur=[\d.]+s, count=(\d+), qps in this process: ([\d.]+)")
_FAILED_SEARCH = "VectorDB search_embedding error"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """One run of VectorDBBench, one concurrency.

    Attributes:
        in_flight: processes that searched at a time.
        duration_s: of the timed loop, as asked for.
        qps: answers a second as the tool reports it.
        qps_inside: sum of the rates that its processes logged of themselves; None without the log.
        answer_count: answers in the timed loops; None without the log.
        failed_count: failed searches that it logged and left out; None without the log.
        latency_ms_p99: in the timed loop, closed, client time included.
        latency_ms_p95: likewise.
        latency_ms_mean: likewise.
        serial_latency_ms_p99: of the pass with one search at a time, rounded by the tool to 0.1 ms; None when left out.
        serial_latency_ms_p95: likewise.
        recall: by id, of that pass; None when left out.
        k: hits asked for.
        metric: as the tool was told.
        index_params: as the tool was told; `ef` is among them.
    """

    in_flight: int
    duration_s: int
    qps: float
    qps_inside: float | None
    answer_count: int | None
    failed_count: int | None
    latency_ms_p99: float
    latency_ms_p95: float
    latency_ms_mean: float
    serial_latency_ms_p99: float | None
    serial_latency_ms_p95: float | None
    recall: float | None
    k: int
    metric: str
    index_params: Mapping[str, Any]

    @property
    def best_qps(self) -> float:
        """The larger of the two rates: what we compare ourselves with."""
        return max(self.qps, self.qps_inside or 0.0)

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def read_result(path: Path, *, log_path: Path | None = None) -> ToolResult:
    """The one case of a result file, `result_DATE_LABEL_milvus.json`.

    Args:
        path: what the tool wrote.
        log_path: its log of the same run, for the rates of its processes and the searches that failed.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no result of VectorDBBench.
        CheckFailedError: the case failed, or not one search was answered.
    """
    try:
        (case,) = json.loads(path.read_text(encoding="utf-8"))["results"]
        log = log_path.read_text(encoding="utf-8", errors="replace") if log_path else None
        _check_done(case, path, log or "")
        return _make(case, log)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {error.filename}", hint="see the tool's log") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(
            f"{path} is no result of one VectorDBBench case: {type(error).__name__} {error}",
            hint="give the file that the run wrote",
        ) from None


def _check_done(case: Mapping[str, Any], path: Path, log: str) -> None:
    if case["label"] != _DONE_LABEL or not any(case["metrics"]["conc_qps_list"]):
        raise CheckFailedError(
            f"VectorDBBench says {case['label']!r}: its run gave no number",
            findings=_warnings(log) or [f"{path.name} holds no rate"],
            hint=f"see its log beside {path.parent.parent}",
        )


def _make(case: Mapping[str, Any], log: str | None) -> ToolResult:
    metrics, config = case["metrics"], case["task_config"]
    search = config["case_config"]["concurrency_search_config"]
    has_serial = "search_serial" in config["stages"]
    rates = _RATE.findall(log or "")
    index = dict(config["db_case_config"])
    (in_flight,), (qps,) = metrics["conc_num_list"], metrics["conc_qps_list"]
    return ToolResult(
        in_flight=in_flight,
        duration_s=search["concurrency_duration"],
        qps=qps,
        qps_inside=round(sum(float(rate) for _, rate in rates), 1) if rates else None,
        answer_count=sum(int(count) for count, _ in rates) if rates else None,
        failed_count=None if log is None else log.count(_FAILED_SEARCH),
        latency_ms_p99=_ms(metrics["conc_latency_p99_list"][0]),
        latency_ms_p95=_ms(metrics["conc_latency_p95_list"][0]),
        latency_ms_mean=_ms(metrics["conc_latency_avg_list"][0]),
        serial_latency_ms_p99=_ms(metrics["serial_latency_p99"]) if has_serial else None,
        serial_latency_ms_p95=_ms(metrics["serial_latency_p95"]) if has_serial else None,
        recall=metrics["recall"] if has_serial else None,
        k=config["case_config"]["k"],
        metric=str(index.pop("metric_type")),
        index_params=index,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def _warnings(log: str) -> Sequence[str]:
    return [line.split("|", 2)[-1].strip()[:500] for line in log.splitlines() if "WARNING" in line][:5]
