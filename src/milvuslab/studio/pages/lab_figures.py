"""Charts of a comparison as plotly figures: plain dictionaries, drawn in the browser by the script that NiceGUI brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from milvuslab.studio.words.words import Words
from milvuslab.tune.comparison import CurvePoint, IndexResult, find_front

__all__ = ["curve_figure", "front_figure", "list_knobs", "params_text"]

_COLOURS = (
    "#0e7a86",
    "#d0803a",
    "#6a5fb0",
    "#2c8a57",
    "#b23a31",
    "#3f7fc8",
    "#a8558f",
    "#8a7a2b",
    "#5c626b",
    "#1fa0a0",
)
_DASHES = ("solid", "dot", "dash", "dashdot")
_INK = "#7d848d"
"""A grey that reads on the light and on the dark page; a chart cannot take the colours of the style sheet."""
_FONT = '-apple-system, "Segoe UI", "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR", "Noto Sans", sans-serif'
_GRID = "rgba(128,132,140,.22)"


def front_figure(
    words: Words, results: Sequence[IndexResult], *, by: Literal["qps", "latency_ms_p99"], recall: float
) -> dict[str, Any]:
    """Recall against answers a second, or against P99: what no other setting of the same type beats.

    Args:
        words: of the page's language.
        results: of the comparison.
        by: `qps` or `latency_ms_p99`.
        recall: where the line stands that the slider moves.
    """
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": result.label,
            "x": [point.recall for point in front],
            "y": [getattr(point, by) for point in front],
            "text": [params_text(result, point) for point in front],
            "hovertemplate": "%{text}<br>"
            + words("lab.recall")
            + " %{x:.4f}<br>%{y:,.3~f}<extra>%{fullData.name}</extra>",
            **_look(place),
        }
        for place, result in enumerate(results)
        if (front := find_front(result.curve, by=by))
    ]
    title = "ms" if by == "latency_ms_p99" else words("lab.answers")
    layout = _layout(x_title=words("lab.recall"), y_title=title, is_log=True)
    layout["shapes"] = [
        {"type": "line", "x0": recall, "x1": recall, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": _INK, "dash": "dot", "width": 1.5}}
    ]  # fmt: skip
    return {"data": traces, "layout": layout, "config": _config()}


def curve_figure(words: Words, results: Sequence[IndexResult], *, knob: str) -> dict[str, Any]:
    """Recall against one search parameter, for each type that has it."""
    traces: list[dict[str, Any]] = []
    for place, result in enumerate(results):
        points = sorted(
            (point for point in result.curve if knob in point.params), key=lambda point: float(point.params[knob])
        )
        if points:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": result.label,
                    "x": [float(point.params[knob]) for point in points],
                    "y": [point.recall for point in points],
                    **_look(place),
                }
            )
    layout = _layout(x_title=knob, y_title=words("lab.recall"), is_log=False, is_x_log=True)
    values = sorted({x for trace in traces for x in trace["x"]})
    layout["xaxis"] |= {"tickvals": values, "ticktext": [f"{x:g}" for x in values]}
    return {"data": traces, "layout": layout, "config": _config()}


def list_knobs(results: Sequence[IndexResult]) -> list[str]:
    """Search parameters that were moved, each once, in the order of the results."""
    found: list[str] = []
    for result in results:
        for name in dict.fromkeys(name for point in result.curve for name in point.params):
            if len({str(point.params.get(name)) for point in result.curve}) > 1 and name not in found:
                found.append(name)
    return found


def params_text(result: IndexResult, point: CurvePoint) -> str:
    """Build and search parameters of a setting: `M 16, efConstruction 200, ef 64`."""
    return ", ".join(f"{name} {value}" for name, value in {**result.build_params, **point.params}.items())


def _look(place: int) -> dict[str, Any]:
    colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place // len(_COLOURS) % len(_DASHES)]
    return {"line": {"color": colour, "width": 2, "dash": dash}, "marker": {"color": colour, "size": 7}}


def _layout(*, x_title: str, y_title: str, is_log: bool, is_x_log: bool = False) -> dict[str, Any]:
    axis = {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID, "automargin": False}
    return {
        "autosize": True,
        "height": 350,
        "margin": {"l": 62, "r": 12, "t": 8, "b": 96},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "size": 12, "family": _FONT},
        "hoverlabel": {"align": "left"},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        "xaxis": {**axis, "title": {"text": x_title, "standoff": 10}, "type": "log" if is_x_log else "linear"},
        "yaxis": {**axis, "title": {"text": y_title, "standoff": 4}, "type": "log" if is_log else "linear"},
        "showlegend": True,
    }


def _config() -> dict[str, Any]:
    return {"displayModeBar": False, "responsive": True}
