"""Records made by hand, with answers and times that are known."""

import types

import numpy as np

from milvuslab.bench.record import Record, code_number

__all__ = ["make_record", "make_truth"]


def make_truth(*, query_count=50, k=4, seed=0):
    """True neighbours: rows 100 q to 100 q + k - 1 at distances 1, 2, ..."""
    ids = 100 * np.arange(query_count)[:, None] + np.arange(k)
    distances = np.tile(np.arange(1, k + 1, dtype=np.float32), (query_count, 1))
    return types.SimpleNamespace(ids=ids.astype(np.int64), distances=distances, k=k)


def make_record(
    truth,
    *,
    kind="open",
    latency_ms=2.0,
    late_ms=0.1,
    failed=(),
    code="rejected",
    missed=1,
    client_ratio=0.2,
    **changed,
):
    """Every query once, 10 ms apart; of the neighbours the last `missed` are rows that no query has.

    `latency_ms` is a number or one for each query.
    """
    count = len(truth.ids)
    intended = np.arange(count, dtype=np.int64) * 10_000_000
    latency = np.broadcast_to(np.asarray(latency_ms, dtype=np.float64), count)
    sent = intended + int(late_ms * 1e6) if kind == "open" else intended
    codes = np.zeros(count, dtype=np.int16)
    codes[list(failed)] = code_number(code)
    ids, distances = truth.ids.copy(), truth.distances.copy()
    if missed:
        ids[:, -missed:] = 9_000_000 + np.arange(missed)
        distances[:, -missed:] = 90 + np.arange(missed)
    ids[codes != 0], distances[codes != 0] = -1, np.inf
    wall_s = count / 100
    values = {
        "kind": kind,
        "intended_ns": intended,
        "sent_ns": sent,
        "done_ns": intended + (latency * 1e6).astype(np.int64),
        "query_row": np.arange(count, dtype=np.int64),
        "code": codes,
        "batch_rows": 1,
        "ids": ids,
        "distances": distances,
        "errors": {code: "the server's words"} if len(failed) else {},
        "client_cpu_s": client_ratio * wall_s,
        "parse_cpu_s": 0.001,
        "wall_s": wall_s,
    }
    return Record(**{**values, **changed})
