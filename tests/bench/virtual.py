"""A run without a machine: a clock that tests turn, and searches whose latency, outcome and stalls are written down.

Time passes only where the driver waits, so every number of a record can be asserted exactly.
"""

import heapq
import itertools

import numpy as np

from milvuslab.model.errors import MilvusLabError
from milvuslab.model.metric import Metric
from milvuslab.model.search import Hits

__all__ = ["MS", "ScriptedSearches", "VirtualClock"]

MS = 1_000_000


class VirtualClock:
    """Jumps from event to event. `send_costs_ns` passes with each request that is sent: a slow client."""

    def __init__(self):
        self._now_ns = 5_000 * MS  # not 0: nothing may depend on where a monotonic clock begins
        self._events = []
        self._numbers = itertools.count()

    def now_ns(self):
        return self._now_ns

    def cpu_s(self):
        return self._now_ns * 1e-9 / 4  # this client uses a quarter of a core

    def at(self, when_ns, call):
        heapq.heappush(self._events, (when_ns, next(self._numbers), call))

    def pass_time(self, duration_ns):
        self._now_ns += duration_ns

    def sleep_until_ns(self, when_ns, *, is_over):
        while self._events and self._events[0][0] <= when_ns and not is_over():
            self._step()
        self._now_ns = max(self._now_ns, when_ns)

    def wait(self, changed, is_true):
        while not is_true():
            assert self._events, "the driver waits for something that never happens"
            self._step()

    def _step(self):
        when_ns, _, call = heapq.heappop(self._events)
        self._now_ns = max(self._now_ns, when_ns)
        call()


class ScriptedSearches:
    """Search number n takes `latency_ns(n, sent_ns)` and ends as `outcome(n)`: hit ids, or an error."""

    limit = 3

    def __init__(
        self, clock, *, latency_ns, outcome=lambda number: (1, 2, 3), request_count=5, batch_rows=1, send_costs_ns=0
    ):
        self.clock, self.latency_ns, self.outcome = clock, latency_ns, outcome
        self.request_count, self.batch_rows, self.send_costs_ns = request_count, batch_rows, send_costs_ns
        self.sent_indices = []

    def send(self, index, *, timeout_s):
        number = len(self.sent_indices)
        self.sent_indices.append(index)
        latency_ns = self.latency_ns(number, self.clock.now_ns())
        sent = _ScriptedSent(self.outcome(number), number)
        self.clock.at(self.clock.now_ns() + latency_ns, sent.finish)
        self.clock.pass_time(self.send_costs_ns)
        return sent

    def parse(self, answer_bytes):
        outcome = self.outcome(int(answer_bytes))
        if isinstance(outcome, tuple) and outcome and isinstance(outcome[0], MilvusLabError):
            raise outcome[0]
        ids = np.array(list(outcome) * self.batch_rows, dtype=np.int64)
        return Hits(
            ids=ids,
            scores=np.tile(np.arange(len(outcome), dtype=np.float32), self.batch_rows),
            offsets=np.arange(self.batch_rows + 1) * len(outcome),
            metric=Metric.L2,
        )


class _ScriptedSent:
    def __init__(self, outcome, number):
        self._outcome = outcome if isinstance(outcome, MilvusLabError) else str(number).encode()
        self._callback = None

    def add_done_callback(self, callback):
        self._callback = callback

    def finish(self):
        self._callback(self)

    def outcome(self):
        return self._outcome
