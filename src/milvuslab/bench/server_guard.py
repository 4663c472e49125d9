"""Ends a measurement whose server is gone: a dead process, a frozen one, or a far one that answers nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from milvuslab.bench.server_side import ServerWatch
from milvuslab.model.errors import ServerError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["ServerGuard"]

_ASK_EVERY_S = 3.0


class ServerGuard:
    """Called a few times a second while requests are under way.

    Args:
        watch: sees the server's processes where they are on this machine.
        gateway: asked about `name` every few seconds where they are not.
        name: the collection that is searched.
        what: what is being measured, for the message.
        limit_s: how long a server may stand still; a shorter stall is what a run is there to show.
    """

    def __init__(
        self,
        watch: ServerWatch,
        gateway: Gateway,
        name: str,
        *,
        what: str,
        limit_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._gateway = gateway
        self._name = name
        self._what = what
        self._limit_s = limit_s
        self._now_s = now_s
        self._asked_s = now_s()
        self._frozen_since_s: float | None = None

    def check(self) -> None:
        """Returns while the server is there.

        Raises:
            UnreachableError: its process ended, or nothing answers at its address.
            TimedOutError: it has stood still for too long.
        """
        if self._watch.is_watching:
            self._watch.check_alive()
            self._check_frozen()
        elif self._now_s() - self._asked_s > _ASK_EVERY_S:
            self._asked_s = self._now_s()
            self._ask()

    def _check_frozen(self) -> None:
        if not self._watch.is_frozen():
            self._frozen_since_s = None
            return
        self._frozen_since_s = self._frozen_since_s or self._now_s()
        if self._now_s() - self._frozen_since_s >= self._limit_s:
            raise TimedOutError(
                f"timeout: the server has been frozen for {self._limit_s:g} s while measuring {self._what}",
                hint="somebody stopped its process (SIGSTOP): kill -CONT PID, or milvuslab server restart",
            )

    def _ask(self) -> None:
        try:
            self._gateway.collections.load_state(self._name)
        except (UnreachableError, TimedOutError) as error:
            raise type(error)(
                f"the server went away while measuring {self._what}: {error.message}", hint=error.hint
            ) from error
        except ServerError:
            return  # an answer, if not a good one: the record will show what became of the searches
