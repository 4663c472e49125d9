"""Answers of searches as HTML. Everything that comes from a document is escaped by `tag`."""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.apps.text.search import TextAnswer, TextHit
from milvuslab.apps.text.similar import SameDocument, SimilarAnswer
from milvuslab.studio.pages.markup import Html, join, safe_link, tag
from milvuslab.studio.pages.page_state import PageState
from milvuslab.studio.pages.why import render_why
from milvuslab.studio.text_desk import OWN_SOURCE
from milvuslab.studio.words.words import LANGUAGES, Words

__all__ = ["EXAMPLES", "render_answer", "render_empty", "render_passage", "render_similar"]

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


_CHANNELS = {"dense": "channel.dense", "lexical": "channel.lexical", "hybrid": "channel.hybrid"}
_SCORES = {
    "dense": "result.score_dense",
    "lexical": "result.score_lexical",
    "hybrid": "result.score_hybrid",
    "similar": "result.score_similar",
}
_SPREADS = (("", "similar.nearest"), ("0.3", "similar.mixed"), ("0.6", "similar.wide"))
"""Diversity as the page offers it."""


def render_answer(words: Words, answer: TextAnswer, *, state: PageState) -> Html:
    """Where the time went, and the hits.

    Args:
        words: of the page's language.
        answer: what was found.
        state: of the page.
    """
    best = max((hit.score for hit in answer.hits), default=0.0)
    hits = [
        _hit(
            words, hit, state,
            score=_score(words, hit.score, channel=answer.channel, best=best),
            why=render_why(words, hit, channel=answer.channel),
        )
        for hit in answer.hits
    ]  # fmt: skip
    return join(
        _summary(words, answer),
        _note(words, answer),
        tag("ol", hits, class_="hits") if hits else _none(words, state),
    )


def render_similar(words: Words, answer: SimilarAnswer, *, state: PageState, titles: Sequence[str]) -> Html:
    """The way here, the copies of the document, and documents like it.

    Args:
        words: of the page's language.
        answer: what was found.
        state: of the page.
        titles: of the documents in `state.like`.
    """
    hits = [
        _hit(
            words, hit, state,
            score=_score(words, hit.score, channel="similar", best=1.0),
            why=_also_at(words, answer.also_at.get(hit.document_id, ()), state, key="similar.also_at"),
        )
        for hit in answer.hits
    ]  # fmt: skip
    times = (
        ("embed", words("timing.read"), answer.embed_ms),
        ("milvus", words("timing.milvus"), answer.milvus_ms),
    )
    about = words("result.similar_count", count=words.number(len(hits)))
    return join(
        _trail(words, state, titles),
        _also_at(words, answer.also_at.get(answer.document_id, ()), state, key="similar.copies"),
        _times(words, about, f" · {answer.collection} · {answer.encoder}", times=times, total_ms=answer.total_ms),
        _spread(words, state),
        tag("ol", hits, class_="hits") if hits else _none(words, state),
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


def _spread(words: Words, state: PageState) -> Html:
    """How different the similar documents shall be from each other."""
    links = [
        tag(
            "a", words(key), href=state.spread(diversity).href, data_soft=True,
            aria_current="true" if state.diversity == diversity else None,
        )
        for diversity, key in _SPREADS
    ]  # fmt: skip
    return tag("div", tag("span", words("similar.spread"), class_="chips-label"), links, class_="switch", role="group")


def _also_at(words: Words, copies: Sequence[SameDocument], state: PageState, *, key: str) -> Html | None:
    """Where else the same text stands."""
    if not copies:
        return None
    named = [
        tag(
            "li",
            tag("a", same.title, href=state.similar_to(same.document_id).href, data_soft=True),
            tag("span", f" {same.source} · {same.overlap:.0%}", class_="quiet"),
        )
        for same in copies
    ]
    return tag("div", tag("span", words(key), class_="also-label"), tag("ul", named), class_="also")


def _note(words: Words, answer: TextAnswer) -> Html | None:
    """Why words were not searched although they might have been."""
    if not answer.note:
        return None
    detail = tag("span", answer.note, class_="quiet", lang="en")
    return tag("p", words("channel.only_dense"), " ", detail, class_="channel-note")


def _summary(words: Words, answer: TextAnswer) -> Html:
    times = {
        "dense": (
            ("embed", words("timing.embed"), answer.embed_ms),
            ("milvus", words("timing.milvus"), answer.milvus_ms),
        ),
        "lexical": (("words", words("timing.words"), answer.lexical_ms),),
        "hybrid": (
            ("embed", words("timing.embed"), answer.embed_ms),
            ("milvus", words("timing.milvus"), answer.milvus_ms),
            ("fuse", words("timing.fuse"), answer.fuse_ms),
        ),
    }[answer.channel]
    about = words("result.count", count=words.number(len(answer.hits)))
    detail = f" · {words(_CHANNELS[answer.channel])} · {answer.collection} · {answer.encoder}"
    beside = answer.lexical_ms if answer.channel == "hybrid" else None
    return _times(words, about, detail, times=times, total_ms=answer.total_ms, beside_ms=beside)


def _times(
    words: Words,
    about: str,
    detail: str,
    *,
    times: Sequence[tuple[str, str, float]],
    total_ms: float,
    beside_ms: float | None = None,
) -> Html:
    """How many hits, and the parts of the whole time; `beside_ms` went by at the same time as the other parts."""
    rest_ms = max(0.0, total_ms - sum(part for _, _, part in times))
    parts = [*times, ("rest", words("timing.other"), rest_ms)]
    bar = [
        tag("span", class_=f"time-{name}", style=f"width:{100 * part / max(total_ms, 1e-3):.1f}%")
        for name, _, part in parts
    ]
    legend = [
        tag("li", tag("i", class_=f"time-{name}"), label, " ", tag("b", words.milliseconds(part)))
        for name, label, part in parts
    ]
    if beside_ms is not None:
        label = words("timing.beside")
        legend.append(tag("li", tag("i", class_="time-words"), label, " ", tag("b", words.milliseconds(beside_ms))))
    return tag(
        "div",
        tag("p", about, tag("span", detail, class_="quiet"), class_="summary-count"),
        tag("p", words("timing.total", ms=words.milliseconds(total_ms)), class_="summary-total"),
        tag("div", bar, class_="times", aria_hidden="true"),
        tag("ul", legend, class_="times-legend"),
        class_="summary",
    )


def _hit(words: Words, hit: TextHit, state: PageState, *, score: Html, why: Html | None) -> Html:
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
        tag("div", tag("h3", title, lang=hit.language), score, class_="hit-head"),
        tag("p", render_passage(hit.text, hit.highlights), class_="passage", lang=hit.language),
        tag("div", _badges(words, hit), similar, delete if hit.source == OWN_SOURCE else None, class_="hit-foot"),
        why,
        class_="hit",
        data_document=hit.document_id,
    )


def _score(words: Words, score: float, *, channel: str, best: float) -> Html:
    """The score; its bar is a cosine, or, where scores have no end, the share of the best one."""
    is_cosine = channel in ("dense", "similar")
    width = 100 * min(1.0, max(0.0, score if is_cosine else score / best if best > 0 else 0.0))
    return tag(
        "span",
        tag("span", tag("span", style=f"width:{width:.0f}%"), class_="score-bar", aria_hidden="true"),
        tag("span", f"{score:.2f}"),
        class_="score",
        title=words(_SCORES[channel], score=f"{score:.4f}"),
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
