"""The key of a studio that others can reach: `Authorization: Bearer KEY`, or a cookie that the sign-in form gave.

The cookie holds its end and a code over it made with the key, so nothing is kept on the server, a restart signs nobody
out and a changed key signs everybody out. Comparisons take the same time for right and wrong values.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.cookies

from milvuslab.model.settings import Secret
from milvuslab.studio.guard.wire import Scope, header

__all__ = ["COOKIE_NAME", "SESSION_LIFETIME_S", "KeyCheck"]

COOKIE_NAME = "milvuslab_session"
SESSION_LIFETIME_S = 12 * 3_600
_OPEN_PATHS = frozenset({"/login", "/api/v1/health", "/favicon.ico"})
_OPEN_PREFIXES = ("/static/", "/language/")


class KeyCheck:
    """Knows whether a request showed the key; with no key set everything is allowed.

    Args:
        key: the setting `studio_key`.
    """

    def __init__(self, key: Secret) -> None:
        self._key = key

    def allows(self, scope: Scope) -> bool:
        """Whether the request may pass: an open path, the right key, or a valid cookie."""
        path = scope["path"]
        if not self._key or path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES):
            return True
        scheme, _, given = header(scope, "authorization").partition(" ")
        if scheme.lower() == "bearer" and self.matches(given.strip()):
            return True
        return self._is_session(_cookie(scope))

    def matches(self, given: str) -> bool:
        """Whether this is the key."""
        # Digests have one length, so not even the length of the key shows in the time taken.
        return bool(self._key) and hmac.compare_digest(_digest(given), _digest(self._key.reveal()))

    def session(self) -> str:
        """Value of a cookie that is good for twelve hours."""
        ends_at_s = int(dt.datetime.now(dt.timezone.utc).timestamp()) + SESSION_LIFETIME_S
        return f"{ends_at_s}.{self._sign(str(ends_at_s))}"

    def _is_session(self, value: str) -> bool:
        ends_at_s, _, code = value.partition(".")
        if not ends_at_s.isdecimal() or not hmac.compare_digest(_digest(code), _digest(self._sign(ends_at_s))):
            return False
        return dt.datetime.now(dt.timezone.utc).timestamp() < int(ends_at_s)

    def _sign(self, text: str) -> str:
        message = f"milvuslab studio session {text}".encode()
        return hmac.new(self._key.reveal().encode(), message, hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _cookie(scope: Scope) -> str:
    jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    try:
        jar.load(header(scope, "cookie"))
    except http.cookies.CookieError:
        return ""
    return jar[COOKIE_NAME].value if COOKIE_NAME in jar else ""
