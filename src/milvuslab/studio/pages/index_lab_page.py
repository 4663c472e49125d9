"""The index lab: one open tab, the comparison it shows, and what the slider says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from milvuslab.model.errors import MilvusLabError, NotFoundError
from milvuslab.studio.lab.desk import LabEntry
from milvuslab.studio.pages.lab_figures import curve_figure, front_figure, list_knobs
from milvuslab.studio.pages.lab_parts import (
    RECALL_RANGE,
    render_choices,
    render_left_out,
    render_running,
    render_shelf_of,
    render_slider,
    render_start_form,
)
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.notices import render_notice
from milvuslab.studio.words.words import Words
from milvuslab.tune.comparison import Comparison

if TYPE_CHECKING:
    from milvuslab.studio.studio import Studio

__all__ = ["IndexLabPage", "LabState", "read_lab_state"]

_TICK_S = 1.0
_RECALL = 0.95


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """What the address says.

    Attributes:
        comparison_id: to show; empty takes the latest.
        recall: of the slider; None takes the one that was tuned to.
    """

    comparison_id: str = ""
    recall: float | None = None


class IndexLabPage:
    """One open tab.

    Args:
        studio: what it shows.
        words: in the tab's language.
        state: from the address.
    """

    def __init__(self, studio: Studio, words: Words, state: LabState) -> None:
        self._studio = studio
        self._words = words
        self._state = state
        self._recall = state.recall
        self._comparison: Comparison | None = None
        self._shown: dict[str, Html] = {}
        self._parts: dict[str, Any] = {}
        self._charts: dict[str, Any] = {}

    async def build(self) -> None:
        """Makes the elements, with what is there already."""
        from nicegui import ui

        words = self._words
        self._html(join(tag("h1", words("lab.heading")), tag("p", words("lab.intro"), class_="lead")))
        with ui.element("div").classes("section lab-top"):
            self._parts["running"] = self._html("").props('aria-live="polite"')
            self._parts["slider"] = self._html("")
            self._parts["choices"] = self._html("").props('id=lab-choices aria-live="polite"')
            self._parts["foot"] = self._html("")
        with ui.element("div").classes("columns"):
            self._chart_box = ui.element("div").classes("results charts")
            with ui.element("aside").classes("aside"):
                self._parts["failure"] = self._html("").props('aria-live="polite"')
                self._parts["start"] = self._html(render_start_form(words, collections=self._collections()))
                with ui.element("section").classes("panel"):
                    self._html(tag("h2", words("lab.past")))
                    self._parts["past"] = self._html("")
        ui.on("studio_lab_recall", lambda event: self._move(event.args))
        ui.on("studio_failed", lambda event: self._show_failed(event.args))
        ui.timer(_TICK_S, self._tick)
        await self._tick()

    def _html(self, content: str) -> Any:
        from nicegui import ui

        # Our markup escapes whatever it is given (`markup.py`).
        return ui.html(content, sanitize=False)

    def _collections(self) -> list[str]:
        """Text collections of the studio's server, whose vectors can be compared."""
        views = [view for view in self._studio.servers.views() if view.name == self._studio.desk.server]
        return [one.name for view in views for one in view.collections if one.kind == "text"]

    async def _tick(self) -> None:
        lab, words = self._studio.lab, self._words
        self._set("start", render_start_form(words, collections=self._collections()))
        try:
            entries = await lab.run(lab.entries)
            entry = self._pick(entries)
            self._set("past", render_shelf_of(words, entries, shown=entry.comparison_id if entry else ""))
            found = await lab.run(lab.read, entry.comparison_id) if entry else None
            self._set("running", render_running(words, entry, found) if entry else join())
        except MilvusLabError as error:
            self._set("running", render_notice(words, code=error.code, message=error.message, hint=error.hint))
            return
        if found is not None and found != self._comparison:
            self._comparison = found
            if self._recall is None:
                self._recall = found.recall_target
            self._show_results(found)

    def _pick(self, entries: Sequence[LabEntry]) -> LabEntry | None:
        wanted = self._state.comparison_id
        if not wanted:
            return entries[0] if entries else None
        for entry in entries:
            if entry.comparison_id == wanted:
                return entry
        raise NotFoundError(f"there is no comparison {wanted[:40]}", hint="choose one of those on the page")

    def _show_results(self, found: Comparison) -> None:
        """Everything that stands on measured settings: while it runs there are more with every index that is done."""
        if not any(result.curve for result in found.results):
            return
        self._set("slider", render_slider(self._words, self._recall or _RECALL))
        self._show_choices()
        self._show_charts()
        link = tag(
            "a",
            self._words("lab.report"),
            href=f"/index-lab/{found.folder.name}/report",
            class_="action",
            target="_blank",
        )
        report = tag("p", link) if (found.folder / "report.html").is_file() else None
        self._set("foot", join(render_left_out(self._words, found.results), report))

    def _show_choices(self) -> None:
        if self._comparison is not None:
            recall = self._recall or _RECALL
            self._set("choices", render_choices(self._words, self._comparison.results, recall=recall))

    def _show_charts(self) -> None:
        assert self._comparison is not None
        words, results, recall = self._words, self._comparison.results, self._recall or _RECALL
        self._chart(
            words("lab.front_qps"),
            words("lab.front_qps_hint"),
            front_figure(words, results, by="qps", recall=recall),
            "qps",
        )
        self._chart(
            words("lab.front_p99"),
            words("lab.front_p99_hint"),
            front_figure(words, results, by="latency_ms_p99", recall=recall),
            "p99",
        )
        for knob in list_knobs(results):
            self._chart(words("lab.curve", knob=knob), "", curve_figure(words, results, knob=knob), f"knob-{knob}")

    def _chart(self, heading: str, hint: str, figure: dict[str, Any], name: str) -> None:
        from nicegui import ui

        if name in self._charts:
            self._charts[name].update_figure(figure)
            return
        with self._chart_box, ui.element("section").classes("panel chart").props(f"data-chart={name}"):
            self._html(join(tag("h2", heading), tag("p", hint, class_="quiet") if hint else None))
            self._charts[name] = ui.plotly(figure).classes("plot")

    def _move(self, value: Any) -> None:
        """The slider was moved; the answer comes from what was measured, no server is asked."""
        recall = _recall_of(value)
        if recall is not None and recall != self._recall and self._comparison is not None:
            self._recall = recall
            self._show_choices()
            for name in ("qps", "p99"):
                if name in self._charts:
                    self._charts[name].figure["layout"]["shapes"][0] |= {"x0": recall, "x1": recall}
                    self._charts[name].update()

    def _show_failed(self, problem: Any) -> None:
        values = problem if isinstance(problem, dict) else {}
        content = render_notice(
            self._words,
            code=str(values.get("code", "internal")),
            message=str(values.get("message", ""))[:500],
            hint=str(values.get("hint", ""))[:500],
        )
        self._set("failure", content)

    def _set(self, name: str, content: Html) -> None:
        """Sends the content only when it changed: what a person typed or opened in it stays."""
        if self._shown.get(name) != content:
            self._shown[name] = content
            self._parts[name].set_content(str(content))


def read_lab_state(query: str) -> LabState:
    """The state of an address' query part; what is not known is left out.

    >>> read_lab_state("id=20250102-030405-ab12&recall=0.9")
    LabState(comparison_id='20250102-030405-ab12', recall=0.9)
    """
    values = parse_qs(query)
    return LabState(comparison_id=values.get("id", [""])[0][:64], recall=_recall_of(values.get("recall", [""])[0]))


def _recall_of(value: Any) -> float | None:
    """A recall within the slider's range, or None for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    low, high = RECALL_RANGE
    return round(number, 4) if low <= number <= high else None
