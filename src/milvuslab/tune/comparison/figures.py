"""The figures of the page as plain plotly values: data and layout, drawn by the script in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milvuslab.model.index_catalog import get_index_type
from milvuslab.tune.comparison.values import Comparison, CurvePoint, IndexResult

__all__ = ["make_figures"]

_PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#003f5c", "#8c564b", "#5f6b6d",
)  # fmt: skip
"""Colours that stay apart for colour-blind readers (Okabe and Ito, and darker ones after them)."""
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
_FONT = {"family": "system-ui, sans-serif", "size": 13, "color": "#1f2937"}
_GRID = "#e5e7eb"


def make_figures(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Each figure by name. A title that is a key of `words` is translated in the page."""
    shown = [one for one in comparison.results if one.curve]
    looks = {one.label: _look(number) for number, one in enumerate(shown)}
    figures = {
        "front_qps": _front(shown, looks, "qps", "axis_qps", target=comparison.recall_target),
        "front_p99": _front(shown, looks, "latency_ms_p99", "axis_p99", target=comparison.recall_target),
        "bars_build": _bars(shown, {"trace_build": _seconds(shown, "build_s"), "trace_load": _seconds(shown, "load_s")},
                            "axis_seconds", is_stacked=True),
        "bars_memory": _bars(shown, {"trace_formula": _megabytes(shown, "memory_bytes_estimate"),
                                     "trace_grown": _megabytes(shown, "memory_bytes")}, "axis_mb"),
        "bars_disk": _bars(shown, {"trace_formula": _megabytes(shown, "disk_bytes_estimate"),
                                   "trace_disk": _megabytes(shown, "disk_bytes")}, "axis_mb"),
    }  # fmt: skip
    for knob in _knobs(shown):
        figures[f"curve_{knob}"] = _curve(shown, looks, knob, target=comparison.recall_target)
    return figures


def _look(number: int) -> dict[str, Any]:
    return {"color": _PALETTE[number % len(_PALETTE)], "symbol": _SYMBOLS[number % len(_SYMBOLS)]}


def _front(
    shown: Sequence[IndexResult], looks: Mapping[str, Any], name: str, axis: str, *, target: float
) -> dict[str, Any]:
    traces = []
    for one in shown:
        points = sorted((p for p in one.curve if getattr(p, name) is not None), key=lambda point: point.recall)
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": one.label,
                "x": [point.recall for point in points], "y": [getattr(point, name) for point in points],
                "text": [_label(one, point) for point in points],
                "hovertemplate": "%{text}<br>%{x:.4f}<br>%{y:,.2f}<extra></extra>",
                "line": {"color": looks[one.label]["color"], "width": 2},
                "marker": {**looks[one.label], "size": [15 if point.is_chosen else 7 for point in points],
                           "line": {"color": "#ffffff", "width": 1}},
            }
        )  # fmt: skip
    layout = _layout("axis_recall", axis, y_type="log")
    layout["shapes"] = [_target_line(target, is_vertical=True)]
    return {"data": traces, "layout": layout}


def _bars(
    shown: Sequence[IndexResult], traces: Mapping[str, Sequence[float | None]], axis: str, *, is_stacked: bool = False
) -> dict[str, Any]:
    labels = [one.index_type if _is_alone(one, shown) else one.label for one in shown]
    colors = ("#0072b2", "#b6c8d6")
    data = [
        {
            "type": "bar", "name": name, "x": labels, "y": list(values), "marker": {"color": color},
            "hovertemplate": "%{x}<br>%{y:,.2f}<extra></extra>",
        }
        for (name, values), color in zip(traces.items(), colors, strict=False)
    ]  # fmt: skip
    layout = _layout("", axis)
    layout["barmode"] = "stack" if is_stacked else "group"
    return {"data": data, "layout": layout}


def _curve(shown: Sequence[IndexResult], looks: Mapping[str, Any], knob: str, *, target: float) -> dict[str, Any]:
    """Recall on the left axis, throughput on the right one, over the parameter."""
    traces: list[dict[str, Any]] = []
    for one in shown:
        points = [point for point in one.curve if knob in point.params]
        if not points or _knob_of(one) != knob:
            continue
        x, color = [point.params[knob] for point in points], looks[one.label]["color"]
        common: dict[str, Any] = {
            "type": "scatter",
            "x": x,
            "legendgroup": one.label,
            "line": {"color": color, "width": 2},
        }
        traces.append(
            {**common, "mode": "lines+markers", "name": one.label, "y": [point.recall for point in points],
             "marker": {"color": color, "size": [12 if point.is_chosen else 6 for point in points]},
             "hovertemplate": f"{one.label}<br>{knob}=%{{x}}<br>%{{y:.4f}}<extra></extra>"}
        )  # fmt: skip
        traces.append(
            {**common, "mode": "lines", "name": one.label, "showlegend": False, "yaxis": "y2",
             "y": [point.qps for point in points], "line": {"color": color, "width": 2, "dash": "dot"},
             "hovertemplate": f"{one.label}<br>{knob}=%{{x}}<br>%{{y:,.0f}}<extra></extra>"}
        )  # fmt: skip
    layout = _layout(knob, "axis_recall", x_type="log")
    layout["margin"] = {**layout["margin"], "r": 76}
    layout["yaxis2"] = {
        "title": {"text": "axis_qps", "standoff": 12},
        "overlaying": "y",
        "side": "right",
        "showgrid": False,
        "automargin": True,
        "rangemode": "tozero",
        "nticks": 5,
    }
    layout["shapes"] = [_target_line(target, is_vertical=False)]
    return {"data": traces, "layout": layout}


def _layout(x_title: str, y_title: str, *, x_type: str = "-", y_type: str = "-") -> dict[str, Any]:
    axis = {"gridcolor": _GRID, "zeroline": False, "automargin": True}
    return {
        "font": _FONT,
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 60, "r": 30, "t": 16, "b": 48},
        "xaxis": {**axis, "title": {"text": x_title}, "type": x_type},
        "yaxis": {**axis, "title": {"text": y_title}, "type": y_type},
        "legend": {"orientation": "h", "y": -0.3, "yanchor": "top"},
        "hoverlabel": {"font": {"family": "system-ui, sans-serif"}},
    }


def _target_line(target: float, *, is_vertical: bool) -> dict[str, Any]:
    line = {"type": "line", "line": {"color": "#9ca3af", "width": 1, "dash": "dash"}}
    if is_vertical:
        return {**line, "x0": target, "x1": target, "y0": 0, "y1": 1, "yref": "paper"}
    return {**line, "x0": 0, "x1": 1, "xref": "paper", "y0": target, "y1": target}


def _knobs(shown: Sequence[IndexResult]) -> list[str]:
    return list(dict.fromkeys(knob for one in shown if (knob := _knob_of(one)) and len(one.curve) > 1))


def _knob_of(one: IndexResult) -> str:
    knob = get_index_type(one.index_type).recall_knob
    return knob.name if knob else ""


def _label(one: IndexResult, point: CurvePoint) -> str:
    return f"{one.label}: " + " ".join(f"{name}={value}" for name, value in point.params.items())


def _is_alone(one: IndexResult, shown: Sequence[IndexResult]) -> bool:
    return sum(other.index_type == one.index_type for other in shown) == 1


def _seconds(shown: Sequence[IndexResult], name: str) -> list[float | None]:
    return [getattr(one, name) for one in shown]


def _megabytes(shown: Sequence[IndexResult], name: str) -> list[float | None]:
    return [None if (size := getattr(one, name)) is None else size / 1e6 for one in shown]
