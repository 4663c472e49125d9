"""The static parts of the search page: the question with its filters, and the panel that adds a document.

Both are plain forms: the question works without any script, the panel posts to the HTTP API.
"""

from __future__ import annotations

from collections.abc import Sequence

from milvuslab.apps.text.document import TextStats
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.page_state import PageState
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


def render_shelf(words: Words, stats: Sequence[TextStats]) -> Html:
    """What the text collections hold."""
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
        )
        for one in stats
    ]
    if not rows:
        return join()
    return tag("section", tag("h2", words("shelf.heading")), tag("ul", rows), class_="panel shelf")


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
