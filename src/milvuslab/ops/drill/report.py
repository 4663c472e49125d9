"""A verdict as a page: one self-contained HTML file that opens without a network, with a timeline of what clients saw."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from milvuslab.ops.drill.timeline import OPERATIONS, Probe, count_by_second
from milvuslab.ops.drill.verdict import Verdict

__all__ = ["render_timeline", "render_verdict"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.25rem .8rem;border-bottom:1px solid #d8dee4;text-align:right}
td:first-child,th:first-child{text-align:left}.verdict{padding:.8rem 1rem;border-left:6px solid}
.good{border-color:#1a7f37;background:#eef9f0}.bad{border-color:#cf222e;background:#ffebe9}
.quiet{color:#57606a}svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#57606a}
"""
_LEGEND = (
    "<p class='quiet'>One cell is one second: green, every call succeeded; yellow, some; red, none. "
    "Grey bands: broken, until mending began.</p>"
)
_ROW_PX, _LEFT_PX, _WIDTH_PX = 26, 60, 1_000
_GOOD, _PART, _BAD, _STRUCK = "#2da44e", "#d4a72c", "#cf222e", "#57606a"


def render_verdict(verdict: Verdict, probes: Sequence[Probe]) -> str:
    """The page."""
    title = f"{verdict.drill}: {verdict.title}"
    return "\n".join([
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html.escape(title)}</h1>",
        f"<p class='quiet'>{html.escape(_about(verdict))}</p>",
        *_verdict_lines(verdict),
        "<h2>What clients saw</h2>",
        render_timeline(verdict, probes),
        _LEGEND,
        _operations_table(verdict),
        "<h2>What was broken</h2>",
        *_evidence_lines(verdict),
        "<h2>The data</h2>",
        _data_table(verdict),
        *(["<h2>What to change</h2>", _list(verdict.advice)] if verdict.advice else []),
        "</body></html>",
    ])  # fmt: skip


def render_timeline(verdict: Verdict, probes: Sequence[Probe]) -> str:
    """The calls of each second as an SVG, one row for each operation."""
    end_s = max((one.end_s for one in verdict.rounds), default=1.0)
    step_px = (_WIDTH_PX - _LEFT_PX) / (end_s + 1)
    height_px = _ROW_PX * len(OPERATIONS) + 24
    parts = [f"<svg viewBox='0 0 {_WIDTH_PX} {height_px}' role='img' aria-label='calls of each second'>"]
    for one in verdict.rounds:
        begin_s, until_s = one.evidence.struck_at_s, one.evidence.ended_at_s or one.evidence.struck_at_s
        width_px = max(2.0, (until_s - begin_s) * step_px)
        parts.append(
            f"<rect x='{_LEFT_PX + begin_s * step_px:.1f}' y='0' width='{width_px:.1f}' height='{height_px - 20}' "
            f"fill='{_STRUCK}' opacity='0.25'/>"
        )
    for row, operation in enumerate(OPERATIONS):
        y_px = row * _ROW_PX + 4
        parts.append(f"<text x='0' y='{y_px + 13}'>{operation}</text>")
        parts += _cells(count_by_second(probes, operation, end_s=end_s), y_px=y_px, step_px=step_px)
    ticks = range(0, int(end_s) + 1, max(1, int(end_s // 10)))
    parts += [f"<text x='{_LEFT_PX + tick * step_px:.1f}' y='{height_px - 4}'>{tick} s</text>" for tick in ticks]
    return "\n".join([*parts, "</svg>"])


def _cells(counts: Sequence[tuple[int, int]], *, y_px: float, step_px: float) -> Iterable[str]:
    for second, (due, ok) in enumerate(counts):
        if due:
            colour = _GOOD if ok == due else _PART if ok else _BAD
            yield (
                f"<rect x='{_LEFT_PX + second * step_px:.1f}' y='{y_px}' width='{max(0.5, step_px - 0.5):.1f}' "
                f"height='{_ROW_PX - 8}' fill='{colour}'><title>{second} s: {ok} of {due}</title></rect>"
            )


def _about(verdict: Verdict) -> str:
    control = f" Control: {verdict.control}." if verdict.control else ""
    return (
        f"{verdict.server}, Milvus {verdict.server_version}, {verdict.started_at}; {verdict.duration_s:.0f} s; "
        f"{verdict.rate_per_s:g} calls a second of each operation, {verdict.timeout_s:g} s each, not repeated.{control}"
    )


def _verdict_lines(verdict: Verdict) -> Iterable[str]:
    kind = "good" if verdict.is_passed else "bad"
    word = "Passed" if verdict.is_passed else "Not passed"
    yield f"<div class='verdict {kind}'><strong>{word}.</strong>"
    yield (
        _list(verdict.findings) if verdict.findings else " Nothing that was acknowledged is lost, and every limit held."
    )
    yield "</div>"


def _operations_table(verdict: Verdict) -> str:
    rows = [
        [
            operation,
            f"{verdict.availability_ratio(operation):.2%}",
            str(verdict.wrong_count(operation)),
            f"{verdict.gap_s_max(operation):.1f} s",
            _seconds(verdict.recovery_s_p95(operation)),
            "; ".join(sorted({error for one in verdict.rounds for error in one.operations[operation].errors})[:3]),
        ]
        for operation in OPERATIONS
    ]
    return _table(["operation", "succeeded", "wrong answers", "longest gap", "back after (p95)", "failures"], rows)


def _evidence_lines(verdict: Verdict) -> Iterable[str]:
    for number, one in enumerate(verdict.rounds, start=1):
        healed = f"healed in {one.heal_s:.1f} s" if one.is_healed else "not healed"
        notes = "; ".join(one.evidence.notes)
        yield f"<p>Round {number}, at {one.evidence.struck_at_s:.1f} s: {html.escape(notes)}; {healed}.</p>"


def _data_table(verdict: Verdict) -> str:
    data = verdict.data
    rows = [[kind, str(count)] for kind, count in data.counts.items()]
    told = (
        f"<p>{data.acknowledged_count:,} writes acknowledged, {data.failed_count:,} refused, {data.unknown_count:,} of "
        f"which nobody knows; {data.key_count:,} keys in the ledger, {data.row_count:,} rows on the server.</p>"
    )
    return told + _table(["finding", "keys"], rows) + _list([one.message for one in data.findings[:20]])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in sentences) + "</ul>" if sentences else ""


def _seconds(value: float | None) -> str:
    return "did not come back" if value is None else f"{value:.1f} s"
