"""The threads of a desk: handlers of the event loop hand their slow work to them and stay free."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["DeskThreads"]

_T = TypeVar("_T")


class DeskThreads:
    """What every desk has: a few threads of its own; further calls wait their turn.

    Args:
        thread_count: how many calls run at the same time.
        name: that the threads bear.
    """

    def __init__(self, *, thread_count: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(thread_count, thread_name_prefix=name)

    async def run(self, function: Callable[..., _T], *args: Any, **named: Any) -> _T:
        """Calls a method of the desk on one of its threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *args, **named))

    def close(self) -> None:
        """Lets calls that wait go; those that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
