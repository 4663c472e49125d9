"""Bodies of requests, read whole before anything else sees them, up to a limit.

Reading first keeps the limit in one place: it holds for bodies with and without `Content-Length`, for every route.
"""

from __future__ import annotations

import asyncio

from milvuslab.studio.guard.wire import Message, Receive, Scope, header
from milvuslab.studio.problem import Problem

__all__ = ["BodyRefusedError", "read_body", "replay"]

_READ_TIMEOUT_S = 30.0
_DRAIN_LIMIT_BYTES = 32_000_000
_DRAIN_TIMEOUT_S = 5.0


class BodyRefusedError(Exception):
    """The body is too large, too slow, or its length makes no sense; `problem` is the answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyRefusedError: it is larger than the limit, or did not arrive within 30 s.
    """
    declared = header(scope, "content-length")
    if declared.isdigit() and int(declared) > limit_bytes:
        await _drain(receive)
        raise BodyRefusedError(_too_large(limit_bytes))
    try:
        body = await asyncio.wait_for(_collect(receive, limit_bytes), timeout=_READ_TIMEOUT_S)
    except (asyncio.TimeoutError, TimeoutError):
        raise BodyRefusedError(
            Problem(status=408, code="timed_out", message=f"the body did not arrive within {_READ_TIMEOUT_S:g} s")
        ) from None
    if body is None:
        await _drain(receive)
        raise BodyRefusedError(_too_large(limit_bytes))
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


def _too_large(limit_bytes: int) -> Problem:
    return Problem(
        status=413,
        code="limit",
        message=f"the body is larger than {limit_bytes:,} bytes",
        hint="send less at once, or raise the setting request_limit_bytes",
        context={"limit": limit_bytes, "setting": "request_limit_bytes"},
    )
