"""The work of one comparison: the order's vectors, the servers, what `tune` measures, and the job that says how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.bench.collection import collection_name
from milvuslab.journal.job import JobWriter
from milvuslab.model.errors import MilvusLabError, UnreachableError
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress
from milvuslab.ops.comparing import COMPARED_SERVERS, list_sources
from milvuslab.ops.servers import connect_to, list_servers
from milvuslab.studio.lab.order import LabOrder, job_id_of, read_order
from milvuslab.tune.comparison import CompareTask, compare_indexes, write_report

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.ops.workspace import Workspace

__all__ = ["narrate", "open_vectors_of", "run_order"]

_QUERIES_WANTED = 4_000
"""Queries that show a recall of 0.95 with confidence; see `tune/climb.py`."""
_SERVER_STEP = "compare on "


def run_order(workspace: Workspace, folder: Path) -> None:
    """Carries out the order in the folder and writes the report there; progress and failures go into the job.

    Raises:
        MilvusLabError: it cannot be done; the job says so too.
        KeyboardInterrupt: it was stopped; what is measured stays.
    """
    order = read_order(folder)
    with _told(Path(workspace.settings.home_dir) / "jobs", folder.name, title=order.title) as observer:
        vectors, metric = open_vectors_of(workspace, order, observer)
        task = CompareTask(vectors=vectors, metric=metric, recall_target=order.recall_target, types=order.index_types)
        sources = list_sources(workspace, _server_names(workspace, order), observer=observer)
        cache_dir = workspace.settings.cache_dir
        try:
            found = compare_indexes(task, sources, folder=folder, cache_dir=cache_dir, observer=observer)
        except BaseException:
            _drop_rows(workspace, vectors)
            raise
        write_report(found)


def narrate(tell: Observer) -> Observer:
    """Progress as one bar over index types: steps within a type are named behind it and do not move it.

    >>> told = []
    >>> observe = narrate(told.append)
    >>> observe(Progress(step="compare on lite", done_count=1, total_count=3, unit="index types", message="HNSW"))
    >>> observe(Progress(step="build index", done_count=500, total_count=9_000, unit="rows"))
    >>> told[-1].step, told[-1].done_count, told[-1].total_count
    ('HNSW · lite: build index', 1, 3)
    """
    whole: list[Progress] = []

    def observe(progress: Progress) -> None:
        if progress.step.startswith(_SERVER_STEP):
            whole[:] = [progress]
        if not whole:
            tell(Progress(step=progress.step))
            return
        now = whole[0]
        place = " · ".join(part for part in (now.message, now.step.removeprefix(_SERVER_STEP)) if part)
        step = place if progress is now else f"{place}: {progress.step}"
        tell(Progress(step=step, done_count=now.done_count, total_count=now.total_count, unit=now.unit))

    return observe


@contextlib.contextmanager
def _told(jobs_dir: Path, comparison_id: str, *, title: str) -> Iterator[Observer]:
    """The job of the comparison, ended by how the block ends."""
    writer = JobWriter(jobs_dir, job_id_of(comparison_id), title=title)
    try:
        yield narrate(writer.observe)
    except MilvusLabError as error:
        writer.fail(f"{error.message}; {error.hint}".rstrip("; "))
        raise
    except KeyboardInterrupt:
        writer.fail("stopped", is_interrupt=True)
        raise
    except BaseException as fault:
        writer.fail(f"a fault of milvuslab itself: {type(fault).__name__}: {fault}")
        raise
    writer.finish(report={})


def open_vectors_of(workspace: Workspace, order: LabOrder, observer: Observer) -> tuple[VectorSet, Metric]:
    """The vectors that an order names, and how nearness is measured: as the file or the collection says, else L2."""
    from milvuslab.data.vectors import make_clustered, open_vectors

    if order.data == "collection":
        from milvuslab.bench.stored import read_collection

        with workspace.connect() as gateway:
            return read_collection(
                gateway, order.collection, query_count=_QUERIES_WANTED, row_limit=order.row_count, observer=observer
            )
    if order.data == "file":
        path = str(Path(order.path).expanduser())
        vectors = open_vectors(path, query_count=_QUERIES_WANTED, row_limit=order.row_count)
        return vectors, vectors.metric or (Metric.HAMMING if vectors.is_binary else Metric.L2)
    return make_clustered(row_count=order.row_count, dim=order.dim, query_count=_QUERIES_WANTED), Metric.L2


def _drop_rows(workspace: Workspace, vectors: VectorSet) -> None:
    """Removes the rows of a comparison that stopped from every server that runs; one that is away keeps them."""
    for status in list_servers(workspace):
        if status.pid is not None:
            with contextlib.suppress(MilvusLabError), connect_to(workspace, status.name) as gateway:
                gateway.collections.drop(collection_name(vectors))


def _server_names(workspace: Workspace, order: LabOrder) -> tuple[str, ...]:
    """The servers that run now, in the order of a comparison; no name stands for all that this machine can run.

    Raises:
        UnreachableError: none runs, and none is to be started.
    """
    if order.with_stopped:
        return ()
    running = [one.name for one in list_servers(workspace) if one.pid is not None]
    if not running:
        raise UnreachableError("no server runs here", hint="start one: milvuslab up; or let the comparison start them")
    return tuple(sorted(running, key=_place))


def _place(name: str) -> tuple[int, str]:
    known = list(COMPARED_SERVERS)
    return (known.index(name) if name in known else len(known), name)
