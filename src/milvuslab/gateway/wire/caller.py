"""One call to a server: deadline, retries, and a failed answer turned into our error."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from milvuslab.gateway.errors import from_status, translated
from milvuslab.gateway.retry import RetryPolicy, run_with_retry
from milvuslab.gateway.wire.channel import Link
from milvuslab.gateway.wire.protos import load_protos

__all__ = ["Caller", "check_status"]


class Caller:
    """Sends requests over one link. Safe to use from many threads."""

    def __init__(
        self, link: Link, *, call_timeout_s: float, retry: RetryPolicy, dice: random.Random | None = None
    ) -> None:
        self._link = link
        self._retry = retry
        self._dice = dice or random.Random()  # noqa: S311  (jitter, nothing secret)
        self._methods: dict[str, Callable[..., Any]] = {}
        self._lock = threading.Lock()
        self.call_timeout_s = call_timeout_s

    def read(self, method: str, request: Any, *, what: str, timeout_s: float | None = None) -> Any:
        """The answer to a call that changes nothing: it may be repeated after a timeout.

        Raises:
            MilvusLabError: the failure, by the table of `gateway/errors.py`.
        """
        return self._call(method, request, what=what, timeout_s=timeout_s, is_idempotent=True)

    def change(self, method: str, request: Any, *, what: str, timeout_s: float | None = None) -> Any:
        """The answer to a call that changes something: repeated only when nothing was executed.

        Args:
            method: name of the call in Milvus's service.
            request: a message, or the bytes of one already written.
            what: the message of an error begins with it.
            timeout_s: deadline of each try; None takes the gateway's.

        Raises:
            TimedOutError: no answer; whether it was executed is unknown.
            MilvusLabError: the failure, by the table of `gateway/errors.py`.
        """
        return self._call(method, request, what=what, timeout_s=timeout_s, is_idempotent=False)

    def opener(self, method: str) -> Callable[[bytes, float], Any]:
        """A function of request bytes and seconds that sends at once and returns gRPC's future of the answer's bytes.

        Nothing is tried again, nothing is parsed: for measuring, where the client's own work must be small.
        """
        start = self._link.channel.unary_unary(
            load_protos().path(method), request_serializer=None, response_deserializer=None
        ).future
        metadata = self._link.metadata or None

        def send(body: bytes, timeout_s: float) -> Any:
            return start(body, timeout_s, metadata)

        return send

    def close(self) -> None:
        """Ends the connection."""
        self._link.close()

    def _call(self, method: str, request: Any, *, what: str, timeout_s: float | None, is_idempotent: bool) -> Any:
        send = self._method(method)
        body = request if isinstance(request, bytes) else request.SerializeToString()
        deadline_s = timeout_s if timeout_s is not None else self.call_timeout_s
        return run_with_retry(
            lambda: _send_once(send, body, metadata=self._link.metadata, timeout_s=deadline_s, what=what),
            policy=self._retry,
            is_idempotent=is_idempotent,
            dice=self._dice,
        )

    def _method(self, name: str) -> Callable[..., Any]:
        with self._lock:
            if name not in self._methods:
                protos = load_protos()
                self._methods[name] = self._link.channel.unary_unary(
                    protos.path(name),
                    request_serializer=None,
                    response_deserializer=protos.answer_class(name).FromString,
                )
            return self._methods[name]


def _send_once(
    send: Callable[..., Any], body: bytes, *, metadata: tuple[tuple[str, str], ...], timeout_s: float, what: str
) -> Any:
    with translated(what=what):
        answer = send(body, timeout=timeout_s, metadata=metadata)
    check_status(answer, what=what)
    return answer


def check_status(answer: Any, *, what: str) -> None:
    """Raises the failure that an answer carries, by the table of `gateway/errors.py`."""
    status = getattr(answer, "status", answer)
    if status.code != 0 or status.error_code != 0:
        raise from_status(old=_old_name(status.error_code), new=status.code, reason=status.reason, what=what)


def _old_name(number: int) -> str:
    codes = load_protos().common.ErrorCode
    return str(codes.Name(number)) if number in codes.values() else ""
