"""The door: every request comes through here, gets a number, is checked, counted, and answered whatever happens.

Order: valid address, own name and own page (`address`), key (`key`), body (`body`), then the API or the pages. What is
raised inside and not turned into an answer is logged with its traceback and becomes a 500 in the one form.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from milvuslab.studio.guard.address import AddressCheck
from milvuslab.studio.guard.body import BodyLimits, BodyRefusedError, UploadRoom, read_body, replay
from milvuslab.studio.guard.headers import security_headers
from milvuslab.studio.guard.key import KeyCheck
from milvuslab.studio.guard.wire import App, Message, Receive, Scope, Send, header, send_problem, send_whole
from milvuslab.studio.problem import Problem

if TYPE_CHECKING:
    from milvuslab.studio.metrics import StudioMetrics

__all__ = ["Door"]

_LOG = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOT_KEPT = {"cache-control": "no-store"}


class Door:
    """The ASGI application that the server runs.

    Args:
        api: answers `/api/...`.
        pages: answers everything else, and owns start and end of the process.
        metrics: counts requests; also answers `/metrics`.
        address: which names and origins are taken.
        key: who is let in.
        limits: largest bodies.
    """

    def __init__(
        self,
        *,
        api: App,
        pages: App,
        metrics: StudioMetrics,
        address: AddressCheck,
        key: KeyCheck,
        limits: BodyLimits,
    ) -> None:
        self._api = api
        self._pages = pages
        self._metrics = metrics
        self._address = address
        self._key = key
        self._limits = limits
        self._room = UploadRoom(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one connection."""
        if scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._open_websocket(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _open_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._address.refuse(scope) or not self._key.allows(scope):
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
            return
        await self._pages(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = header(scope, "x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["milvuslab.request_id"] = request_id
        answer = _Answer(send, request_id=request_id, is_page=not _is_data(scope))
        began_s = time.perf_counter()
        self._metrics.request_began()
        try:
            await self._pass_on(scope, receive, answer.send, request_id)
        except Exception:  # noqa: BLE001  the process goes on whatever one request does
            _LOG.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            if not answer.status:
                await send_problem(answer.send, _internal(), request_id=request_id)
        finally:
            self._metrics.request_ended(
                method=scope["method"],
                route=_route_of(scope),
                status=answer.status,
                duration_s=time.perf_counter() - began_s,
            )

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        problem = _refuse_encoding(scope) or self._address.refuse(scope)
        if problem is None and not self._key.allows(scope):
            if _is_data(scope) or scope["method"] != "GET":
                problem = _unauthorized()
            else:
                await _send_to_login(scope, send)
                return
        if problem is not None:
            await send_problem(send, problem, request_id=request_id)
            return
        try:
            with self._room.held(scope):
                body = await read_body(scope, receive, limits=self._limits)
                await self._inner(scope)(scope, replay(body, receive), send)
        except BodyRefusedError as refused:
            await send_problem(send, refused.problem, request_id=request_id)

    def _inner(self, scope: Scope) -> App:
        if scope["path"] == "/metrics" and scope["method"] == "GET":
            return self._send_metrics
        return self._api if _is_data(scope) else self._pages

    async def _send_metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        media_type, body = self._metrics.render()
        scope["route"] = "/metrics"
        await send_whole(send, status=200, body=body, media_type=media_type)


class _Answer:
    """Sees an answer pass: adds its headers and keeps its status."""

    def __init__(self, send: Send, *, request_id: str, is_page: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._is_page = is_page
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            own = {**security_headers(is_page=self._is_page), **_NOT_KEPT, "x-request-id": self._request_id}
            headers += [
                (name.encode(), value.encode("latin-1")) for name, value in own.items() if name.encode() not in present
            ]
            message = {**message, "headers": headers}
        await self._send(message)


def _is_data(scope: Scope) -> bool:
    return scope["path"].startswith("/api/") or scope["path"] in ("/api", "/metrics")


def _route_of(scope: Scope) -> str:
    """The route's pattern, never the path: the number of different values must stay small."""
    route = scope.get("route")
    pattern = route if isinstance(route, str) else getattr(route, "path", "")
    return "/_nicegui" if pattern.startswith("/_nicegui") else pattern or "other"


def _refuse_encoding(scope: Scope) -> Problem | None:
    if _is_utf8(scope.get("raw_path") or b"") and _is_utf8(scope["query_string"]) and "\0" not in scope["path"]:
        return None
    return Problem(
        status=400,
        code="bad_request",
        message="the address is not valid UTF-8, or holds a NUL",
        hint="percent-encode it as UTF-8: curl -G --data-urlencode 'q=...'",
    )


def _is_utf8(quoted: bytes) -> bool:
    from urllib.parse import unquote_to_bytes

    try:
        unquote_to_bytes(quoted).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


async def _send_to_login(scope: Scope, send: Send) -> None:
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    target = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"
    await send_whole(send, status=303, body=b"", media_type="text/plain", headers={"Location": target})


def _unauthorized() -> Problem:
    return Problem(
        status=401,
        code="unauthorized",
        message="this studio asks for its key",
        hint="send 'Authorization: Bearer KEY', KEY being the setting studio_key",
        headers={"WWW-Authenticate": 'Bearer realm="milvuslab studio"'},
    )


def _internal() -> Problem:
    return Problem(
        status=500,
        code="internal",
        message="the studio made a mistake",
        hint="the request id leads to the traceback in the studio's log",
    )
