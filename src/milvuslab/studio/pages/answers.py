"""Answers of searches as HTML. Everything that comes from a document is escaped by `tag`."""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.apps.text.search import TextAnswer, TextHit
from milvuslab.studio.pages.markup import Html, join, safe_link, tag
from milvuslab.studio.pages.page_state import PageState
from milvuslab.studio.text_desk import OWN_SOURCE
from milvuslab.studio.words.words import LANGUAGES, Words

__all__ = ["EXAMPLES", "render_answer", "render_empty", "render_passage"]

EXAMPLES = {
    "en": ("why does snow reflect sunlight", "bushfires near Sydney", "who taught Alexander"),
    "ko": ("표의 셀을 합치는 방법", "문서에 암호를 걸고 싶다", "차트에 추세선 넣기"),
}
"""Questions the sample documents answer."""


def render_empty(words: Words) -> Html:
    """Example questions in both languages."""
    rows = []
    for code, label in (("ko", words("empty.examples_ko")), ("en", words("empty.examples_en"))):
        chips = [
            tag("a", question, href=PageState(q=question).href, class_="chip", lang=code, data_soft=True)
            for question in EXAMPLES[code]
        ]
        rows.append(tag("div", tag("span", label, class_="chips-label"), join(chips), class_="chips"))
    return join(rows if words.language == "ko" else rows[::-1])


def render_answer(words: Words, answer: TextAnswer, *, state: PageState, titles: Sequence[str]) -> Html:
    """The way here, where the time went, and the hits.

    Args:
        words: of the page's language.
        answer: what was found.
        state: of the page.
        titles: of the documents in `state.like`.
    """
    return join(
        _trail(words, state, titles),
        _summary(words, answer, is_similar=bool(state.like)),
        tag("ol", [_hit(words, hit, state) for hit in answer.hits], class_="hits")
        if answer.hits
        else _none(words, state),
    )


def render_passage(text: str, highlights: Sequence[tuple[int, int]]) -> Html:
    """The passage with its highlighted ranges marked.

    >>> str(render_passage("<b>snow</b>", [(3, 7)]))
    '&lt;b&gt;<mark>snow</mark>&lt;/b&gt;'
    """
    parts: list[str | Html] = []
    done = 0
    for begin, end in highlights:
        parts += [text[done:begin], tag("mark", text[begin:end])]
        done = end
    return join(parts, text[done:])


def _trail(words: Words, state: PageState, titles: Sequence[str]) -> Html | None:
    if not state.like:
        return None
    crumbs = []
    if state.q:
        crumbs.append(tag("li", tag("a", f"“{state.q}”", href=state.back_to(0).href, data_soft=True)))
    for position, title in enumerate(titles[:-1], start=1):
        crumbs.append(tag("li", tag("a", title, href=state.back_to(position).href, data_soft=True)))
    heading = tag("h2", tag("span", words("similar.heading"), class_="similar-label"), titles[-1], class_="similar-of")
    way = tag("nav", tag("ol", crumbs), class_="trail", aria_label=words("trail.label")) if crumbs else None
    return join(way, heading)


def _summary(words: Words, answer: TextAnswer, *, is_similar: bool) -> Html:
    key = "result.similar_count" if is_similar else "result.count"
    rest_ms = max(0.0, answer.total_ms - answer.embed_ms - answer.milvus_ms)
    parts = (("embed", answer.embed_ms), ("milvus", answer.milvus_ms), ("rest", rest_ms))
    labels = {"embed": words("timing.embed"), "milvus": words("timing.milvus"), "rest": words("timing.other")}
    total_ms = max(answer.total_ms, 1e-3)
    bar = [tag("span", class_=f"time-{name}", style=f"width:{100 * part / total_ms:.1f}%") for name, part in parts]
    legend = [
        tag("li", tag("i", class_=f"time-{name}"), labels[name], " ", tag("b", words.milliseconds(part)))
        for name, part in parts
    ]
    return tag(
        "div",
        tag("p", words(key, count=words.number(len(answer.hits))),
            tag("span", f" · {answer.collection} · {answer.encoder}", class_="quiet"), class_="summary-count"),
        tag("p", words("timing.total", ms=words.milliseconds(answer.total_ms)), class_="summary-total"),
        tag("div", bar, class_="times", aria_hidden="true"),
        tag("ul", legend, class_="times-legend"),
        class_="summary",
    )  # fmt: skip


def _hit(words: Words, hit: TextHit, state: PageState) -> Html:
    link = safe_link(hit.url)
    title = tag("a", hit.title, href=link, target="_blank", rel="noopener noreferrer") if link else hit.title
    similar = tag(
        "a", words("result.similar"), href=state.similar_to(hit.document_id).href, class_="action", data_soft=True,
        data_similar=True,
    )  # fmt: skip
    delete = tag(
        "button", words("delete.button"), type="button", class_="action is-delete", data_delete=hit.document_id,
        data_confirm=words("delete.confirm"),
    )  # fmt: skip
    return tag(
        "li",
        tag("div", tag("h3", title, lang=hit.language), _score(words, hit.score), class_="hit-head"),
        tag("p", render_passage(hit.text, hit.highlights), class_="passage", lang=hit.language),
        tag("div", _badges(words, hit), similar, delete if hit.source == OWN_SOURCE else None, class_="hit-foot"),
        class_="hit",
        data_document=hit.document_id,
    )


def _score(words: Words, score: float) -> Html:
    shown = f"{score:.2f}"
    width = f"width:{100 * min(1.0, max(0.0, score)):.0f}%"
    return tag(
        "span",
        tag("span", tag("span", style=width), class_="score-bar", aria_hidden="true"),
        tag("span", shown),
        class_="score",
        title=words("result.score", score=f"{score:.4f}"),
    )


def _badges(words: Words, hit: TextHit) -> Html:
    badges = [LANGUAGES.get(hit.language, hit.language), hit.source]
    if hit.published_at_s is not None:
        badges.append(words.day(hit.published_at_s))
    if hit.ordinal:
        badges.append(words("result.passage", number=hit.ordinal + 1))
    return tag("span", [tag("span", badge, class_="badge") for badge in badges if badge], class_="badges")


def _none(words: Words, state: PageState) -> Html:
    reset = tag("a", words("filter.reset"), href=state.without_filters().href, class_="action", data_soft=True)
    return tag(
        "div",
        tag("p", words("result.none"), class_="none-title"),
        tag("p", words("result.none_hint"), class_="quiet"),
        reset if state.has_filters else None,
        class_="none",
    )
