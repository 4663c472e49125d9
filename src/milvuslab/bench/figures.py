"""The figures of a report, with plotly's script inlined once, so that the page needs no network.

A figure is plain data that the script draws; plotly's Python side, which takes seconds to import, is not used.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milvuslab.bench.run_folder import RunFolder
from milvuslab.model.errors import missing_extra

__all__ = ["make_figures", "read_plotly_script", "render_figure"]

_POINTS_MAX = 2_000
_QUANTILES = np.concatenate([np.linspace(0, 0.9, 91), 1 - np.logspace(-1, -4, 60)])
_Figure = dict[str, Any]


def make_figures(run: RunFolder, summary: Mapping[str, Any]) -> Iterator[str]:
    """The script, then a `<div>` for each figure that the run has numbers for.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    yield f"<script>{read_plotly_script()}</script>"
    settings = summary["settings"]
    makers = (
        _front(settings, "qps", "Recall and throughput", "queries a second"),
        _front(settings, "latency_ms_p99", "Recall and P99", "P99, ms"),
        _percentiles(run),
        _over_time(run),
        _server_over_time(run),
    )
    for number, figure in enumerate(makers):
        if figure is not None and figure["data"]:
            yield render_figure(figure, name=f"figure-{number}")


def read_plotly_script() -> str:
    """Plotly's own JavaScript, which comes inside its wheel.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise missing_extra("plotly", "bench")
    return (Path(found.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def render_figure(figure: _Figure, *, name: str) -> str:
    """A `<div>` that the script fills; `name` is its id on the page."""
    # "</" would end the script element wherever it stands, in a label too.
    data, layout = (json.dumps(figure[part]).replace("</", "<\\/") for part in ("data", "layout"))
    return f"<div id='{name}' style='height:28rem'></div><script>Plotly.newPlot('{name}',{data},{layout})</script>"


def _layout(title: str, x: str, y: str, *, x_type: str = "linear", y_type: str = "linear") -> _Figure:
    return {
        "title": {"text": title},
        "xaxis": {"title": {"text": x}, "type": x_type},
        "yaxis": {"title": {"text": y}, "type": y_type},
    }


def _front(settings: Sequence[Mapping[str, Any]], name: str, title: str, axis: str) -> _Figure | None:
    known = [one for one in settings if one["median"]["recall"] is not None and one["median"][name] is not None]
    trace = {
        "x": [one["median"]["recall"] for one in known],
        "y": [one["median"][name] for one in known],
        "text": [one["label"] for one in known],
        "error_y": {
            "type": "data",
            "array": [one["high"][name] - one["median"][name] for one in known],
            "arrayminus": [one["median"][name] - one["low"][name] for one in known],
        },
        "mode": "markers+text",
        "textposition": "top center",
    }
    return {"data": [trace], "layout": _layout(title, "recall", axis)} if known else None


def _percentiles(run: RunFolder) -> _Figure:
    """Latency over how rare it is: where the tail begins, and how steep it is."""
    traces = []
    for phase in run.search_phases():
        record = run.read_record(phase.name)
        latency_ms = np.sort((record.done_ns - record.intended_ns)[record.is_answered] / 1e6)
        if len(latency_ms) < 2:
            continue
        shares = _QUANTILES[_QUANTILES * len(latency_ms) <= len(latency_ms) - 1]
        values = latency_ms[np.minimum((shares * len(latency_ms)).astype(int), len(latency_ms) - 1)]
        name = f"{phase.setting.label} ({phase.repeat + 1})"
        traces.append({"x": _short(1 / (1 - shares)), "y": _short(values), "mode": "lines", "name": name})
    layout = _layout(
        "Latency by how rare it is", "one request in so many takes longer", "latency, ms", x_type="log", y_type="log"
    )
    return {"data": traces, "layout": layout}


def _over_time(run: RunFolder) -> _Figure:
    """Latency of single requests over the run: stalls stand out as towers."""
    traces = []
    for phase in run.search_phases():
        if phase.repeat:
            continue
        record = run.read_record(phase.name)
        rows = _worth_showing(record)
        traces.append(
            {
                "type": "scattergl",
                "x": _short(record.intended_ns[rows] / 1e9),
                "y": _short((record.done_ns[rows] - record.intended_ns[rows]) / 1e6),
                "mode": "markers",
                "marker": {"size": 3},
                "name": phase.setting.label,
            }
        )
    layout = _layout("Latency over time, first repeat", "seconds since the setting began", "latency, ms", y_type="log")
    return {"data": traces, "layout": layout}


def _worth_showing(record: Any) -> Any:
    """Rows to draw: the slowest ones, and every so many of the others."""
    rows = np.flatnonzero(record.is_answered)
    if len(rows) <= _POINTS_MAX:
        return rows
    latency = (record.done_ns - record.intended_ns)[rows]
    slowest = rows[np.argsort(latency)[-_POINTS_MAX // 4 :]]
    return np.unique(np.concatenate([slowest, rows[:: len(rows) // _POINTS_MAX + 1]]))


def _server_over_time(run: RunFolder) -> _Figure | None:
    samples = run.read_json("server").get("samples", [])
    if len(samples) < 2:
        return None
    seconds = [(one["at_ns"] - samples[0]["at_ns"]) / 1e9 for one in samples]
    cores = [
        (after["cpu_s"] - before["cpu_s"]) / max(1e-9, (after["at_ns"] - before["at_ns"]) / 1e9)
        for before, after in itertools.pairwise(samples)
    ]
    memory = {"x": seconds, "y": [one["rss_bytes"] / 1e6 for one in samples], "name": "resident, MB"}
    usage = {"x": seconds[1:], "y": cores, "name": "cores in use", "yaxis": "y2"}
    layout = _layout("The server over the run", "seconds", "MB")
    layout["yaxis2"] = {"title": {"text": "cores"}, "overlaying": "y", "side": "right"}
    return {"data": [memory, usage], "layout": layout}


def _short(values: Any) -> list[float]:
    """Four digits are all that a screen shows."""
    return [float(f"{value:.4g}") for value in values]
