"""Collections into memory, out of memory, into storage, and compacted; each waits until it is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milvuslab.gateway.indexes import wait_for_index
from milvuslab.gateway.polling import poll
from milvuslab.gateway.session import Session
from milvuslab.model.errors import ConflictError, RejectedError
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["compact", "flush", "load", "load_state", "release", "settle"]

_LOAD_STATES = {0: "not_loaded", 1: "not_loaded", 2: "loading", 3: "loaded"}


def load(
    session: Session,
    name: str,
    partitions: Sequence[str] | None = None,
    *,
    replica_count: int = 1,
    timeout_s: float = 600.0,
    observer: Observer = silent,
) -> None:
    """Brings the collection or some of its partitions into memory and waits until searches are answered.

    Raises:
        NotFoundError: the collection or an index on its vectors is missing.
        TimedOutError: it takes longer; the server goes on loading.
    """
    milvus = session.protos.milvus
    session.spec(name)
    if partitions is None:
        request = milvus.LoadCollectionRequest(collection_name=name, replica_number=replica_count)
        session.caller.change("LoadCollection", request, what=f"load {name}", timeout_s=timeout_s)
    else:
        request = milvus.LoadPartitionsRequest(
            collection_name=name, partition_names=partitions, replica_number=replica_count
        )
        session.caller.change("LoadPartitions", request, what=f"load partitions of {name}", timeout_s=timeout_s)
    progress = milvus.GetLoadingProgressRequest(collection_name=name, partition_names=partitions or [])

    def is_done() -> bool:
        percent = session.caller.read("GetLoadingProgress", progress, what=f"load {name}").progress
        observer(Progress(step=f"load {name}", done_count=max(0, int(percent)), total_count=100, unit="percent"))
        return bool(percent >= 100)

    poll(is_done, what=f"loading {name}", timeout_s=timeout_s)


def release(session: Session, name: str, partitions: Sequence[str] | None = None) -> None:
    """Takes the collection or some of its partitions out of memory."""
    milvus = session.protos.milvus
    what = f"release {name}"
    if partitions is None:
        request = milvus.ReleaseCollectionRequest(collection_name=name)
        session.caller.change("ReleaseCollection", request, what=what, timeout_s=session.slow_timeout_s)
    else:
        request = milvus.ReleasePartitionsRequest(collection_name=name, partition_names=partitions)
        session.caller.change("ReleasePartitions", request, what=what, timeout_s=session.slow_timeout_s)


def load_state(session: Session, name: str) -> str:
    """`not_loaded`, `loading` or `loaded`."""
    session.spec(name)
    request = session.protos.milvus.GetLoadStateRequest(collection_name=name)
    answer = session.caller.read("GetLoadState", request, what=f"load state of {name}")
    return _LOAD_STATES.get(int(answer.state), "not_loaded")


def flush(session: Session, *names: str, timeout_s: float = 300.0) -> None:
    """Seals what was written and waits until it is in storage."""
    milvus = session.protos.milvus
    what = f"flush {', '.join(names)}"
    request = milvus.FlushRequest(collection_names=names)
    answer = session.caller.change("Flush", request, what=what, timeout_s=timeout_s)
    states = [
        milvus.GetFlushStateRequest(
            segmentIDs=answer.coll_segIDs[name].data, flush_ts=answer.coll_flush_ts[name], collection_name=name
        )
        for name in names
    ]
    poll(
        lambda: all(session.caller.read("GetFlushState", state, what=what).flushed for state in states),
        what=what,
        timeout_s=timeout_s,
    )


def compact(session: Session, name: str, *, timeout_s: float = 600.0, observer: Observer = silent) -> None:
    """Merges segments and waits until the server says that the plans are done.

    Raises:
        RejectedError: the server gave up a plan, usually for want of time.
    """
    milvus = session.protos.milvus
    request = milvus.ManualCompactionRequest(collectionID=session.collection_id(name), collection_name=name)
    answer = session.caller.change("ManualCompaction", request, what=f"compact {name}", timeout_s=timeout_s)
    state = milvus.GetCompactionStateRequest(compactionID=answer.compactionID)
    last: list[Any] = []

    def is_done() -> bool:
        last[:] = [session.caller.read("GetCompactionState", state, what=f"compact {name}")]
        done = int(last[0].completedPlanNo)
        running = int(last[0].executingPlanNo)
        observer(Progress(step=f"compact {name}", done_count=done, total_count=done + running, unit="plans"))
        return bool(last[0].state == session.protos.common.CompactionState.Completed)

    poll(is_done, what=f"compacting {name}", timeout_s=timeout_s)
    if last[0].timeoutPlanNo or last[0].failedPlanNo:
        raise RejectedError(
            f"compacting {name}: {last[0].timeoutPlanNo + last[0].failedPlanNo} plans failed or took too long",
            hint="call it again",
        )


def settle(session: Session, name: str, *, timeout_s: float = 1_800.0, observer: Observer = silent) -> None:
    """Flush, complete indexes, release, load: the state in which searches are fast."""
    reports = session.describe_indexes(name)
    if not any(report.spec.metric for report in reports):
        raise ConflictError(f"{name} has no vector index", hint="build one, then settle")
    observer(Progress(step=f"flush {name}"))
    flush(session, name, timeout_s=timeout_s)
    for report in reports:
        wait_for_index(session, name, report.spec.field_name, timeout_s=timeout_s, observer=observer)
    release(session, name)
    load(session, name, timeout_s=timeout_s, observer=observer)
