"""The static parts of the search page: the question with its filters, and the panel that adds a document.

Both are plain forms: the question works without any script, the panel posts to the HTTP API.
"""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.apps.text.document import TextStats
from milvuslab.apps.text.fusion import DEFAULT_FUSION
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.page_state import PageState
from milvuslab.studio.text_desk import IndexQuality
from milvuslab.studio.words.words import LANGUAGES, Words

__all__ = ["render_add_panel", "render_ask_form", "render_shelf"]


def render_ask_form(words: Words, state: PageState, *, query_limit_chars: int) -> Html:
    """Heading, question and filters."""
    question = tag(
        "input", id="q", name="q", type="search", value=state.q, placeholder=words("search.placeholder"),
        autocomplete="off", autofocus=state.is_empty, maxlength=query_limit_chars, enterkeyhint="search",
    )  # fmt: skip
    return tag(
        "form",
        tag("label", words("search.label"), for_="q", class_="unseen"),
        tag(
            "div",
            question,
            tag("button", words("search.button"), type="submit", class_="primary"),
            class_="ask-row",
        ),
        tag("div", _channels(words, state), _across(words, state), class_="ask-how"),
        _filters(words, state),
        id="ask",
        action="/text",
        method="get",
        role="search",
        data_working=words("search.working"),
    )


def render_add_panel(words: Words, *, document_limit_bytes: int) -> Html:
    """The form that stores a document and says after how long a search found it."""
    languages = [tag("option", words("add.language_auto"), value="")]
    languages += [tag("option", name, value=code) for code, name in LANGUAGES.items()]
    return tag(
        "section",
        tag("h2", words("add.heading")),
        tag("p", words("add.intro"), class_="quiet"),
        tag(
            "form",
            tag("label", tag("span", words("add.title")), tag("input", name="title", type="text", maxlength=300)),
            tag(
                "label",
                tag("span", words("add.text")),
                tag("textarea", name="text", rows=6, required=True, placeholder=words("add.text_hint")),
            ),
            tag("p", words("add.drop"), class_="quiet drop-hint"),
            tag(
                "div",
                tag("label", tag("span", words("add.language")), tag("select", languages, name="language")),
                tag("button", words("add.button"), type="submit", class_="primary"),
                class_="add-row",
            ),
            id="add-form",
            data_working=words("add.working"),
            data_limit_bytes=document_limit_bytes,
            data_too_large=words("add.too_large", size=words.size(document_limit_bytes)),
        ),
        class_="panel",
        id="add",
    )


def render_shelf(words: Words, stats: Sequence[TextStats], quality: Sequence[IndexQuality] = ()) -> Html:
    """What the text collections hold, and how good their answers are as far as that was measured."""
    known = {one.collection: one for one in quality}
    rows = [
        tag(
            "li",
            tag("b", one.collection),
            tag("span", one.encoder, class_="badge"),
            tag(
                "span",
                words(
                    "shelf.documents",
                    documents=words.number(one.document_count),
                    passages=words.number(one.passage_count),
                ),
                class_="quiet",
            ),
            _quality(words, known.get(one.collection)),
        )
        for one in stats
    ]
    if not rows:
        return join()
    return tag("section", tag("h2", words("shelf.heading")), tag("ul", rows), class_="panel shelf")


def _quality(words: Words, quality: IndexQuality | None) -> Html | None:
    if quality is None:
        return None
    parts = []
    if quality.recall is not None:
        recall, count = quality.recall.recall, words.number(quality.recall.query_count)
        title = words("quality.recall_title", count=count)
        parts.append(
            tag("li", words("quality.recall", recall=f"{recall:.3f}"), title=title, data_recall=f"{recall:.4f}")
        )
    if quality.fusion is not None:
        key = "quality.fusion_usual" if quality.fusion == DEFAULT_FUSION else "quality.fusion_tuned"
        share = f"{quality.fusion.dense_weight:.0%}"
        parts.append(tag("li", words(key, share=share), title=str(quality.fusion)))
    return tag("ul", parts, class_="quality quiet") if parts else None


def _channels(words: Words, state: PageState) -> Html:
    """By meaning, by words, or by both; nothing chosen takes what the collection has."""
    choices = (
        ("", "channel.auto", "channel.auto_title"),
        ("dense", "channel.dense", "channel.dense_title"),
        ("lexical", "channel.lexical", "channel.lexical_title"),
        ("hybrid", "channel.hybrid", "channel.hybrid_title"),
    )
    radios = [
        tag(
            "label",
            tag("input", type="radio", name="channel", value=value, checked=state.channel == value),
            tag("span", words(name)),
            title=words(title),
        )
        for value, name, title in choices
    ]
    return tag("div", radios, class_="switch", role="radiogroup", aria_label=words("channel.label"))


def _across(words: Words, state: PageState) -> Html:
    """Whether documents of every language may answer."""
    return tag(
        "label",
        tag("input", type="checkbox", name="across", value="1", checked=state.across == "1"),
        tag("span", words("across.label")),
        class_="check",
        title=words("across.title"),
    )


def _filters(words: Words, state: PageState) -> Html:
    options = [("", words("filter.any")), *LANGUAGES.items()]
    language = tag(
        "select",
        [tag("option", name, value=code, selected=code == state.language) for code, name in options],
        name="language",
    )
    score = tag("input", name="min_score", type="number", min="-1", max="1", step="0.05", value=state.min_score)
    fields = (
        ("filter.language", language),
        ("filter.source", tag("input", name="source", type="text", value=state.source, maxlength=64)),
        ("filter.after", tag("input", name="after", type="date", value=state.after)),
        ("filter.before", tag("input", name="before", type="date", value=state.before)),
        ("filter.min_score", score),
    )
    return tag(
        "details",
        tag("summary", words("filter.more")),
        tag("div", [tag("label", tag("span", words(key)), field) for key, field in fields], class_="filter-row"),
        class_="filters",
        open=state.has_filters,
    )
