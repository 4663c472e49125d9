"""The page of the pictures: a frame that the script of the page fills from the HTTP API.

What is asked lies in the browser (a picture that was dropped is sent with every question and kept nowhere), so this page
renders the frame, hands the script its words, and keeps only the banner live.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from milvuslab.studio.image_desk import OWN_SOURCE
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.notices import list_titles, render_banner
from milvuslab.studio.words.words import Words

if TYPE_CHECKING:
    from milvuslab.studio.studio import Studio

__all__ = ["IMAGE_SCRIPTS", "ImagePage", "render_image_frame"]

IMAGE_SCRIPTS = ("image-map.js", "images.js")
_TICK_S = 2.0
_TABS = (
    ("search", "image.search"),
    ("map", "image.map"),
    ("clusters", "image.clusters"),
    ("duplicates", "image.duplicates"),
)
_SAID_BY_SCRIPT = (
    "image.any",
    "image.browse",
    "image.classes",
    "image.classes_hint",
    "image.classes_measured",
    "image.close",
    "image.clusters_running",
    "image.comparing",
    "image.confidence",
    "image.count",
    "image.delete",
    "image.delete_confirm",
    "image.disliked",
    "image.duplicates_running",
    "image.evidence_file",
    "image.evidence_geometry",
    "image.evidence_hash",
    "image.flip",
    "image.groups",
    "image.less",
    "image.less_short",
    "image.liked",
    "image.map_hint",
    "image.map_label",
    "image.map_other",
    "image.map_running",
    "image.map_unlabelled",
    "image.medoid",
    "image.more",
    "image.more_short",
    "image.no_hits",
    "image.none_yet",
    "image.none_yet_hint",
    "image.not_same",
    "image.open",
    "image.outliers",
    "image.outliers_hint",
    "image.pasted",
    "image.pictures",
    "image.remove",
    "image.running",
    "image.same",
    "image.same_mirrored",
    "image.score",
    "image.score_ari",
    "image.score_nmi",
    "image.score_silhouette",
    "image.time_decode",
    "image.time_embed",
    "image.time_milvus",
    "image.time_rest",
    "image.too_large",
    "image.total",
    "image.twin",
    "image.twin_groups",
    "image.unsure",
    "image.why",
    "image.why_heading",
)


class ImagePage:
    """One open tab.

    Args:
        studio: what it shows.
        words: in the tab's language.
    """

    def __init__(self, studio: Studio, words: Words) -> None:
        self._studio = studio
        self._words = words
        self._shown = ""

    def build(self) -> None:
        """Makes the elements."""
        from nicegui import ui

        settings = self._studio.settings
        # Our markup escapes whatever it is given (`markup.py`).
        self._banner = ui.html("", sanitize=False)
        ui.html(render_image_frame(self._words, limit_bytes=settings.upload_limit_bytes), sanitize=False)
        ui.timer(_TICK_S, self._tick)
        self._tick()

    def _tick(self) -> None:
        studio = self._studio
        content = render_banner(
            self._words, servers=studio.servers.views(), encoders=studio.image_encoders.views(),
            jobs=studio.jobs.latest(), text_server=studio.images.server,
        )  # fmt: skip
        if content != self._shown:
            self._shown = content
            self._banner.set_content(str(content))


def render_image_frame(words: Words, *, limit_bytes: int) -> Html:
    """The page without any picture.

    Args:
        words: of the page's language.
        limit_bytes: largest file that the script sends.
    """
    tabs = [
        tag(
            "button",
            words(key),
            type="button",
            role="tab",
            data_tab=name,
            id=f"tab-{name}",
            aria_controls=f"panel-{name}",
        )
        for name, key in _TABS
    ]
    return tag(
        "div",
        tag("h1", words("image.heading")),
        tag("p", words("image.intro"), class_="lead"),
        tag(
            "div",
            tag("div", tabs, role="tablist", class_="tabs", aria_label=words("image.views")),
            _choice(words("image.collection"), "image-collection"),
            class_="image-bar",
        ),
        _panel("search", _search_panel(words)),
        _panel("map", tag("div", id="image-map", class_="image-map")),
        _panel("clusters", join(_methods(words), tag("div", id="image-groups", aria_live="polite"))),
        _panel("duplicates", tag("div", id="image-twins", aria_live="polite")),
        tag("dialog", id="image-view", class_="view", aria_label=words("image.heading")),
        id="images-app",
        data_words=_texts(words),
        data_limit_bytes=limit_bytes,
        data_own_source=OWN_SOURCE,
    )


def _panel(name: str, content: Html) -> Html:
    return tag("section", content, id=f"panel-{name}", role="tabpanel", aria_labelledby=f"tab-{name}", hidden=True)


def _search_panel(words: Words) -> Html:
    return tag(
        "div",
        tag("div", tag("div", id="image-results", aria_live="polite"), class_="results"),
        tag("aside", _question(words), tag("div", id="image-classes", aria_live="polite"), class_="aside"),
        class_="columns image-columns",
    )


def _question(words: Words) -> Html:
    """What is asked: a place for pictures, the examples so far, the part that counts, words, filters."""
    drop = tag(
        "label",
        tag("span", words("image.drop"), class_="drop-text"),
        tag("span", words("image.choose"), class_="primary drop-button"),
        tag("input", id="image-file", type="file", accept="image/*", multiple=True, class_="unseen"),
        id="image-drop",
        class_="drop",
    )
    crop = tag(
        "div",
        tag(
            "div", tag("canvas"), tag("div", id="image-box", hidden=True), class_="crop-frame", tabindex=0, role="application",
            aria_label=words("image.crop_label"), aria_describedby="image-crop-hint",
        ),
        tag("p", words("image.crop"), class_="quiet", id="image-crop-hint"),
        tag("button", words("image.whole"), type="button", id="image-whole", class_="action", hidden=True),
        id="image-crop",
        hidden=True,
    )  # fmt: skip
    text = tag(
        "form",
        tag(
            "label",
            tag("span", words("image.text")),
            tag("input", id="image-words", type="search", placeholder=words("image.text_hint"), maxlength=500),
        ),
        tag("button", words("image.text_button"), type="submit", class_="primary"),
        id="image-text",
        hidden=True,
    )
    filters = tag(
        "div",
        _choice(words("image.label"), "image-label"),
        _choice(words("image.source"), "image-source"),
        class_="filter-row",
    )
    return tag(
        "section",
        drop,
        tag("ul", id="image-examples", class_="examples", aria_label=words("image.examples"), aria_live="polite"),
        crop,
        tag("button", words("image.clear"), type="button", id="image-clear", class_="action", hidden=True),
        text,
        filters,
        class_="panel image-question",
    )


def _choice(label: str, name: str) -> Html:
    return tag("label", tag("span", label), tag("select", id=name), hidden=True)


def _methods(words: Words) -> Html:
    choices = [
        tag("option", words("image.method_kmeans"), value="kmeans"),
        tag("option", words("image.method_hdbscan"), value="hdbscan"),
    ]
    return tag(
        "label", tag("span", words("image.method")), tag("select", choices, id="image-method"), class_="image-method"
    )


def _texts(words: Words) -> str:
    """What the script says: texts by their key without `image.`, titles of errors as `title:CODE`."""
    texts: dict[str, Any] = {key.partition(".")[2]: words.template(key) for key in _SAID_BY_SCRIPT}
    return json.dumps({**texts, **{f"title:{code}": title for code, title in list_titles(words).items()}})
