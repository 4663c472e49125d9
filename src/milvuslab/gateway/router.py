"""One name for several proxies of a cluster: a call goes to one of them, and to another when that one is dead.

A client stays with one proxy while it answers: what it wrote there it finds there, and proxies learn of a moved alias
one after the other (milvus#52351). Clients begin at different proxies by lot.

What moves on: a call that reached nobody (`UnreachableError`: nothing was executed), and a call that changes nothing and got
no answer. A write that got no answer is never sent again: its error says that the outcome is unknown.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from milvuslab.gateway.client import CHUNK_BYTES, Gateway, open_gateway
from milvuslab.gateway.retry import RetryPolicy, run_with_retry
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.caller import Caller
from milvuslab.gateway.wire.channel import open_link
from milvuslab.model.errors import MilvusLabError, TimedOutError, UnreachableError
from milvuslab.model.server import Endpoint

__all__ = ["Router", "connect_any"]


class Router(Caller):
    """Sends each request over one of several links. Safe to use from many threads.

    Args:
        lanes: one caller for each proxy; they try once.
        call_timeout_s: deadline of one try.
        retry: how often all lanes are tried, when none answered.
        dice: decides where this client begins, and the pauses; None throws its own.
    """

    def __init__(
        self, lanes: Sequence[Caller], *, call_timeout_s: float, retry: RetryPolicy, dice: random.Random | None = None
    ) -> None:
        assert lanes, "a router needs somewhere to go"
        self._lanes = tuple(lanes)
        self._retry = retry
        self._dice = dice or random.Random()  # noqa: S311  (spreading clients, nothing secret)
        self._current = self._dice.randrange(len(self._lanes))
        self._lock = threading.Lock()
        self.call_timeout_s = call_timeout_s
        self.moved_count = 0

    @property
    def current(self) -> int:
        """Number of the lane that the next call takes, from 0."""
        with self._lock:
            return self._current

    def opener(self, method: str) -> Callable[[bytes, float], Any]:
        """As `Caller.opener`, over the lane of this moment: what is measured does not move."""
        return self._lanes[self.current].opener(method)

    def close(self) -> None:
        """Ends all connections."""
        for lane in self._lanes:
            lane.close()

    def _call(self, method: str, request: Any, *, what: str, timeout_s: float | None, is_idempotent: bool) -> Any:
        body = request if isinstance(request, bytes) else request.SerializeToString()
        deadline_s = timeout_s if timeout_s is not None else self.call_timeout_s

        def send(lane: Caller) -> Any:
            ask = lane.read if is_idempotent else lane.change
            return ask(method, body, what=what, timeout_s=deadline_s)

        return run_with_retry(
            lambda: self._send_somewhere(send, is_idempotent=is_idempotent),
            policy=self._retry,
            is_idempotent=is_idempotent,
            dice=self._dice,
        )

    def _send_somewhere(self, send: Callable[[Caller], Any], *, is_idempotent: bool) -> Any:
        """The answer of the first lane that gives one, beginning with the current lane."""
        first = self.current
        failure: MilvusLabError | None = None
        for step in range(len(self._lanes)):
            number = (first + step) % len(self._lanes)
            try:
                answer = send(self._lanes[number])
            except UnreachableError as error:
                failure = error
            except TimedOutError as error:
                if not is_idempotent:
                    self._leave(number)
                    raise _as_unknown(error) from error
                failure = error
            else:
                return answer
            self._leave(number)
        assert failure is not None, "there is at least one lane"
        raise failure

    def _leave(self, number: int) -> None:
        """Later calls begin elsewhere, unless another thread has moved on already."""
        with self._lock:
            if self._current == number:
                self._current = (number + 1) % len(self._lanes)
                self.moved_count += 1


def connect_any(
    endpoints: Sequence[Endpoint],
    *,
    call_timeout_s: float = 10.0,
    retry: RetryPolicy | None = None,
    cache_dir: Path | None = None,
    probe_timeout_s: float = 5.0,
    dice: random.Random | None = None,
) -> Gateway:
    """A gateway to a cluster by all of its proxies, after one of them told its version.

    Args:
        endpoints: one for each proxy, at least one; token and certificates as for one server.
        call_timeout_s: deadline of one try of a call that names none.
        retry: how often all proxies are tried when none answered; None is `RetryPolicy()`. Under `RetryPolicy.never()` each
            proxy is still tried once.
        cache_dir: where probed capabilities are kept.
        probe_timeout_s: deadline of each trial when the capabilities are probed.
        dice: decides which proxy this client begins with; None throws its own.

    Raises:
        UnreachableError, TimedOutError: no proxy answers.
        ForbiddenError: the token is missing or wrong.
    """
    lanes: list[Caller] = []
    try:
        for endpoint in endpoints:
            lanes.append(Caller(open_link(endpoint), call_timeout_s=call_timeout_s, retry=RetryPolicy.never()))
        router = Router(lanes, call_timeout_s=call_timeout_s, retry=retry or RetryPolicy(), dice=dice)
        session = Session(endpoints[0], router, chunk_bytes=CHUNK_BYTES)
        return open_gateway(session, cache_dir=cache_dir, probe_timeout_s=probe_timeout_s)
    except BaseException:
        for lane in lanes:
            lane.close()
        raise


def _as_unknown(error: TimedOutError) -> TimedOutError:
    return TimedOutError(
        f"{error.message}; whether it was executed is unknown",
        hint="read what is there before you write it again; an upsert may simply be repeated",
        context={**error.context, "outcome": "unknown"},
    )
