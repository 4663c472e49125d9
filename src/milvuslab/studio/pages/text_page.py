"""The search page: one open tab, what it shows, and what it does when the browser says something."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from milvuslab.apps.text.search import TextAnswer, TextQuery
from milvuslab.apps.text.similar import SimilarAnswer
from milvuslab.model.errors import MilvusLabError, NotFoundError, UsageError
from milvuslab.studio.api.text_routes import parse_moment
from milvuslab.studio.pages.answers import render_answer, render_empty, render_similar
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.notices import render_banner, render_notice
from milvuslab.studio.pages.page_state import PageState, read_state
from milvuslab.studio.pages.search_form import render_add_panel, render_ask_form, render_shelf
from milvuslab.studio.text_desk import check_question
from milvuslab.studio.words.words import Words

if TYPE_CHECKING:
    from milvuslab.studio.studio import Studio

__all__ = ["TextPage"]

_PASSING = ("start", "unreachable", "rate_limited")
_TICK_S = 2.0
_SHELF_TICKS = 4
_HITS = 10
_FIRST_ANSWER_S = 1.5


class TextPage:
    """One open tab.

    Args:
        studio: what it shows.
        words: in the tab's language.
        state: from the address.
    """

    def __init__(self, studio: Studio, words: Words, state: PageState) -> None:
        self._studio = studio
        self._words = words
        self._state = state
        self._turn = 0
        self._is_waiting = False
        self._ticks = 0
        self._shown: dict[str, str] = {}

    async def build(self) -> None:
        """Makes the elements, and the first answer when the address asks for one."""
        from nicegui import background_tasks, ui

        self._client = ui.context.client
        self._page = ui.element("div").classes("is-empty" if self._state.is_empty else "")
        with self._page:
            self._html(self._head())
            self._banner = self._html(self._banner_html())
            with ui.element("div").classes("columns"):
                self._results = self._html("").classes("results").props('id=results aria-live="polite"')
                with ui.element("aside").classes("aside"):
                    self._added = self._html("").props('aria-live="polite"')
                    limit_bytes = self._studio.settings.request_limit_bytes
                    self._html(render_add_panel(self._words, document_limit_bytes=limit_bytes))
                    self._shelf = self._html("")
        ui.on("studio_go", lambda event: self._go(_text(event.args)))
        ui.on("studio_added", lambda event: self._show_added(_mapping(event.args)))
        ui.on("studio_failed", lambda event: self._show_failed(_mapping(event.args)))
        ui.on("studio_deleted", lambda _: self._refresh_shelf())
        ui.timer(_TICK_S, self._tick)
        first = background_tasks.create(self._show())
        background_tasks.create(self._refresh_shelf())
        await asyncio.wait({first}, timeout=_FIRST_ANSWER_S)

    def _head(self) -> Html:
        words, state = self._words, self._state
        heading = tag(
            "div", tag("h1", words("empty.heading")), tag("p", words("empty.intro"), class_="lead"), class_="ask-head"
        )
        form = render_ask_form(words, state, query_limit_chars=self._studio.settings.query_limit_chars)
        return join(heading, tag("div", form, class_="ask"))

    def _html(self, content: str) -> Any:
        from nicegui import ui

        # Our markup escapes whatever it is given (`markup.py`); NiceGUI's own cleaning would drop form elements.
        return ui.html(content, sanitize=False)

    async def _go(self, query: str) -> None:
        self._state = read_state(query)
        if self._state.is_empty:
            self._page.classes(add="is-empty")
        else:
            self._page.classes(remove="is-empty")
        await self._show()

    async def _show(self) -> None:
        """Shows the answer to the present state; a slower, older answer never replaces a newer one."""
        self._turn += 1
        turn, state = self._turn, self._state
        content, is_waiting = await self._answer(state)
        if turn != self._turn or self._client.is_deleted:
            return
        self._is_waiting = is_waiting
        self._set("results", self._results, content)
        self._client.run_javascript("window.studio?.shown()")

    async def _answer(self, state: PageState) -> tuple[Html, bool]:
        """What to show, and whether it is worth trying again by itself."""
        if state.is_empty:
            return render_empty(self._words), False
        try:
            content = await self._render(state)
        except MilvusLabError as error:
            notice = render_notice(self._words, code=error.code, message=error.message, hint=error.hint)
            return notice, error.code in _PASSING
        return content, False

    async def _render(self, state: PageState) -> Html:
        if state.like:
            titles = [await self._title(document_id, state.collection) for document_id in state.like]
            similar = await self._find_similar(state)
            self._keep_titles(similar)
            return render_similar(self._words, similar, state=state, titles=titles)
        answer = await self._ask(state)
        self._keep_titles(answer)
        return render_answer(self._words, answer, state=state)

    async def _find_similar(self, state: PageState) -> SimilarAnswer:
        desk = self._studio.desk
        diversity = _number(state.diversity, "diversity", hint="write a number between 0 and 1") or 0.0
        return await desk.run(
            desk.similar, state.like[-1], limit=_HITS, diversity=diversity, collection=state.collection
        )

    async def _ask(self, state: PageState) -> TextAnswer:
        desk = self._studio.desk
        query = TextQuery(
            text=check_question(state.q, settings=desk.settings),
            limit=min(_HITS, desk.settings.result_limit),
            language=state.language,
            source=state.source,
            published_after_s=parse_moment(state.after, "after"),
            published_before_s=parse_moment(state.before, "before"),
            min_score=_number(state.min_score, "the least score", hint="write a number between -1 and 1"),
            channel=state.channel or "auto",  # type: ignore[arg-type]  # TextQuery refuses what is none
        )
        return await desk.run(desk.search, query, collection=state.collection, is_across=state.across == "1")

    def _keep_titles(self, answer: TextAnswer | SimilarAnswer) -> None:
        for hit in answer.hits:
            self._studio.titles.keep(hit.document_id, hit.title)

    async def _title(self, document_id: str, collection: str) -> str:
        """Title of a document on the way; mostly one that was on this page a moment ago."""
        desk, titles = self._studio.desk, self._studio.titles
        known = titles.find(document_id)
        if known is None:
            try:
                known = (await desk.run(desk.read, document_id, collection=collection)).title
            except NotFoundError:
                known = "…"
            titles.keep(document_id, known)
        return known

    async def _tick(self) -> None:
        self._set("banner", self._banner, self._banner_html())
        if self._is_waiting:
            await self._show()
        self._ticks += 1
        if self._ticks % _SHELF_TICKS == 0:
            await self._refresh_shelf()

    async def _refresh_shelf(self) -> None:
        desk = self._studio.desk
        try:
            stats = await desk.run(desk.stats)
            quality = await desk.run(desk.quality)
        except MilvusLabError:
            return  # the banner says what is missing
        self._set("shelf", self._shelf, render_shelf(self._words, stats, quality))

    async def _show_added(self, added: Mapping[str, Any]) -> None:
        words = self._words
        found = PageState(q=str(added.get("title", "")), collection=str(added.get("collection", "")))
        detail = words(
            "add.done_detail",
            collection=added.get("collection", ""),
            stored=words.milliseconds(float(added.get("stored_after_ms", 0))),
        )
        content = tag(
            "div",
            tag("b", words("add.done", ms=words.milliseconds(float(added.get("found_after_ms") or 0)))),
            tag("p", detail),
            tag("a", words("add.search"), href=found.href, class_="action", data_soft=True),
            class_="added",
        )
        self._set("added", self._added, content)
        await self._refresh_shelf()

    def _show_failed(self, problem: Mapping[str, Any]) -> None:
        code = str(problem.get("code", "internal"))
        content = render_notice(
            self._words,
            code=code,
            message=str(problem.get("message", ""))[:500],
            hint=str(problem.get("hint", ""))[:500],
            request_id=str(problem.get("request_id", ""))[:64] if code == "internal" else "",
        )
        self._set("added", self._added, content)

    def _banner_html(self) -> Html:
        studio = self._studio
        return render_banner(
            self._words, servers=studio.servers.views(), encoders=studio.encoders.views(), jobs=studio.jobs.latest(),
            text_server=studio.desk.server,
        )  # fmt: skip

    def _set(self, name: str, element: Any, content: Html) -> None:
        """Sends the content only when it changed: what a person opened or selected in it stays."""
        if self._shown.get(name) != content:
            self._shown[name] = content
            element.set_content(str(content))


def _number(text: str, name: str, *, hint: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(f"{name} is {text[:20]!r}", hint=hint) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
