"""The home page: servers, collections and long work, kept live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.pages.overview import render_collections, render_jobs, render_servers
from milvuslab.studio.words.words import Words

if TYPE_CHECKING:
    from milvuslab.studio.studio import Studio

__all__ = ["HomePage"]

_TICK_S = 1.0


class HomePage:
    """One open tab.

    Args:
        studio: what it shows.
        words: in the tab's language.
    """

    def __init__(self, studio: Studio, words: Words) -> None:
        self._studio = studio
        self._words = words
        self._parts: dict[str, Any] = {}
        self._shown: dict[str, Html] = {}

    def build(self) -> None:
        """Makes the elements."""
        from nicegui import ui

        words = self._words
        ui.html(join(tag("h1", words("home.heading")), tag("p", words("home.intro"), class_="lead")), sanitize=False)
        self._section("servers", "")
        self._section("jobs", words("home.jobs"))
        self._section("collections", words("home.all_collections"))
        doors = (
            ("/text", "nav.text", "home.search_intro"),
            ("/images", "nav.images", "home.images_intro"),
            ("/index-lab", "lab.heading", "home.lab_intro"),
            ("/api-reference", "home.api", "home.api_intro"),
            ("/metrics", "home.metrics", "home.metrics_intro"),
        )
        links = [
            tag("a", tag("b", words(name)), tag("span", words(intro)), href=href, class_="door")
            for href, name, intro in doors
        ]
        ui.html(tag("div", links, class_="doors"), sanitize=False).classes("section")
        self._tick()
        ui.timer(_TICK_S, self._tick)

    def _section(self, name: str, heading: str) -> None:
        from nicegui import ui

        with ui.element("section").classes("section").props(f"id={name}"):
            if heading:
                ui.html(heading, sanitize=False, tag="h2")
            self._parts[name] = ui.html("", sanitize=False)

    def _tick(self) -> None:
        studio, words = self._studio, self._words
        servers = studio.servers.views()
        self._set("servers", render_servers(words, servers if servers or studio.servers.is_listed else None))
        self._set("jobs", render_jobs(words, studio.jobs.latest()))
        self._set("collections", render_collections(words, servers))

    def _set(self, name: str, content: Html) -> None:
        """Sends the content only when it changed."""
        if self._shown.get(name) != content:
            self._shown[name] = content
            self._parts[name].set_content(str(content))
