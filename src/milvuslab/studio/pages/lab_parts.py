"""The parts of the index lab as HTML: what is chosen at a recall, what runs, what was compared, how to start."""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.journal.job import Job
from milvuslab.studio.lab.desk import LabEntry
from milvuslab.studio.lab.order import DATA_KINDS, ROWS_LIMIT
from milvuslab.studio.pages.lab_figures import params_text
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.notices import progress_bar
from milvuslab.studio.words.words import Words
from milvuslab.tune.comparison import Comparison, CurvePoint, IndexResult

__all__ = [
    "RECALL_RANGE",
    "render_choices",
    "render_left_out",
    "render_running",
    "render_shelf_of",
    "render_slider",
    "render_start_form",
]

RECALL_RANGE = (0.7, 1.0)
_RECALL_STEP = 0.005
_STATES = {
    "starting": "lab.state_running",
    "running": "lab.state_running",
    "done": "lab.state_done",
    "failed": "lab.state_failed",
    "interrupted": "lab.state_interrupted",
    "open": "lab.state_open",
    "paused": "lab.state_running",
}
_DATA = {"synthetic": "lab.data_synthetic", "file": "lab.data_file", "collection": "lab.data_collection"}


def render_slider(words: Words, recall: float) -> Html:
    """The slider that says what recall is needed; the script tells the server when it moves."""
    low, high = RECALL_RANGE
    return tag(
        "label",
        tag("span", words("lab.recall_needed")),
        tag("input", id="lab-recall", type="range", min=str(low), max=str(high), step=str(_RECALL_STEP), value=f"{recall:g}"),
        tag("output", f"{recall:.3f}", id="lab-recall-shown", for_="lab-recall"),
        class_="slider",
    )  # fmt: skip


def render_choices(words: Words, results: Sequence[IndexResult], *, recall: float) -> Html:
    """One sentence that names the fastest, and a table of what each type needs for the recall."""
    pairs = [(result, result.at_recall(recall)) for result in results if result.curve]
    pairs.sort(key=lambda pair: -(pair[1].qps or 0.0) if pair[1] else 1.0)
    best = next(((result, point) for result, point in pairs if point), None)
    heads = ["lab.index", "lab.params", "lab.recall", "lab.answers", "", "lab.memory", "lab.disk", "lab.build"]
    head = tag("tr", [tag("th", words(key) if key else "P99", scope="col") for key in heads])
    rows = [_row(words, result, point, is_best=best is not None and result is best[0]) for result, point in pairs]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="choices")
    return join(_sentence(words, best, recall=recall), tag("div", table, class_="table-scroll"))


def render_left_out(words: Words, results: Sequence[IndexResult]) -> Html:
    """Index types of which nothing was measured, with the reason of each."""
    rows = [
        tag("li", tag("b", result.label), " ", tag("span", result.detail, class_="quiet"))
        for result in results
        if not result.curve
    ]
    if not rows:
        return join()
    return tag(
        "details", tag("summary", words("lab.left_out"), " ", str(len(rows))), tag("ul", rows),
        class_="capabilities left-out", data_key="left-out",
    )  # fmt: skip


def render_running(words: Words, entry: LabEntry, found: Comparison | None) -> Html:
    """How far a comparison is, type by type, with a button that stops it; what went wrong, when it stopped."""
    if entry.state in ("done", "open"):
        return join()
    job = entry.job
    if not entry.is_running:
        return tag(
            "div",
            tag("p", words("lab.failed"), class_="notice-title"),
            tag("p", entry.failure, class_="notice-text") if entry.failure else None,
            class_="notice is-error",
            role="alert",
        )
    return tag(
        "div",
        tag("div", tag("b", words("lab.running", title=entry.title)), _stop_button(words, entry), class_="job-head"),
        progress_bar(job.done_ratio if job else None),
        tag("p", _progress_text(words, job), class_="quiet", id="lab-progress"),
        _types(found) if found else None,
        tag("p", words("lab.running_hint"), class_="quiet"),
        class_="panel lab-running",
    )


def render_shelf_of(words: Words, entries: Sequence[LabEntry], *, shown: str) -> Html:
    """All comparisons, the latest first, as links; the shown one is marked."""
    if not entries:
        return tag("p", words("lab.none"), class_="quiet")
    rows = [
        tag(
            "li",
            tag(
                "a",
                entry.title,
                href=f"/index-lab?id={entry.comparison_id}",
                aria_current="page" if entry.comparison_id == shown else None,
            ),
            tag("span", words(_STATES[entry.state]), class_=f"badge is-{entry.state}"),
            tag("span", words(_DATA[entry.order.data]), class_="quiet") if entry.order else None,
        )
        for entry in entries
    ]
    return tag("ul", rows, class_="lab-list")


def render_start_form(words: Words, *, collections: Sequence[str]) -> Html:
    """The form that starts a comparison; fields that belong to other data than the chosen are hidden by the script."""
    kinds = [kind for kind in DATA_KINDS if kind != "collection" or collections]
    options = [tag("option", words(_DATA[kind]), value=kind) for kind in kinds]
    names = [tag("option", name, value=name) for name in collections]
    return tag(
        "section",
        tag("h2", words("lab.start")),
        tag("p", words("lab.start_intro"), class_="quiet"),
        tag(
            "form",
            _field(words("lab.data"), tag("select", options, name="data")),
            _field(
                words("lab.path"),
                tag("input", name="path", type="text", maxlength=1_000, placeholder=words("lab.path_hint")),
                only="file",
            ),
            _field(words("lab.collection"), tag("select", names, name="collection"), only="collection"),
            _field(words("lab.rows"), tag("input", name="row_count", type="number", min=1_000, max=ROWS_LIMIT, step=1_000, value=20_000)),
            _field(words("lab.dim"), tag("input", name="dim", type="number", min=16, max=4_096, value=64), only="synthetic"),
            _field(words("lab.recall_target"), tag("input", name="recall_target", type="number", min="0.5", max="0.999", step="0.005", value="0.95")),
            _field(words("lab.types"), tag("input", name="index_types", type="text", maxlength=300, placeholder=words("lab.types_hint"))),
            _field(words("lab.servers"), tag("select", tag("option", words("lab.servers_running"), value=""),
                   tag("option", words("lab.servers_all"), value="yes"), name="with_stopped")),
            tag("button", words("lab.button"), type="submit", class_="primary"),
            id="lab-form",
            data_working=words("lab.working"),
        ),
        class_="panel",
    )  # fmt: skip


def _sentence(words: Words, best: tuple[IndexResult, CurvePoint] | None, *, recall: float) -> Html:
    shown = f"{recall:.3f}"
    if best is None:
        return tag("p", words("lab.best_none", recall=shown), class_="lab-best")
    result, point = best
    text = words(
        "lab.best",
        recall=shown,
        index=result.label,
        qps=_number(words, point.qps),
        p99=_milliseconds(words, point.latency_ms_p99),
    )
    return tag("p", text, class_="lab-best")


def _row(words: Words, result: IndexResult, point: CurvePoint | None, *, is_best: bool) -> Html:
    name = tag("th", result.label, tag("span", words("lab.fastest"), class_="badge") if is_best else None, scope="row")
    costs = [
        tag("td", _memory(words, result), class_="number"),
        tag("td", "–" if result.disk_bytes is None else words.size(result.disk_bytes), class_="number"),
        tag("td", "–" if result.build_s is None else f"{result.build_s:.1f} s", class_="number"),
    ]
    if point is None:
        reached = words("lab.unreached_best", recall=f"{max(found.recall for found in result.curve):.3f}")
        text = f"{words('lab.unreached')} ({reached})"
        return tag(
            "tr", name, tag("td", text, colspan=4, class_="quiet"), costs, class_="is-out", data_index=result.label
        )
    return tag(
        "tr",
        name,
        tag("td", tag("code", params_text(result, point) or "–"), class_="chosen-params"),
        tag("td", f"{point.recall:.3f}", class_="number"),
        tag("td", _number(words, point.qps), class_="number"),
        tag("td", _milliseconds(words, point.latency_ms_p99), class_="number"),
        costs,
        data_index=result.label,
    )


def _memory(words: Words, result: IndexResult) -> Html:
    """The index by formula, and below it what the server was seen to grow by, garbage included."""
    formula, measured = result.memory_bytes_estimate, result.memory_bytes
    shown = tag("span", "–" if formula is None else words.size(formula))
    if measured is None or measured <= 0:
        return shown
    return join(shown, tag("span", words("lab.measured", size=words.size(measured)), class_="quiet"))


def _progress_text(words: Words, job: Job | None) -> str:
    if job is None:
        return words("lab.working")
    return f"{job.step} · {job.done_count} / {job.total_count}" if job.total_count else job.step


def _types(found: Comparison) -> Html:
    """Every planned type, those that are done marked."""
    done = {(result.index_type, result.server) for result in found.results}
    badges = [
        tag(
            "span",
            f"{one.index_type} · {one.server}",
            class_=f"badge {'is-done' if (one.index_type, one.server) in done else ''}",
        )
        for one in found.planned
    ]
    return tag("div", badges, class_="badges")


def _stop_button(words: Words, entry: LabEntry) -> Html:
    return tag(
        "button", words("lab.cancel"), type="button", class_="action is-delete", data_lab_cancel=entry.comparison_id,
        data_confirm=words("lab.cancel_confirm"),
    )  # fmt: skip


def _field(label: str, control: Html, *, only: str = "") -> Html:
    return tag(
        "label", tag("span", label), control, data_lab_for=only or None, hidden=bool(only) and only != "synthetic"
    )


def _number(words: Words, value: float | None) -> str:
    return "–" if value is None else words.number(value)


def _milliseconds(words: Words, value: float | None) -> str:
    return "–" if value is None else words.milliseconds(value)
