"""Progress on stderr: a bar for a person at a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

from milvuslab.model.progress import Observer, Progress

__all__ = ["PlainLines", "describe_progress", "show_progress"]


@contextlib.contextmanager
def show_progress(*, stream: TextIO | None = None) -> Iterator[Observer]:
    """An observer that shows what it is told while the block runs; safe to call from several threads."""
    stream = stream or sys.stderr
    if stream.isatty():
        with _show_bars(stream) as observer:
            yield observer
    else:
        yield PlainLines(stream)


class PlainLines:
    """One line when a step begins, ends or has a new message, and every few seconds between.

    Args:
        stream: where the lines go.
        interval_s: shortest time between two lines of one step.
    """

    def __init__(self, stream: TextIO, *, interval_s: float = 5.0) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._last: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        """Prints the event when it is worth a line."""
        with self._lock:
            now_s = time.monotonic()
            line = describe_progress(progress)
            last = self._last.get(progress.step)
            is_end = progress.total_count is not None and progress.done_count >= progress.total_count > 0
            if last is None or (line != last[1] and (is_end or now_s - last[0] >= self._interval_s)):
                self._last[progress.step] = (now_s, line)
                print(line, file=self._stream, flush=True)


def describe_progress(progress: Progress) -> str:
    """One line about where it stands.

    >>> describe_progress(Progress(step="embed", done_count=1500, total_count=3000, unit="passages"))
    'embed: 1,500 of 3,000 passages (50 %)'
    >>> describe_progress(Progress(step="start standalone", message="port 19530"))
    'start standalone: port 19530'
    """
    parts = []
    if progress.done_count or progress.total_count:
        parts.append(_amount(progress))
    if progress.message:
        parts.append(progress.message)
    return f"{progress.step}: {', '.join(parts)}" if parts else progress.step


def _amount(progress: Progress) -> str:
    done, total = progress.done_count, progress.total_count
    if progress.unit == "bytes":
        shown = f"{done / 1e6:,.1f} MB" if total is None else f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    else:
        shown = f"{done:,}" if total is None else f"{done:,} of {total:,}"
        shown = f"{shown} {progress.unit}".rstrip()
    return shown if progress.done_ratio is None else f"{shown} ({progress.done_ratio:.0%})".replace("%)", " %)")


@contextlib.contextmanager
def _show_bars(stream: TextIO) -> Iterator[Observer]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        console=Console(file=stream),
        transient=True,
    )
    tasks: dict[str, int] = {}
    lock = threading.Lock()

    def observe(progress: Progress) -> None:
        with lock:
            if progress.step not in tasks:
                tasks[progress.step] = int(bars.add_task(progress.step, total=progress.total_count, amount=""))
            amount = describe_progress(progress).removeprefix(progress.step).removeprefix(": ")
            bars.update(
                tasks[progress.step],  # type: ignore[arg-type]
                completed=progress.done_count,
                total=progress.total_count,
                amount=amount,
            )

    with bars:
        yield observe
