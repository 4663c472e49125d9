"""Long looks at a whole collection of pictures: map, clusters, near-duplicates. One at a time, each kept for a while.

A study is asked for again and again until it is done, so a page can say that it is under way and no request waits for
minutes. What is kept belongs to a collection at a row count: when pictures come or go it is made anew.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from milvuslab.model.errors import MilvusLabError, RateLimitedError, RejectedError

__all__ = ["Study", "StudyRoom"]

_LOG = logging.getLogger(__name__)
_KEPT_MAX = 8
_WAITING_MAX = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """How far a study is.

    Attributes:
        state: `running` or `done`.
        value: what came out; None while it runs.
        duration_s: it took, or has taken so far.
    """

    state: Literal["running", "done"]
    value: Any = None
    duration_s: float = 0.0


class StudyRoom:
    """Makes studies on one thread and keeps the latest eight; safe to use from many threads."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="study")
        self._lock = threading.Lock()
        self._began_at_s: dict[Hashable, float] = {}
        self._kept: collections.OrderedDict[Hashable, Study | MilvusLabError] = collections.OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Study:
        """The study, begun when it is neither kept nor under way. A failure is told once, then it may be tried again.

        Args:
            key: what is studied, with everything that the outcome hangs on.
            make: gives the outcome; called on the room's thread.

        Raises:
            MilvusLabError: of the maker.
            RateLimitedError: too many wait already.
        """
        with self._lock:
            kept = self._kept.get(key)
            if isinstance(kept, MilvusLabError):
                del self._kept[key]
                raise kept
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            if key not in self._began_at_s:
                if len(self._began_at_s) >= _WAITING_MAX:
                    raise RateLimitedError("too many studies wait already", hint="ask again when one is done")
                self._began_at_s[key] = time.monotonic()
                self._thread.submit(self._make, key, make)
            return Study(state="running", duration_s=round(time.monotonic() - self._began_at_s[key], 1))

    def close(self) -> None:
        """Lets studies that wait go; one that runs ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _make(self, key: Hashable, make: Callable[[], Any]) -> None:
        began_s = time.monotonic()
        outcome: Study | MilvusLabError
        try:
            outcome = Study(state="done", value=make(), duration_s=round(time.monotonic() - began_s, 2))
        except MilvusLabError as error:
            outcome = error
        except Exception:  # noqa: BLE001  a worker's edge: the failure must reach the page, not vanish with the thread
            _LOG.exception("a study failed: %s", key)
            outcome = RejectedError("the study failed", hint="look into the studio's log")
        with self._lock:
            self._began_at_s.pop(key, None)
            self._kept[key] = outcome
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
