"""HTML that cannot be broken by what is put into it: text is escaped unless it is markup already."""

from __future__ import annotations

import html
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["Html", "Part", "join", "safe_link", "tag"]

_VOID = frozenset({"br", "img", "input", "meta", "link"})


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


Part = str | Html | None | Iterable["str | Html | None"]


def tag(name: str, /, *parts: Part, **attributes: str | int | bool | None) -> Html:
    """An element; strings in it and in its attributes are escaped, `None` and `False` are left out.

    A trailing underscore of an attribute name is dropped and others become hyphens: `class_`, `aria_label`.

    >>> tag("p", "1 < 2 ", tag("b", "&"), class_="note", hidden=True)
    '<p class="note" hidden>1 &lt; 2 <b>&amp;</b></p>'
    """
    written = "".join(_attribute(key, value=value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*parts)}</{name}>")


def join(*parts: Part) -> Html:
    """The parts one after the other, each escaped unless it is markup."""
    written = []
    for part in parts:
        if part is None:
            continue
        if isinstance(part, Html):
            written.append(str(part))
        elif isinstance(part, str):
            written.append(html.escape(part))
        else:
            written.append(str(join(*part)))
    return Html("".join(written))


def safe_link(url: str) -> str | None:
    """The address, when a browser may be led there: http or https; else None."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _attribute(key: str, *, value: str | int | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
