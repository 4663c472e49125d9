"""Which names the studio answers to, and from which pages a browser may change something.

A page of a stranger can make a browser send requests to loopback, and by DNS rebinding even read the answers under a
name of its own. So, on loopback, a request must name loopback (or the configured public address) in `Host`, and whatever
changes something, or opens a websocket, must come from a page of the studio itself.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from milvuslab.studio.guard.wire import Scope, header
from milvuslab.studio.problem import Problem

__all__ = ["AddressCheck", "is_loopback"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine only.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class AddressCheck:
    """Refuses requests under a foreign name and changes from a foreign page.

    Args:
        host: the studio listens on.
        public_url: under which people reach it through a proxy; empty when there is none.
    """

    def __init__(self, *, host: str, public_url: str = "") -> None:
        self._is_loopback = is_loopback(host)
        self._public_host = urlsplit(public_url).netloc.lower()

    def refuse(self, scope: Scope) -> Problem | None:
        """Why this request is not taken, or None."""
        host = header(scope, "host").lower()
        if self._is_loopback and not self._is_own(host):
            return Problem(
                status=403,
                code="forbidden",
                message=f"the studio does not answer to the name {host[:100]!r}",
                hint="open it as localhost or 127.0.0.1; behind a proxy set studio_public_url",
            )
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if changes and not self._comes_from_here(scope, host):
            return Problem(
                status=403,
                code="forbidden",
                message="another site tried to use the studio through this browser",
                hint="use the studio's own page; behind a proxy set studio_public_url",
            )
        return None

    def _is_own(self, host: str) -> bool:
        return is_loopback(_name_of(host)) or (bool(self._public_host) and host == self._public_host)

    def _comes_from_here(self, scope: Scope, host: str) -> bool:
        if header(scope, "sec-fetch-site") == "cross-site":
            return False
        origin = header(scope, "origin")
        if not origin:  # browsers always send it with a change; curl and programs never do
            return True
        return urlsplit(origin).netloc.lower() in {host, self._public_host} - {""}


def _name_of(host: str) -> str:
    """The host without its port.

    >>> _name_of("localhost:8530"), _name_of("[::1]:8530")
    ('localhost', '::1')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
