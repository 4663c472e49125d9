"""Headers that tell browsers to load nothing from elsewhere, and to let nobody frame or read the studio."""

from __future__ import annotations

__all__ = ["security_headers"]

_EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
# NiceGUI puts its start script and its styles into the page and compiles Vue templates in the browser, hence the two
# 'unsafe' words for scripts; documents therefore reach a page only through `pages/markup.py`, which escapes.
_PAGES_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def security_headers(*, is_page: bool) -> dict[str, str]:
    """Headers of every answer; pages may load the studio's own files, data loads nothing."""
    return {**_EVERYWHERE, "content-security-policy": _PAGES_POLICY if is_page else _DATA_POLICY}
