"""Indexes: built, waited for until every row is in, described, dropped."""

from __future__ import annotations

from milvuslab.gateway.polling import poll
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.schema import index_params
from milvuslab.model.errors import NotFoundError, RejectedError
from milvuslab.model.index import IndexReport, IndexSpec
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["Indexes", "start_index", "wait_for_index"]


class Indexes:
    """The indexes of collections."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def build(
        self, name: str, spec: IndexSpec, *, wait: bool = True, timeout_s: float = 3_600.0, observer: Observer = silent
    ) -> IndexReport:
        """Builds the index and returns what the server then says about it.

        Rows that are not sealed have no index yet, and searches on them are exact: `collections.flush` before,
        when all rows are to be indexed.

        Args:
            name: the collection.
            spec: what to build.
            wait: whether to wait until every sealed row is indexed.
            timeout_s: longest wait.
            observer: told the rows done.

        Raises:
            ConflictError: the field has another index.
            UnsupportedError, UsageError: the server does not take the type or the parameters.
            RejectedError: the build failed.
            TimedOutError: it takes longer; the server goes on building.
        """
        self._session.spec(name).field(spec.field_name)
        start_index(self._session, name, spec)
        if wait:
            return wait_for_index(self._session, name, spec.field_name, timeout_s=timeout_s, observer=observer)
        return self.describe(name, spec.field_name)

    def wait(
        self, name: str, field_name: str, *, timeout_s: float = 3_600.0, observer: Observer = silent
    ) -> IndexReport:
        """Waits until every sealed row of the field is indexed."""
        return wait_for_index(self._session, name, field_name, timeout_s=timeout_s, observer=observer)

    def describe(self, name: str, field_name: str) -> IndexReport:
        """The index of that field.

        Raises:
            NotFoundError: the collection, the field or the index is not there.
        """
        self._session.spec(name).field(field_name)
        for report in self.list(name):
            if report.spec.field_name == field_name:
                return report
        raise NotFoundError(f"{name}.{field_name} has no index", hint="build one first")

    def list(self, name: str) -> list[IndexReport]:
        """All indexes of the collection."""
        return self._session.describe_indexes(name)

    def drop(self, name: str, field_name: str) -> None:
        """Removes the index; servers want the collection released first.

        Raises:
            ConflictError: the collection is loaded.
        """
        session = self._session
        report = self.describe(name, field_name)
        request = session.protos.milvus.DropIndexRequest(
            collection_name=name, field_name=field_name, index_name=report.name
        )
        session.caller.change(
            "DropIndex", request, what=f"drop the index of {name}.{field_name}", timeout_s=session.slow_timeout_s
        )
        session.forget(name)


def start_index(session: Session, name: str, spec: IndexSpec, *, timeout_s: float | None = None) -> None:
    """Asks for an index and returns while it is being built."""
    protos = session.protos
    request = protos.milvus.CreateIndexRequest(
        collection_name=name, field_name=spec.field_name, extra_params=protos.key_values(index_params(spec))
    )
    session.forget(name)
    session.caller.change(
        "CreateIndex",
        request,
        what=f"build {spec.index_type or 'an index'} on {name}.{spec.field_name}",
        timeout_s=timeout_s or session.slow_timeout_s,
    )


def wait_for_index(
    session: Session, name: str, field_name: str, *, timeout_s: float, observer: Observer = silent
) -> IndexReport:
    """Waits until as many rows are indexed as are sealed, and returns the last description.

    `Finished` alone proves nothing: 2.3.5 says it while rows are pending (measured).
    """
    seen: list[IndexReport] = []

    def is_done() -> bool:
        report = next((one for one in session.describe_indexes(name) if one.spec.field_name == field_name), None)
        if report is None:
            raise NotFoundError(f"{name}.{field_name} has no index", hint="build one first")
        if report.state == "Failed":
            raise RejectedError(f"the index of {name}.{field_name} failed: {report.failure}")
        seen[:] = [report]
        observer(
            Progress(
                step=f"index {name}.{field_name}",
                done_count=min(report.indexed_row_count, report.total_row_count),
                total_count=report.total_row_count,
                unit="rows",
            )
        )
        return report.state == "Finished" and report.indexed_row_count >= report.total_row_count

    poll(is_done, what=f"the index of {name}.{field_name}", timeout_s=timeout_s)
    return seen[0]
