"""Figures of a collection of pictures, for pages and notebooks from the same values.

A chart is plain data that plotly's script draws (`{"data": [...], "layout": {...}}`); `as_plotly` and `draw_matplotlib` turn the
same value into what a notebook shows. Sheets are pictures: thumbnails in rows, as JPEG.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.model.errors import NotFoundError, UnsupportedError, UsageError, missing_extra

if TYPE_CHECKING:
    from milvuslab.apps.image.cluster import Clusters
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.duplicates import DuplicateReport
    from milvuslab.apps.image.projection import MapPoints

__all__ = [
    "Confusion",
    "Figure",
    "SheetRow",
    "as_plotly",
    "count_confusion",
    "draw_clusters",
    "draw_duplicates",
    "draw_grid",
    "draw_matplotlib",
    "draw_sheet",
    "make_bars",
    "make_confusion",
    "make_map",
]

Figure = dict[str, Any]
_LABELS_SHOWN = 20
_TILE_PX = 96
_GAP_PX = 6
_CAPTION_PX = 18
_ROWS_MAX = 60
_COLUMNS_MAX = 24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often a class was taken for another.

    Attributes:
        labels: classes, the most frequent first; those past the twentieth are one, `other`.
        counts: `counts[truth][answer]`; the last column is abstentions.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """A row of thumbnails with a line above it."""

    caption: str
    image_ids: tuple[str, ...]


def count_confusion(truths: Sequence[str], answers: Sequence[str]) -> Confusion:
    """The table of what was asked and what was said; an empty answer is an abstention.

    >>> count_confusion(["cat", "cat", "dog"], ["cat", "dog", ""]).counts
    ((1, 1, 0), (0, 0, 1))
    """
    if len(truths) != len(answers):
        raise UsageError(f"{len(truths)} classes beside {len(answers)} answers", hint="give one answer for each")
    ordered = sorted(Counter(truths).items(), key=lambda pair: (-pair[1], pair[0]))
    names = [name for name, _ in ordered[:_LABELS_SHOWN]]
    if len(ordered) > _LABELS_SHOWN or set(answers) - set(names) - {""}:
        names.append("other")
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names) + 1), dtype=int)
    for truth, answer in zip(truths, answers, strict=True):
        row = place.get(truth, len(names) - 1)
        column = len(names) if not answer else place.get(answer, len(names) - 1)
        counts[row, column] += 1
    return Confusion(labels=tuple(names), counts=tuple(tuple(row) for row in counts.tolist()))


def make_map(points: MapPoints, *, title: str = "") -> Figure:
    """Every picture as a point, one colour a class; drawn by WebGL, so that 50,000 points stay usable."""
    ordered = [name for name, _ in Counter(label for label in points.labels if label).most_common(_LABELS_SHOWN)]
    groups: dict[str, list[int]] = {name: [] for name in [*ordered, ""]}
    for row, label in enumerate(points.labels):
        groups[label if label in groups else ""].append(row)
    traces = [
        {
            "type": "scattergl",
            "mode": "markers",
            "name": name or "other",
            "x": points.xy[rows, 0].round(4).tolist(),
            "y": points.xy[rows, 1].round(4).tolist(),
            "text": [f"{points.names[row]} ({points.labels[row]})" for row in rows],
            "customdata": [points.ids[row] for row in rows],
            "marker": {"size": 4 if len(points.ids) > 5_000 else 6, "opacity": 0.75},
        }
        for name, rows in groups.items()
        if rows
    ]
    hidden = {"visible": False}
    layout = {
        "title": {"text": title},
        "xaxis": hidden,
        "yaxis": {**hidden, "scaleanchor": "x"},
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout}


def make_confusion(confusion: Confusion, *, title: str = "") -> Figure:
    """A heat map: rows are the true classes, columns the answers."""
    trace = {
        "type": "heatmap",
        "x": [*confusion.labels, "none"],
        "y": list(confusion.labels),
        "z": [list(row) for row in confusion.counts],
        "colorscale": "Blues",
    }
    layout = {
        "title": {"text": title},
        "xaxis": {"title": {"text": "answer"}},
        "yaxis": {"title": {"text": "class"}, "autorange": "reversed"},
    }
    return {"data": [trace], "layout": layout}


def make_bars(
    values: Mapping[str, tuple[float, float, float]], *, chance: Mapping[str, float] | None = None, title: str = ""
) -> Figure:
    """Bars with intervals: (mean, low, high) by name, and the chance level of each as a line mark."""
    names = list(values)
    bars = {
        "type": "bar",
        "x": names,
        "y": [round(values[name][0], 4) for name in names],
        "error_y": {
            "type": "data",
            "array": [round(values[name][2] - values[name][0], 4) for name in names],
            "arrayminus": [round(values[name][0] - values[name][1], 4) for name in names],
        },
        "name": title,
    }
    traces: list[Figure] = [bars]
    if chance:
        known = [name for name in names if name in chance]
        marks = {"symbol": "line-ew-open", "size": 30, "color": "#cf222e"}
        traces.append({
            "type": "scatter", "mode": "markers", "x": known, "y": [round(chance[name], 4) for name in known],
            "marker": marks, "name": "chance",
        })  # fmt: skip
    return {"data": traces, "layout": {"title": {"text": title}, "yaxis": {"range": [0, 1.02]}}}


def draw_grid(collection: ImageCollection, image_ids: Sequence[str], *, columns: int = 10) -> bytes:
    """A JPEG of thumbnails, row after row."""
    ids = tuple(image_ids[: _ROWS_MAX * columns])
    rows = [SheetRow(caption="", image_ids=ids[start : start + columns]) for start in range(0, len(ids), columns)]
    return draw_sheet(collection, rows)


def draw_clusters(collection: ImageCollection, clusters: Clusters, *, columns: int = 12) -> bytes:
    """A JPEG with one row a group: pictures near its middle, nearest first, and a row of outliers."""
    rows = [
        SheetRow(
            caption=f"{group.number + 1}: {group.image_count:,} pictures  "
            + ", ".join(f"{label} {count}" for label, count in group.labels[:3]),
            image_ids=group.example_ids[:columns],
        )
        for group in clusters.groups[: _ROWS_MAX - 1]
    ]
    if clusters.outliers:
        caption = f"outliers: {clusters.outlier_count:,}"
        rows.append(SheetRow(caption=caption, image_ids=clusters.outliers[:columns]))
    return draw_sheet(collection, rows)


def draw_duplicates(collection: ImageCollection, report: DuplicateReport, *, columns: int = 12) -> bytes:
    """A JPEG with one row for each set of pictures that are the same."""
    rows = [
        SheetRow(
            caption=f"{number}: {', '.join(sorted({pair.evidence for pair in group.pairs}))}",
            image_ids=tuple(image.image_id for image in group.images[:columns]),
        )
        for number, group in enumerate(report.groups[:_ROWS_MAX], start=1)
    ]
    return draw_sheet(collection, rows)


def draw_sheet(collection: ImageCollection, rows: Sequence[SheetRow]) -> bytes:
    """A JPEG of rows of thumbnails, at most 60 of 24; a picture that this workspace does not hold is a grey tile.

    Raises:
        UsageError: there is no row.
        UnsupportedError: the extra `image` is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise missing_extra("Pillow", "image") from None
    if not rows:
        raise UsageError("there is nothing to draw", hint="the collection has no such groups")
    shown = [dataclasses.replace(row, image_ids=row.image_ids[:_COLUMNS_MAX]) for row in rows[:_ROWS_MAX]]
    step = _TILE_PX + _GAP_PX
    width = max(max(len(row.image_ids) for row in shown) * step, 4 * step) + _GAP_PX
    heights = [step + (_CAPTION_PX if row.caption else 0) for row in shown]
    sheet = Image.new("RGB", (width, sum(heights) + _GAP_PX), "white")
    pen = ImageDraw.Draw(sheet)
    top = _GAP_PX
    for row, height in zip(shown, heights, strict=True):
        if row.caption:
            # The built-in font knows Latin letters only; a page shows captions as text.
            pen.text((_GAP_PX, top), row.caption.encode("latin-1", "replace").decode("latin-1"), fill="black")
        for number, image_id in enumerate(row.image_ids):
            tile = _tile(collection, image_id)
            left = _GAP_PX + number * step + (_TILE_PX - tile.width) // 2
            sheet.paste(tile, (left, top + height - step + (_TILE_PX - tile.height) // 2))
        top += height
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=85)
    return out.getvalue()


def as_plotly(figure: Figure) -> Any:
    """The chart as a `plotly.graph_objects.Figure`, which a notebook shows.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    try:
        from plotly import graph_objects
    except ImportError:
        raise missing_extra("plotly", "bench") from None
    return graph_objects.Figure(data=figure["data"], layout=figure["layout"])


def draw_matplotlib(figure: Figure) -> Any:
    """The chart as a `matplotlib.figure.Figure`: points, bars and heat maps.

    Raises:
        UnsupportedError: matplotlib is not installed; no extra brings it.
    """
    try:
        canvas = importlib.import_module("matplotlib.figure").Figure(figsize=(8, 6))
    except ImportError:
        raise UnsupportedError(
            "a figure for matplotlib", needs="the package matplotlib", has="an installation without it",
            hint="pip install matplotlib; or take as_plotly",
        ) from None  # fmt: skip
    axes = canvas.subplots()
    axes.set_title(figure["layout"]["title"]["text"])
    for trace in figure["data"]:
        if trace["type"] == "heatmap":
            axes.imshow(trace["z"], cmap="Blues")
            axes.set_xticks(range(len(trace["x"])), trace["x"], rotation=90)
            axes.set_yticks(range(len(trace["y"])), trace["y"])
        elif trace["type"] == "bar":
            spread = [trace["error_y"]["arrayminus"], trace["error_y"]["array"]]
            axes.bar(trace["x"], trace["y"], yerr=spread, capsize=3)
        else:
            axes.scatter(trace["x"], trace["y"], s=trace["marker"]["size"], label=trace["name"])
    if len(figure["data"]) > 1:
        axes.legend(fontsize="small")
    canvas.tight_layout()
    return canvas


def _tile(collection: ImageCollection, image_id: str) -> Any:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(collection.pictures.thumbnail(image_id))) as opened:
            tile = opened.convert("RGB")
    except (NotFoundError, OSError):
        return Image.new("RGB", (_TILE_PX, _TILE_PX), "#d0d7de")
    tile.thumbnail((_TILE_PX, _TILE_PX))
    return tile
