"""A run as a page: one self-contained HTML file that opens without a network, made from the run folder alone.

It opens with the verdict, the machine, the versions and what was not measured; numbers come after that.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from milvuslab.bench.figures import make_figures
from milvuslab.bench.metrics import METRICS
from milvuslab.bench.run_folder import RunFolder
from milvuslab.bench.summary import summarise
from milvuslab.bench.writes import WRITE_METRICS
from milvuslab.machine import write_text

__all__ = ["COLUMNS", "find_gaps", "format_metric", "render_page", "write_report"]

COLUMNS: Mapping[str, str] = {
    "recall": "recall",
    "recall_by_distance": "by distance",
    "recall_worst_decile": "worst tenth",
    "qps": "QPS",
    "latency_ms_p50": "P50 ms",
    "latency_ms_p95": "P95 ms",
    "latency_ms_p99": "P99 ms",
    "latency_ms_p999": "P99.9 ms",
    "error_ratio": "errors",
    "lateness_ms_p99": "late P99 ms",
    "client_cpu_us_per_query": "client us",
}
"""Metrics of the table, with their headings."""

_SERVER_COLUMNS: Mapping[str, str] = {
    "cpu_us_per_query": "CPU us a query",
    "rss_bytes_max": "resident",
    "pss_anon_bytes": "own memory",
    "pss_file_bytes": "mapped files",
    "read_bytes_per_query": "disk read a query",
    "write_bytes_per_query": "disk written a query",
    "major_faults_per_query": "major faults a query",
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;margin:.6rem 0;display:block;overflow-x:auto}
td,th{padding:.25rem .7rem;border-bottom:1px solid #d8dee4;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}caption{text-align:left;font-weight:600}
.verdict{padding:.8rem 1rem;border-left:6px solid}.valid{border-color:#1a7f37;background:#eef9f0}
.marked{border-color:#9a6700;background:#fff8e5}.refused{border-color:#cf222e;background:#ffebe9}
.spread{color:#656d76;font-size:85%}code{background:#f3f4f6;padding:.1rem .3rem}
"""


def write_report(run: RunFolder, path: Path | None = None) -> Path:
    """Writes the page and returns its path; metrics are worked out anew from the raw records.

    Args:
        run: a run with at least one measured setting.
        path: where; None is `report.html` in the run folder.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    target = path or run.path / "report.html"
    page = render_page(run, summarise(run))
    with run.guard_disk():
        write_text(target, page, mode=0o644)
    return target


def render_page(run: RunFolder, summary: Mapping[str, Any]) -> str:
    """The whole page; every script and style stands in it."""
    title = html.escape(run.case.title or run.case.name)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<meta name='viewport' content='width=device-width'><title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        *_verdict(summary),
        *_conditions(run, summary),
        *_settings_table(summary["settings"]),
        *_writes_table(summary["settings"]),
        *make_figures(run, summary),
        *_server_table(summary["settings"], run),
        *_phases_table(summary),
        *_meanings(),
        "</body></html>",
    ]
    return "\n".join(parts)


def find_gaps(run: RunFolder) -> list[str]:
    """What this run did not measure, in sentences."""
    manifest, case = run.read_json("manifest"), run.case
    gaps = []
    absence = run.read_json("server").get("absence", "")
    if absence:
        gaps.append(f"memory, processor and disk of the server: {absence}")
    if case.load.mode == "closed":
        gaps.append("latency under load: a closed loop waits for the server, which hides its stalls")
    if case.load.mode == "open":
        gaps.append("the highest throughput: an open loop sends at a given rate")
    if case.run.repeats < 3:
        gaps.append(f"the spread between runs: {case.run.repeats} repeats are too few")
    if all(setting.selectivity == 1 for setting in case.settings()):
        gaps.append("searches with a filter")
    if (manifest.get("load_1min") or 0) > 0.5 * (manifest.get("cpu_count") or 1):
        gaps.append(f"a quiet machine: its load was {manifest['load_1min']} when the run began")
    gaps += [] if case.has_writes else ["writes during the searches"]
    return [*gaps, "other clients, a network between client and server"]


def format_metric(name: str, value: float | None) -> str:
    """A value as the table shows it; absent is a dash.

    >>> format_metric("recall", 0.98765), format_metric("latency_ms_p99", 4.0), format_metric("qps", None)
    ('0.988', '4.00', '-')
    """
    if value is None:
        return "-"
    if name.startswith("recall"):
        return f"{value:.3f}"
    if name.endswith("_ratio"):
        return f"{value:.2%}"
    if "bytes" in name:
        return _bytes(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def _verdict(summary: Mapping[str, Any]) -> Iterator[str]:
    words = {
        "valid": "These numbers may be used.",
        "marked": "These numbers may be used with the remarks below.",
        "refused": "These numbers prove nothing.",
    }
    verdict = summary["verdict"]
    yield f"<div class='verdict {verdict}'><strong>{verdict}</strong>: {words[verdict]}<ul>"
    for one in summary["findings"]:
        about = f" ({one['setting']})" if one["setting"] else ""
        hint = f" <em>{html.escape(one['hint'])}</em>" if one["hint"] else ""
        yield f"<li><strong>{html.escape(one['cause'])}</strong>: {html.escape(one['text'] + about)}{hint}</li>"
    yield "</ul></div>"


def _conditions(run: RunFolder, summary: Mapping[str, Any]) -> Iterator[str]:
    manifest = run.read_json("manifest")
    index, data, times = manifest["index"], manifest["dataset"], summary["times"]
    params = ", ".join(f"{name}={value}" for name, value in sorted(index["params"].items()))
    share = "" if times["measured_ratio"] is None else f", {times['measured_ratio']:.0%} of it measured"
    rows = [
        ("Machine", f"{manifest['cpu_model']}, {manifest['cpu_count']} cores, {_bytes(manifest['memory_bytes'])}"),
        ("System", f"{manifest['system']}, Python {manifest['python_version']}, load {manifest['load_1min']}"),
        ("Server", f"Milvus {manifest['server']['version']} at {manifest['server']['uri']}"),
        ("Client", f"milvuslab {manifest['milvuslab_version']} ({(manifest['commit'] or 'a wheel')[:12]})"),
        ("Data", f"{data['name']}: {data['row_count']:,} x {data['dim']}, {data['checksum'][:16]}"),
        ("Index, as the server reports it", f"{index['type']} {params}, {index['metric']}"),
        ("Search", f"k = {run.case.search.k}, consistency {run.case.collection.consistency}, {_load(run)}"),
        ("Measured", f"{manifest['measured_at']}, {run.case.run.repeats} repeats{share}"),
    ]
    yield "<h2>Under which conditions</h2><table>"
    for name, value in rows:
        yield f"<tr><td>{name}</td><td style='text-align:left'>{html.escape(value)}</td></tr>"
    yield "</table><h2>Not measured</h2><ul>"
    yield from (f"<li>{html.escape(gap)}</li>" for gap in find_gaps(run))
    yield "</ul>"


def _load(run: RunFolder) -> str:
    load = run.case.load
    kind = {
        "open": f"open loop, {load.schedule} schedule",
        "closed": "closed loop",
        "slo": "highest rate under a limit",
    }
    return f"{kind[load.mode]}, {load.duration_s:g} s a setting after {load.warm_up_count:,} requests of warm-up"


def _settings_table(settings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Results</h2><p>Medians over the repeats; below them the lowest and the highest.</p>"
    yield "<table><tr><th>setting</th>" + "".join(f"<th>{word}</th>" for word in COLUMNS.values()) + "</tr>"
    for one in settings:
        cells = "".join(f"<td>{_cell(one, name)}</td>" for name in COLUMNS)
        yield f"<tr><td>{html.escape(one['label'])}</td>{cells}</tr>"
    yield "</table>"


def _writes_table(settings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [(one["label"], kind, values) for one in settings for kind, values in one.get("writes", {}).items()]
    if not rows:
        return
    yield "<h2>Writes beside the searches</h2><p>Calls; latency from the intended time. Medians over the repeats.</p>"
    yield "<table><tr><th>setting</th><th>write</th><th>calls</th><th>failed</th>"
    yield "".join(f"<th>{name}</th>" for name in WRITE_METRICS[:-1]) + "</tr>"
    for label, kind, values in rows:
        cells = "".join(f"<td>{format_metric(name, values[name])}</td>" for name in WRITE_METRICS[:-1])
        counts = f"<td>{values['request_count']:,}</td><td>{values['failed_count']:,}</td>"
        yield f"<tr><td>{html.escape(label)}</td><td>{kind}</td>{counts}{cells}</tr>"
    yield "</table>"


def _cell(one: Mapping[str, Any], name: str) -> str:
    middle, low, high = (one[which][name] for which in ("median", "low", "high"))
    if middle is None or low == high:
        return format_metric(name, middle)
    spread = f"{format_metric(name, low)} to {format_metric(name, high)}"
    return f"{format_metric(name, middle)}<br><span class='spread'>{spread}</span>"


def _server_table(settings: Sequence[Mapping[str, Any]], run: RunFolder) -> Iterator[str]:
    yield "<h2>What it cost the server</h2>"
    seen = [one for one in settings if one["server"]]
    if not seen:
        yield f"<p>Not measured: {html.escape(run.read_json('server').get('absence', ''))}.</p>"
        return
    own = sorted({name for one in seen for name in one["server"] if name.endswith("_ms_mean")})
    yield (
        "<table><tr><th>setting</th>"
        + "".join(
            f"<th>{html.escape(word)}</th>" for word in [*_SERVER_COLUMNS.values(), *(_short(name) for name in own)]
        )
        + "</tr>"
    )
    for one in seen:
        cells = "".join(f"<td>{format_metric(n, one['server'].get(n))}</td>" for n in [*_SERVER_COLUMNS, *own])
        yield f"<tr><td>{html.escape(one['label'])}</td>{cells}</tr>"
    yield "</table>"


def _short(name: str) -> str:
    return name.removeprefix("milvus_").removesuffix("_ms_mean").replace("_", " ") + " ms"


def _phases_table(summary: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Before the searches</h2><table><tr><th>phase</th><th>seconds</th><th>of it</th></tr>"
    for name, report in summary["phases"].items():
        parts = ", ".join(
            f"{key.removesuffix('_s')} {value:.2f} s"
            for key, value in report.items()
            if key.endswith("_s") and key != "wall_s" and value is not None
        )
        yield f"<tr><td>{html.escape(name)}</td><td>{report['wall_s']:.2f}</td><td>{parts or 'was there already'}</td></tr>"
    yield "</table>"


def _meanings() -> Iterator[str]:
    yield "<h2>What the words mean</h2><table>"
    for name, heading in COLUMNS.items():
        yield f"<tr><td>{html.escape(heading)}</td><td style='text-align:left'>{html.escape(METRICS[name])}</td></tr>"
    yield "</table>"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.2f} GB"
