"""Bodies of requests, read whole before anything else sees them, up to a limit.

Reading first keeps the limit in one place: it holds for bodies with and without `Content-Length`, for every route.
Pictures may be larger than everything else, so their routes have a limit of their own, and the bodies of all uploads
that are under way together have one too: many at once cannot fill the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator

from milvuslab.studio.guard.wire import Message, Receive, Scope, header
from milvuslab.studio.problem import Problem

__all__ = ["BodyLimits", "BodyRefusedError", "UploadRoom", "read_body", "replay"]

_READ_TIMEOUT_S = 30.0
_DRAIN_LIMIT_BYTES = 32_000_000
_DRAIN_TIMEOUT_S = 5.0


class BodyRefusedError(Exception):
    """The body is too large, too slow, or its length makes no sense; `problem` is the answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, by route.

    Attributes:
        request_bytes: of every request that brings no pictures; the setting `request_limit_bytes`.
        upload_bytes: of requests that bring pictures; the setting `upload_limit_bytes`.
        upload_prefix: how the paths of the latter begin.
    """

    request_bytes: int
    upload_bytes: int
    upload_prefix: str = "/api/v1/images"

    def is_upload(self, scope: Scope) -> bool:
        """Whether a request may bring pictures."""
        return bool(scope["method"] == "POST" and scope["path"].startswith(self.upload_prefix))

    def limit_of(self, scope: Scope) -> tuple[int, str]:
        """Largest body of a request in bytes, and the name of the setting that says so."""
        if self.is_upload(scope):
            return self.upload_bytes, "upload_limit_bytes"
        return self.request_bytes, "request_limit_bytes"


class UploadRoom:
    """Counts the bytes of uploads under way. Used by the event loop alone.

    Args:
        limits: of one body.
        body_count: how many of the largest bodies fit at the same time.
    """

    def __init__(self, limits: BodyLimits, *, body_count: int = 4) -> None:
        self._limits = limits
        self._room_bytes = limits.upload_bytes * body_count

    @contextlib.contextmanager
    def held(self, scope: Scope) -> Iterator[None]:
        """Holds room for the body until the block ends; a body of unknown length counts as the largest.

        Raises:
            BodyRefusedError: there is no room now.
        """
        wanted_bytes = self._wanted(scope)
        if wanted_bytes > self._room_bytes:
            raise BodyRefusedError(
                Problem(
                    status=429,
                    code="rate_limited",
                    message="too many pictures are being sent at the same time",
                    hint="send it again in a moment",
                    headers={"Retry-After": "2"},
                )
            )
        self._room_bytes -= wanted_bytes
        try:
            yield
        finally:
            self._room_bytes += wanted_bytes

    def _wanted(self, scope: Scope) -> int:
        if not self._limits.is_upload(scope):
            return 0
        declared = header(scope, "content-length")
        # What declares more is refused before it is read.
        return min(int(declared), self._limits.upload_bytes) if declared.isdigit() else self._limits.upload_bytes


async def read_body(scope: Scope, receive: Receive, *, limits: BodyLimits) -> bytes:
    """The whole body.

    Raises:
        BodyRefusedError: it is larger than the limit, or did not arrive within 30 s.
    """
    limit_bytes, setting = limits.limit_of(scope)
    declared = header(scope, "content-length")
    if declared.isdigit() and int(declared) > limit_bytes:
        await _drain(receive)
        raise BodyRefusedError(_too_large(limit_bytes, setting))
    try:
        body = await asyncio.wait_for(_collect(receive, limit_bytes), timeout=_READ_TIMEOUT_S)
    except (asyncio.TimeoutError, TimeoutError):
        raise BodyRefusedError(
            Problem(status=408, code="timed_out", message=f"the body did not arrive within {_READ_TIMEOUT_S:g} s")
        ) from None
    if body is None:
        await _drain(receive)
        raise BodyRefusedError(_too_large(limit_bytes, setting))
    return body


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then listens to the real one (for the client going away)."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


async def _collect(receive: Receive, limit_bytes: int) -> bytes | None:
    """The body, or None as soon as it is larger than the limit."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def _drain(receive: Receive) -> None:
    """Takes in a little more of a body that was refused: a client that is still sending would not see the answer."""

    async def read() -> None:
        drained_bytes = 0
        while drained_bytes < _DRAIN_LIMIT_BYTES:
            message = await receive()
            drained_bytes += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return

    try:
        await asyncio.wait_for(read(), timeout=_DRAIN_TIMEOUT_S)
    except (asyncio.TimeoutError, TimeoutError):
        return


def _too_large(limit_bytes: int, setting: str) -> Problem:
    return Problem(
        status=413,
        code="limit",
        message=f"the body is larger than {limit_bytes:,} bytes",
        hint=f"send less at once, or raise the setting {setting}",
        context={"limit": limit_bytes, "setting": setting},
    )
