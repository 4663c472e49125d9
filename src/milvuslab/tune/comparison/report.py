"""The page of a comparison: one HTML file that opens without a network, made from the kept results alone.

English and Korean stand in the same file; a button changes between them. Every number comes from the folder.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from milvuslab.machine import write_text
from milvuslab.model.errors import missing_extra
from milvuslab.tune.comparison.figures import make_figures
from milvuslab.tune.comparison.style import SCRIPT, STYLE
from milvuslab.tune.comparison.values import Comparison, IndexResult
from milvuslab.tune.comparison.words import LANGUAGES, WORDS

__all__ = ["render_page", "write_report"]


def write_report(comparison: Comparison, path: Path | None = None) -> Path:
    """Writes the page and returns its path.

    Args:
        comparison: finished or not.
        path: None is `report.html` in its folder.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    path = path or comparison.folder / "report.html"
    write_text(path, render_page(comparison), mode=0o644)
    return path


def render_page(comparison: Comparison) -> str:
    """The whole page as text, about 5 MB, most of it the script that draws.

    Raises:
        UnsupportedError: plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise missing_extra("plotly", "bench") from None
    figures = make_figures(comparison)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>milvuslab: {html.escape(comparison.data_name)}</title><style>{STYLE}</style></head><body>",
        *_head(comparison),
        *_results(comparison),
        *_chooser(comparison),
        *_charts([("front_qps", "front_qps_note"), ("front_p99", "front_p99_note")], comparison),
        _heading("cost"),
        "<div class='grid'>",
        *_charts([("bars_build", ""), ("bars_memory", ""), ("bars_disk", "")], comparison, level=3),
        "</div>",
        *_curves([name for name in figures if name.startswith("curve_")], comparison),
        *_conditions(comparison),
        f"<script>{get_plotlyjs()}</script>",
        f"<script>const figures={_embed(figures)};const words={_embed(WORDS)};const results={_embed(_settings(comparison))};",
        f"{SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts)


def _say(key: str, **values: object) -> str:
    """Both languages of a phrase; the style shows one."""
    shown = [
        f"<span lang='{language}'>{html.escape(words.format(**values))}</span>"
        for language, words in zip(LANGUAGES, WORDS[key], strict=True)
    ]
    return "".join(shown)


def _heading(key: str, *, level: int = 2) -> str:
    return f"<h{level}>{_say(key)}</h{level}>"


def _head(comparison: Comparison) -> Iterator[str]:
    yield "<header><button id='language' type='button'>한국어</button>"
    yield f"<h1>{_say('title', recall=f'{comparison.recall_target:g}')}</h1>"
    about = {
        "name": comparison.data_name,
        "rows": f"{comparison.row_count:,}",
        "dim": comparison.dim,
        "metric": comparison.metric,
        "k": comparison.k,
    }
    yield f"<p class='lead'>{_say('data', **about)}</p></header>"
    tuned = comparison.tuned
    if not tuned or tuned[0].chosen is None:
        yield f"<p class='answer'>{_say('answer_none')}</p>"
        return
    smallest = min(tuned, key=lambda one: one.memory_bytes_estimate or 0)
    fastest = tuned[0].chosen
    yield "<p class='answer'>" + _say(
        "answer", fastest=tuned[0].index_type, qps=_number(fastest.qps, digits=0),
        p99=f"{_number(fastest.latency_ms_p99)} ms", smallest=smallest.index_type,
        memory=_megabytes(smallest.memory_bytes_estimate),
    ) + "</p>"  # fmt: skip


_COLUMNS = (
    "type", "server", "params", "recall", "qps", "p50", "p99", "build", "load", "memory_formula", "memory_grown", "disk",
)  # fmt: skip


def _results(comparison: Comparison) -> Iterator[str]:
    yield _heading("results")
    yield f"<p>{_say('results_note', recall=f'{comparison.recall_target:g}', confidence=f'{comparison.confidence:.0%}')}</p>"
    yield "<div class='scroll'><table><tr>" + "".join(f"<th>{_say(one)}</th>" for one in _COLUMNS) + "</tr>"
    for one in comparison.tuned:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in _cells(one)) + "</tr>"
    yield "</table></div>"
    others = [one for one in comparison.results if one.chosen is None]
    if others:
        yield _heading("left_out", level=3) + "<ul>"
        for one in others:
            state = _say(f"state_{one.state}")
            yield f"<li><b>{html.escape(one.label)}</b>: {state}. <em>{html.escape(one.detail)}</em></li>"
        yield "</ul>"


def _cells(one: IndexResult) -> list[str]:
    point = one.chosen
    assert point is not None
    params = " ".join(f"{name}={value}" for name, value in {**one.build_params, **point.params}.items())
    return [
        f"<b>{html.escape(one.index_type)}</b>",
        html.escape(one.server),
        f"<code>{html.escape(params)}</code>",
        f"{point.recall:.4f}",
        _number(point.qps, digits=0),
        _number(point.latency_ms_p50),
        _number(point.latency_ms_p99),
        _number(one.build_s, digits=1),
        _number(one.load_s, digits=1),
        _megabytes(one.memory_bytes_estimate),
        _megabytes(one.memory_bytes),
        _megabytes(one.disk_bytes),
    ]


def _chooser(comparison: Comparison) -> Iterator[str]:
    counts = [point.query_count for one in comparison.results for point in one.curve]
    if not counts:
        return
    yield _heading("choose")
    yield f"<p>{_say('choose_note', count=f'{min(counts):,}')}</p>"
    yield (
        f"<p class='slider'><input id='wanted' type='range' min='0.5' max='1' step='0.005' "
        f"value='{comparison.recall_target:g}' aria-label='recall'><output id='shown'></output></p>"
        "<div class='scroll'><table id='choice'></table></div>"
    )


def _charts(keys: Sequence[tuple[str, str]], comparison: Comparison, *, level: int = 2) -> Iterator[str]:
    for key, note in keys:
        yield f"<section>{_heading(key, level=level)}"
        if note:
            yield f"<p>{_say(note, in_flight=comparison.in_flight)}</p>"
        yield f"<div class='chart' id='{key}'></div></section>"


def _curves(names: Sequence[str], comparison: Comparison) -> Iterator[str]:
    if not names:
        return
    yield _heading("curves") + f"<p>{_say('curves_note')}</p><div class='grid'>"
    for name in names:
        knob = html.escape(name.removeprefix("curve_"))
        yield f"<section><h3><code>{knob}</code></h3><div class='chart' id='{html.escape(name)}'></div></section>"
    yield "</div>"
    del comparison


def _conditions(comparison: Comparison) -> Iterator[str]:
    manifest = comparison.manifest
    memory = f"{(manifest.get('memory_bytes') or 0) / 1e9:.0f} GB"
    servers = "; ".join(
        f"{name}: {about.get('version', '')}" for name, about in (manifest.get("servers") or {}).items()
    )
    rows = [
        ("machine", f"{manifest.get('cpu_model')}, {manifest.get('cpu_count')} CPU, {memory}"),
        ("load_line", manifest.get("load_1min")),
        ("system", f"{manifest.get('system')}, Python {manifest.get('python_version')}"),
        ("client", f"milvuslab {manifest.get('milvuslab_version')} {str(manifest.get('commit') or '')[:12]}"),
        ("servers", servers),
        ("checksum", comparison.data_checksum[:16]),
        ("measured_at", manifest.get("measured_at")),
        ("took", f"{comparison.wall_s:,.0f} s"),
    ]
    yield _heading("conditions") + "<table class='facts'>"
    for key, value in rows:
        yield f"<tr><th>{_say(key)}</th><td>{html.escape(str(value))}</td></tr>"
    yield "</table>" + _heading("gaps") + "<ul>"
    yield from (f"<li>{_say(gap)}</li>" for gap in ("gap_loops", "gap_writes", "gap_memory", "gap_versions"))
    yield "</ul>"


def _settings(comparison: Comparison) -> list[dict[str, object]]:
    """What the slider needs: every measured setting with the type it belongs to."""
    return [
        {
            "type": one.index_type,
            "server": one.server,
            "memory": _megabytes(one.memory_bytes_estimate),
            "curve": [
                {
                    "params": " ".join(f"{k}={v}" for k, v in {**one.build_params, **point.params}.items()),
                    "recall": point.recall,
                    "qps": point.qps,
                    "p99": point.latency_ms_p99,
                }
                for point in one.curve
            ],
        }
        for one in comparison.results
        if one.curve
    ]


def _embed(value: object) -> str:
    """JSON that cannot end the script it stands in."""
    return json.dumps(value, ensure_ascii=False, default=str).replace("<", "\\u003c")


def _number(value: float | None, *, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _megabytes(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / 1e6:,.1f} MB"
