"""Runs and comparisons as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from milvuslab.cli.output import table

if TYPE_CHECKING:
    from milvuslab.bench.compare import Comparison
    from milvuslab.bench.run_folder import RunFolder

__all__ = ["comparison_lines", "run_lines"]

_NAMES = ("recall", "qps", "latency_ms_p50", "latency_ms_p99", "lateness_ms_p99", "error_ratio")


def run_lines(run: RunFolder, summary: Mapping[str, Any], *, page: str) -> Iterator[str]:
    """The verdict, the conditions, one row a setting, and where everything lies."""
    from milvuslab.bench.report import COLUMNS, find_gaps, format_metric

    manifest = run.read_json("manifest")
    if manifest:
        index = manifest["index"]
        yield f"{run.case.name}: {index['type']} on Milvus {manifest['server']['version']}, {manifest['dataset']['name']}"
        yield f"{manifest['cpu_model']}, {manifest['cpu_count']} cores, load {manifest['load_1min']}"
    yield ""
    rows = [
        [one["label"], *(format_metric(name, one["median"][name]) for name in _NAMES), *_server_cells(one["server"])]
        for one in summary["settings"]
    ]
    heads = ["setting", *(COLUMNS[name] for name in _NAMES), "server CPU us", "server memory"]
    yield from table(heads, rows, empty="nothing was measured")
    yield ""
    yield from _write_lines(summary["settings"])
    for one in summary["findings"]:
        about = f" ({one['setting']})" if one["setting"] else ""
        yield f"{one['level']}: {one['cause']}: {one['text']}{about}"
    ratio = summary["times"]["measured_ratio"]
    if ratio is not None:
        yield f"{summary['times']['wall_s']:.1f} s in all, {ratio:.0%} of it measurement"
    yield from (f"not measured: {gap}" for gap in find_gaps(run)[:-1] if manifest)
    yield f"verdict: {summary['verdict']}"
    yield f"records: {run.path}"
    yield f"page: {page}"


def _write_lines(settings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    from milvuslab.bench.report import format_metric
    from milvuslab.bench.writes import WRITE_METRICS

    rows = [
        [one["label"], kind, f"{values['request_count']:,}", f"{values['failed_count']:,}"]
        + [format_metric(name, values[name]) for name in WRITE_METRICS]
        for one in settings
        for kind, values in one.get("writes", {}).items()
    ]
    if rows:
        yield from table(["setting", "write", "calls", "failed", *WRITE_METRICS], rows)
        yield ""


def comparison_lines(found: Comparison) -> Iterator[str]:
    """What differs besides, then one row a metric."""
    yield from (f"differs: {note}" for note in found.notes)
    yield from (f"only in A: {label}" for label in found.only_a)
    yield from (f"only in B: {label}" for label in found.only_b)
    rows = [
        [
            one.setting,
            one.name,
            f"{one.a:.4g}",
            f"{one.b:.4g}",
            f"{one.ratio - 1:+.1%}",
            f"{one.low - 1:+.1%} to {one.high - 1:+.1%}",
            one.judgement,
        ]
        for one in found.changes
    ]
    yield from table(["setting", "metric", "A", "B", "change", "95 % interval", "judgement"], rows)


def _server_cells(server: Mapping[str, Any]) -> list[str]:
    from milvuslab.bench.report import format_metric

    return [
        format_metric("cpu_us", server.get("cpu_us_per_query")),
        format_metric("rss_bytes_max", server.get("rss_bytes_max")),
    ]
