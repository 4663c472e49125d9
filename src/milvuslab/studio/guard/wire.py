"""The few pieces of ASGI that the door needs: reading headers, and sending a whole answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from milvuslab.studio.problem import Problem

__all__ = ["App", "Message", "Receive", "Scope", "Send", "header", "send_problem", "send_whole"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: str) -> str:
    """The value of a header, or an empty string; several are joined by a comma as HTTP does."""
    wanted = name.lower().encode("latin-1")
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == wanted)


async def send_whole(
    send: Send, *, status: int, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> None:
    """Sends an answer that is at hand as a whole."""
    fields = {"content-type": media_type, "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: Problem, *, request_id: str) -> None:
    """Sends an error in the one form."""
    await send_whole(
        send,
        status=problem.status,
        body=problem.body(request_id),
        media_type="application/json",
        headers=problem.headers,
    )
