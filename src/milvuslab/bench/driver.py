"""Sends prepared searches and records what became of each: by a schedule (open loop) or one after another (closed).

An open loop sends every request at its time whatever the server does, as users do, and counts its latency from that
time. A closed loop sends only when an answer came: it shows how much a server can do, and hides every stall.

One thread sends in an open loop; answers come on gRPC's own thread, which only notes the time and keeps the bytes, and
sends the next request in a closed loop. Parsing begins when the last answer is there. The caller's thread sleeps and
tells the observer twice a second, so a slow observer makes no request late.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from array import array
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from milvuslab.bench.answers import Answers
from milvuslab.bench.clock import Clock, MonotonicClock
from milvuslab.bench.record import Record, code_number, tables_of
from milvuslab.bench.schedule import REQUESTS_MAX
from milvuslab.model.errors import LimitError, MilvusLabError, UsageError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.search import Hits

__all__ = ["Searches", "Sent", "check_schedule", "run_closed_loop", "run_open_loop"]

_OBSERVE_EVERY_S = 0.5
_WARM_UP_IN_FLIGHT = 2


class Sent(Protocol):
    """A request on its way: `gateway.SentSearch`, or what a test puts in its place."""

    def add_done_callback(self, callback: Callable[[Sent], None]) -> None:
        """Has the callback called once, when there is an outcome, on any thread."""

    def outcome(self) -> bytes | MilvusLabError:
        """The answer, or why there is none."""


class Searches(Protocol):
    """Requests to choose from: `gateway.PreparedSearches`, or what a test puts in its place."""

    @property
    def request_count(self) -> int:
        """How many different requests there are; a run begins again when it sent them all."""

    @property
    def batch_rows(self) -> int:
        """Queries in each request."""

    @property
    def limit(self) -> int:
        """Most hits of one query."""

    def send(self, index: int, *, timeout_s: float) -> Sent:
        """Sends a request without waiting."""

    def parse(self, answer_bytes: bytes) -> Hits:
        """The hits in an answer, or the failure it carries."""


def run_open_loop(
    searches: Searches,
    schedule: npt.NDArray[np.float64],
    *,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    max_in_flight: int = 10_000,
    observer: Observer = silent,
    clock: Clock | None = None,
    start: threading.Barrier | None = None,
) -> Record:
    """Sends a request at each time of the schedule and records it. Nothing is left out.

    Args:
        searches: sent in their order, again from the first when there are more times than requests.
        schedule: ascending seconds from the begin of the run; see `bench.schedule`.
        timeout_s: deadline of each request, from when it was sent.
        warm_up_count: requests sent before the run, two at a time, for at most `timeout_s`.
        max_in_flight: bound on requests under way. What waits because of it is sent later, and counts from its
            intended time like everything else.
        observer: told how many requests were sent.
        clock: None is the machine's.
        start: waited for after the warm-up, so that several runs begin together.

    Raises:
        UsageError: the schedule is empty or does not ascend from 0.
        RejectedError: the gateway is closed.
    """
    check_schedule(schedule)
    if max_in_flight < 1:
        raise UsageError(f"max_in_flight is {max_in_flight}", hint="at least 1")
    clock = clock or MonotonicClock()
    _warm_up(searches, count=warm_up_count, timeout_s=timeout_s, clock=clock)
    intended: list[int] = np.rint(schedule * 1e9).astype(np.int64).tolist()
    run = _Run(searches, kind="open", timeout_s=timeout_s, clock=clock)
    if start is not None:
        start.wait()

    def send_all() -> None:
        for row, offset_ns in enumerate(intended):
            clock.sleep_until_ns(run.begun_ns + offset_ns, is_over=run.is_over)
            if not run.wait_until_fewer_than(max_in_flight):
                return
            run.send(row % searches.request_count, intended_ns=offset_ns)

    run.carry_out(send_all, observer=observer, total_count=len(intended))
    return run.record(warm_up_count=warm_up_count)


def run_closed_loop(
    searches: Searches,
    *,
    in_flight: int,
    duration_s: float | None = None,
    request_count: int | None = None,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> Record:
    """Keeps `in_flight` requests under way until the time or the count is over; each answer sends the next.

    The latencies of such a run leave out what a stalled server kept from being sent. For throughput; ask
    `run_open_loop` for latency under load.

    Args:
        searches: sent in their order, again from the first when they are through.
        in_flight: requests under way at any time.
        duration_s: no request begins after so long; None is no such bound.
        request_count: requests in all; None is no such bound.
        timeout_s: deadline of each request.
        warm_up_count: requests sent before the run, two at a time, for at most `timeout_s`.
        observer: told how many requests were sent.
        clock: None is the machine's.

    Raises:
        UsageError: neither bound is given, or one is below 1.
        RejectedError: the gateway is closed.
    """
    if duration_s is None and request_count is None:
        raise UsageError("a closed loop needs an end", hint="give duration_s or request_count")
    if (
        in_flight < 1
        or (request_count is not None and request_count < 1)
        or (duration_s is not None and duration_s <= 0)
    ):
        raise UsageError(
            f"{request_count} requests in {duration_s} s with {in_flight} under way is no run", hint="all above 0"
        )
    clock = clock or MonotonicClock()
    _warm_up(searches, count=warm_up_count, timeout_s=timeout_s, clock=clock)
    run = _Run(
        searches, kind="closed", timeout_s=timeout_s, clock=clock, duration_s=duration_s, request_count=request_count
    )
    run.carry_out(lambda: run.send_in_turn(in_flight), observer=observer, total_count=request_count)
    return run.record(warm_up_count=warm_up_count)


def _warm_up(searches: Searches, *, count: int, timeout_s: float, clock: Clock) -> None:
    """Fills caches and opens the connection. Its failures are not looked at: the run itself will show them."""
    if count > 0:
        run = _Run(searches, kind="closed", timeout_s=timeout_s, clock=clock, duration_s=timeout_s, request_count=count)
        run.carry_out(lambda: run.send_in_turn(_WARM_UP_IN_FLIGHT), observer=silent, total_count=count)


def check_schedule(schedule: npt.NDArray[np.float64]) -> None:
    """Raises UsageError for times that are none, do not ascend, or begin before the run."""
    if len(schedule) > REQUESTS_MAX:
        raise LimitError(f"{len(schedule):,} requests are more than {REQUESTS_MAX:,}", hint="make the run shorter")
    if len(schedule) == 0 or schedule[0] < 0 or np.any(np.diff(schedule) < 0):
        raise UsageError("a schedule holds ascending seconds from 0", hint="use constant_schedule or poisson_schedule")


class _Run:
    """The state of one run. `_changed` guards every field below it; two threads come here at most."""

    def __init__(
        self,
        searches: Searches,
        *,
        kind: Literal["open", "closed"],
        timeout_s: float,
        clock: Clock,
        duration_s: float | None = None,
        request_count: int | None = None,
    ) -> None:
        self._searches = searches
        self._kind: Literal["open", "closed"] = kind
        self._timeout_s = timeout_s
        self._clock = clock
        self._duration_ns = None if duration_s is None else round(duration_s * 1e9)
        self._request_count = REQUESTS_MAX if request_count is None else request_count
        self.begun_ns = 0
        self._cpu_s = self._wall_s = 0.0
        self._changed = threading.Condition()
        self._intended, self._sent, self._done, self._index = array("q"), array("q"), array("q"), array("q")
        self._errors: list[tuple[int, MilvusLabError]] = []
        self._answers = Answers()
        self._in_flight = self._in_flight_max = 0
        self._broken: BaseException | None = None

    def carry_out(self, work: Callable[[], None], *, observer: Observer, total_count: int | None) -> None:
        """Runs `work` on a thread of its own and waits for its last answer.

        Raises:
            BaseException: what broke the run, or what the observer raised.
        """
        thread = threading.Thread(target=self._guarded, args=(work,), name="milvuslab-send", daemon=True)
        with _young_garbage_only():
            thread.start()
            try:
                while thread.is_alive():
                    thread.join(_OBSERVE_EVERY_S)
                    observer(
                        Progress(step="search", done_count=len(self._sent), total_count=total_count, unit="requests")
                    )
            except BaseException as error:
                self._break(error)
                thread.join()
                raise
        if self._broken is not None:
            raise self._broken

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            cpu_s, self.begun_ns = self._clock.cpu_s(), self._clock.now_ns()
            work()
            self.wait_until_fewer_than(1)
            self._wall_s = (self._clock.now_ns() - self.begun_ns) * 1e-9
            self._cpu_s = self._clock.cpu_s() - cpu_s
        except BaseException as error:  # noqa: BLE001  (raised again by `carry_out` on the caller's thread)
            self._break(error)

    def _break(self, error: BaseException) -> None:
        with self._changed:
            self._broken = self._broken or error
            self._changed.notify_all()

    def is_over(self) -> bool:
        """Whether something broke the run."""
        return self._broken is not None

    def wait_until_fewer_than(self, count: int) -> bool:
        """Waits until fewer requests are under way; False when the run broke."""
        with self._changed:
            if self._in_flight >= count and self._broken is None:
                self._clock.wait(self._changed, lambda: self._in_flight < count or self._broken is not None)
            return self._broken is None

    def send_in_turn(self, in_flight: int) -> None:
        """Sends the first requests of a closed loop; their answers send the others."""
        for _ in range(in_flight):
            with self._changed:
                row = self._begin_next()
            self._start(row)

    def send(self, index: int, *, intended_ns: int) -> None:
        """Sends a request of an open loop now."""
        with self._changed:
            row = self._begin(index, intended_ns=intended_ns, sent_ns=self._clock.now_ns() - self.begun_ns)
        self._start(row)

    def _begin_next(self) -> int | None:
        """The row of the next request of a closed loop; None when the loop is over."""
        now_ns = self._clock.now_ns() - self.begun_ns
        is_late = self._duration_ns is not None and now_ns >= self._duration_ns
        if is_late or len(self._sent) >= self._request_count or self._broken is not None:
            return None
        return self._begin(len(self._sent) % self._searches.request_count, intended_ns=now_ns, sent_ns=now_ns)

    def _begin(self, index: int, *, intended_ns: int, sent_ns: int) -> int:
        self._intended.append(intended_ns)
        self._sent.append(sent_ns)
        self._done.append(-1)
        self._index.append(index)
        self._in_flight += 1
        self._in_flight_max = max(self._in_flight_max, self._in_flight)
        return len(self._sent) - 1

    def _start(self, row: int | None) -> None:
        if row is not None:
            sent = self._searches.send(self._index[row], timeout_s=self._timeout_s)
            sent.add_done_callback(lambda done: self._finish(row, done))

    def _finish(self, row: int, sent: Sent) -> None:
        """Notes an outcome; on gRPC's thread, which drops what is raised here."""
        done_ns = self._clock.now_ns() - self.begun_ns
        try:
            outcome = sent.outcome()
            with self._changed:
                self._done[row] = done_ns
                if isinstance(outcome, bytes):
                    self._answers.append(row, outcome)
                else:
                    self._errors.append((row, outcome))
                self._in_flight -= 1
                # Under the same lock: whoever waits for the last answer must not see none under way in between.
                following = self._begin_next() if self._kind == "closed" else None
                self._changed.notify()
            self._start(following)
        except BaseException as error:  # noqa: BLE001  (raised again by `carry_out` on the caller's thread)
            self._break(error)

    def record(self, *, warm_up_count: int) -> Record:
        """The record of a run that was carried out; parses the answers."""
        count, width = len(self._sent), self._searches.batch_rows
        ids = np.full((count * width, self._searches.limit), -1, dtype=np.int64)
        distances = np.full(ids.shape, np.inf, dtype=np.float32)
        begun_cpu_s = self._clock.cpu_s()
        failures = self._errors
        for row, answer in self._answers.drain():
            rows = slice(row * width, (row + 1) * width)
            try:
                ids[rows], distances[rows] = tables_of(self._searches.parse(answer), k=self._searches.limit)
            except MilvusLabError as error:
                failures.append((row, error))
        code = np.zeros(count, dtype=np.int16)
        for row, failure in failures:
            code[row] = code_number(failure.code)
        return Record(
            kind=self._kind,
            intended_ns=np.array(self._intended, dtype=np.int64),
            sent_ns=np.array(self._sent, dtype=np.int64),
            done_ns=np.array(self._done, dtype=np.int64),
            query_row=np.array(self._index, dtype=np.int64) * width,
            code=code,
            batch_rows=width,
            ids=ids,
            distances=distances,
            errors={failure.code: failure.message for _, failure in reversed(failures)},
            client_cpu_s=self._cpu_s,
            parse_cpu_s=self._clock.cpu_s() - begun_cpu_s,
            wall_s=self._wall_s,
            warm_up_count=warm_up_count,
            in_flight_max=self._in_flight_max,
        )


@contextlib.contextmanager
def _young_garbage_only() -> Iterator[None]:
    """Keeps Python's collector from walking what was there before the run: that takes 50 ms and makes requests late."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
