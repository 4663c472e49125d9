"""What all pages share: head, header, language switch; and the pages that need no script: sign-in, not found."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from urllib.parse import quote

from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.words.words import LANGUAGES, Words

__all__ = ["asset", "head_html", "render_footer", "render_header", "render_login", "render_plain"]


@functools.cache
def asset(name: str) -> bytes:
    """A file of `static/`."""
    return resources.files("milvuslab.studio").joinpath("static", name).read_bytes()


def head_html(words: Words, *, scripts: Sequence[str] = ()) -> str:
    """What a page loads besides NiceGUI's own files; addresses change with the content, so browsers may keep them.

    Args:
        words: of the page's language.
        scripts: names of further scripts of this page.
    """
    return str(
        join(
            Html(f'<script>document.documentElement.lang = "{words.language}"</script>'),
            tag("meta", name="color-scheme", content="light dark"),
            tag("link", rel="stylesheet", href=_address("studio.css")),
            tag("script", src=_address("studio.js"), defer=True),
            [tag("script", src=_address(name), defer=True) for name in scripts],
            tag("link", rel="icon", type="image/svg+xml", href=_address("icon.svg")),
        )
    )


def render_header(words: Words, *, active: str, path: str) -> Html:
    """Brand, pages and languages.

    Args:
        words: of the page's language.
        active: `home`, `text`, `images`, `lab` or `api`.
        path: of the page with its query, to come back to after a change of language.
    """
    pages = (
        ("home", "/", "nav.home"),
        ("text", "/text", "nav.text"),
        ("images", "/images", "nav.images"),
        ("lab", "/index-lab", "nav.lab"),
        ("api", "/api-reference", "nav.api"),
    )
    links = [
        tag("a", words(key), href=href, aria_current="page" if name == active else None) for name, href, key in pages
    ]
    languages = [
        tag(
            "a",
            name,
            href=f"/language/{code}?next={quote(path, safe='')}",
            lang=code,
            hreflang=code,
            aria_current="true" if code == words.language else None,
            data_language=code,
        )
        for code, name in LANGUAGES.items()
    ]
    brand = tag(
        "a", tag("img", src=_address("icon.svg"), alt="", width=26, height=26), tag("b", "milvuslab"),
        tag("span", words("brand.tagline")), href="/", class_="brand",
    )  # fmt: skip
    return join(
        tag("a", words("nav.skip"), href="#main", class_="skip"),
        tag(
            "div",
            brand,
            tag("nav", links, class_="pages"),
            tag("nav", languages, class_="languages", aria_label=words("nav.language")),
            class_="bar-row",
        ),
    )


def render_footer(words: Words) -> Html:
    """Shown by the script while the studio does not answer."""
    return tag(
        "div",
        tag("b", words("error.lost")),
        " ",
        words("error.lost_hint"),
        id="lost",
        role="status",
        hidden=True,
    )


def render_login(words: Words, *, target: str, is_wrong: bool) -> str:
    """The sign-in form, a page of its own without any script."""
    form = tag(
        "form",
        tag("h1", words("login.heading")),
        tag("p", words("login.intro"), class_="quiet"),
        tag("p", words("login.wrong"), class_="notice is-error", role="alert") if is_wrong else None,
        tag("label", tag("span", words("login.key")),
            tag("input", name="key", type="password", autocomplete="current-password", required=True, autofocus=True)),
        tag("input", name="next", type="hidden", value=target),
        tag("button", words("login.button"), type="submit", class_="primary"),
        method="post", action="/login", class_="login panel",
    )  # fmt: skip
    return render_plain(words, title=words("login.heading"), body=form)


def render_plain(words: Words, *, title: str, body: Html) -> str:
    """A whole HTML document without NiceGUI."""
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · milvuslab"),
        tag("link", rel="stylesheet", href=_address("studio.css")),
        tag("link", rel="icon", type="image/svg+xml", href=_address("icon.svg")),
    )
    page = tag(
        "html",
        tag("head", head),
        tag("body", tag("main", body, id="main", class_="content plain")),
        lang=words.language,
    )
    return f"<!doctype html>{page}"


@functools.cache
def _address(name: str) -> str:
    return f"/static/{name}?v={hashlib.sha256(asset(name)).hexdigest()[:12]}"
