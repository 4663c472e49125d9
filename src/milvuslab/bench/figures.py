"""The figures of a report, with plotly's script inlined once, so that the page needs no network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from milvuslab.bench.run_folder import RunFolder
from milvuslab.model.errors import missing_extra

__all__ = ["make_figures"]

_POINTS_MAX = 2_000
_QUANTILES = np.concatenate([np.linspace(0, 0.9, 91), 1 - np.logspace(-1, -4, 60)])


def make_figures(run: RunFolder, summary: Mapping[str, Any]) -> Iterator[str]:
    """The script, then a `<div>` for each figure.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as plots
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise missing_extra("plotly", "bench") from None

    yield f"<script>{get_plotlyjs()}</script>"
    settings = summary["settings"]
    makers = (
        _front(plots, settings, "qps", "Recall and throughput", "queries a second"),
        _front(plots, settings, "latency_ms_p99", "Recall and P99", "P99, ms"),
        _percentiles(plots, run),
        _over_time(plots, run),
        _server_over_time(plots, run),
    )
    for figure in makers:
        if figure is not None:
            yield figure.to_html(full_html=False, include_plotlyjs=False)


def _front(plots: Any, settings: Sequence[Mapping[str, Any]], name: str, title: str, axis: str) -> Any:
    known = [one for one in settings if one["median"]["recall"] is not None and one["median"][name] is not None]
    if not known:
        return None
    figure = plots.Figure(
        plots.Scatter(
            x=[one["median"]["recall"] for one in known],
            y=[one["median"][name] for one in known],
            text=[one["label"] for one in known],
            error_y={
                "array": [one["high"][name] - one["median"][name] for one in known],
                "arrayminus": [one["median"][name] - one["low"][name] for one in known],
            },
            mode="markers+text",
            textposition="top center",
        )
    )
    return figure.update_layout(title=title, xaxis_title="recall", yaxis_title=axis, template="plotly_white")


def _percentiles(plots: Any, run: RunFolder) -> Any:
    """Latency over how rare it is: where the tail begins, and how steep it is."""
    figure = plots.Figure()
    for phase in run.search_phases():
        record = run.read_record(phase.name)
        latency_ms = np.sort((record.done_ns - record.intended_ns)[record.is_answered] / 1e6)
        if len(latency_ms) < 2:
            continue
        shares = _QUANTILES[_QUANTILES * len(latency_ms) <= len(latency_ms) - 1]
        values = latency_ms[np.minimum((shares * len(latency_ms)).astype(int), len(latency_ms) - 1)]
        figure.add_scatter(
            x=1 / (1 - shares), y=values, mode="lines", name=f"{phase.setting.label} ({phase.repeat + 1})"
        )
    figure.update_xaxes(type="log", title="one request in so many takes longer")
    figure.update_yaxes(type="log", title="latency, ms")
    return figure.update_layout(title="Latency by how rare it is", template="plotly_white")


def _over_time(plots: Any, run: RunFolder) -> Any:
    """Latency of single requests over the run: stalls stand out as towers."""
    figure = plots.Figure()
    for phase in run.search_phases():
        if phase.repeat:
            continue
        record = run.read_record(phase.name)
        rows = _worth_showing(record)
        figure.add_scattergl(
            x=record.intended_ns[rows] / 1e9,
            y=(record.done_ns[rows] - record.intended_ns[rows]) / 1e6,
            mode="markers",
            marker={"size": 3},
            name=phase.setting.label,
        )
    figure.update_xaxes(title="seconds since the setting began")
    figure.update_yaxes(type="log", title="latency, ms")
    return figure.update_layout(title="Latency over time, first repeat", template="plotly_white")


def _worth_showing(record: Any) -> Any:
    """Rows to draw: the slowest ones, and every so many of the others."""
    rows = np.flatnonzero(record.is_answered)
    if len(rows) <= _POINTS_MAX:
        return rows
    latency = (record.done_ns - record.intended_ns)[rows]
    slowest = rows[np.argsort(latency)[-_POINTS_MAX // 4 :]]
    return np.unique(np.concatenate([slowest, rows[:: len(rows) // _POINTS_MAX + 1]]))


def _server_over_time(plots: Any, run: RunFolder) -> Any:
    samples = run.read_json("server").get("samples", [])
    if len(samples) < 2:
        return None
    begun_ns = samples[0]["at_ns"]
    seconds = [(one["at_ns"] - begun_ns) / 1e9 for one in samples]
    cores = [
        (after["cpu_s"] - before["cpu_s"]) / max(1e-9, (after["at_ns"] - before["at_ns"]) / 1e9)
        for before, after in itertools.pairwise(samples)
    ]
    figure = plots.Figure()
    figure.add_scatter(x=seconds, y=[one["rss_bytes"] / 1e6 for one in samples], name="resident, MB")
    figure.add_scatter(x=seconds[1:], y=cores, name="cores in use", yaxis="y2")
    return figure.update_layout(
        title="The server over the run",
        xaxis_title="seconds",
        yaxis_title="MB",
        yaxis2={"title": "cores", "overlaying": "y", "side": "right"},
        template="plotly_white",
    )
