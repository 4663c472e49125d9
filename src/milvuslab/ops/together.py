"""Several long pieces of work side by side, ended together by the first failure or by Ctrl-C.

The work runs on threads; only the main thread receives Ctrl-C. A piece of work is stopped through its observer, which
raises `KeyboardInterrupt` once the others are to end: so a piece stops at its next event and cleans up after itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["run_together"]

_T = TypeVar("_T")
_QUICK_S = 1.0


def run_together(
    work: Mapping[str, Callable[[Observer], _T]],
    *,
    observer: Observer = silent,
    stop_timeout_s: float = 30.0,
    on_stop: Callable[[], object] = lambda: None,
) -> dict[str, _T]:
    """What each piece of work returned, by its name.

    Args:
        work: takes an observer, which it must call often: before each step and while it waits.
        observer: sees the events of all, one at a time.
        stop_timeout_s: how long the others are waited for after a failure or Ctrl-C; they are left alone then.
        on_stop: called once when the others do not end quickly after a failure or Ctrl-C: takes away what they wait for.

    Raises:
        BaseException: the first failure of a piece, or Ctrl-C; the other pieces have ended, or had their time.
    """
    crew: _Crew[_T] = _Crew(observer)
    threads = [
        # A daemon: a piece that cannot be stopped must not keep the process from ending.
        threading.Thread(target=crew.run, args=(name, piece), name=f"together-{name}", daemon=True)
        for name, piece in work.items()
    ]
    try:
        for thread in threads:
            thread.start()
        while crew.failure is None and any(thread.is_alive() for thread in threads):
            crew.changed.wait(0.2)  # a limit, so that Ctrl-C is seen on every system
            crew.changed.clear()
    except BaseException:
        crew.stop(threads, timeout_s=stop_timeout_s, on_stop=on_stop)
        raise
    if crew.failure is not None:
        crew.stop(threads, timeout_s=stop_timeout_s, on_stop=on_stop)
        raise crew.failure
    return crew.results


class _Crew(Generic[_T]):
    """The state that the threads share."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.changed = threading.Event()
        self.results: dict[str, _T] = {}
        self.failure: BaseException | None = None

    def run(self, name: str, piece: Callable[[Observer], _T]) -> None:
        try:
            result = piece(self._observe)
        except BaseException as failure:  # noqa: BLE001 -- a worker's boundary: the main thread raises it again
            with self._lock:
                if self.failure is None and not self._stop.is_set():
                    self.failure = failure
        else:
            with self._lock:
                self.results[name] = result
        finally:
            self.changed.set()

    def stop(self, threads: Sequence[threading.Thread], *, timeout_s: float, on_stop: Callable[[], object]) -> None:
        self._stop.set()
        if not _join(threads, timeout_s=min(_QUICK_S, timeout_s)):
            on_stop()
            _join(threads, timeout_s=timeout_s)

    def _observe(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        with self._lock:
            self._observer(progress)


def _join(threads: Sequence[threading.Thread], *, timeout_s: float) -> bool:
    """Whether all have ended within the time."""
    deadline_s = time.monotonic() + timeout_s
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline_s - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
