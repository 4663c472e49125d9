"""Collections that are measured: uploaded once, indexed as often as wanted, recognised when they are there already.

A collection of ours says in its description which data it holds, so that a later run searches instead of uploading.
An upload that was interrupted is dropped: whoever finds a collection of ours finds all of it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.bench.case import VECTOR_FIELD
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import CheckFailedError, NotFoundError, SchemaError, UnsupportedError
from milvuslab.model.index import IndexReport, IndexSpec
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = [
    "BUCKET_FIELD",
    "ID_FIELD",
    "BuildReport",
    "UploadReport",
    "build_index",
    "check_collection",
    "check_rows",
    "check_supported",
    "collection_name",
    "is_uploaded",
    "upload",
]

ID_FIELD = "id"
BUCKET_FIELD = "bucket"
_BLOCK_BYTES = 64_000_000
_MARK = "milvuslab_bench"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UploadReport:
    """How the rows came to the server.

    Attributes:
        name: the collection.
        row_count: rows acknowledged.
        insert_s: time of the inserts; None when the rows were there already.
        flush_s: time until they were stored; None likewise.
    """

    name: str
    row_count: int
    insert_s: float | None
    flush_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """How an index came to be.

    Attributes:
        name: the collection.
        index: as the server reports it.
        build_s: from the request until every row was indexed; None when the index was there already.
        load_s: until the collection could be searched; None when it was loaded already.
    """

    name: str
    index: IndexReport
    build_s: float | None
    load_s: float | None


def collection_name(vectors: VectorSet) -> str:
    """Name of the collection for a data set: the same data always lie under the same name."""
    return f"bench_{vectors.checksum[:16]}"


def check_supported(gateway: Gateway, spec: IndexSpec, *, is_binary: bool) -> None:
    """Returns when the server was seen to build such an index; nothing is created.

    Raises:
        UnsupportedError: it refuses the type or the metric; the hint lists what it takes.
    """
    known = gateway.capabilities
    kind = "BINARY_VECTOR" if is_binary else "FLOAT_VECTOR"
    types = known.index_types.get(kind, frozenset())
    has = f"Milvus {known.server_version}"
    if not types:
        raise UnsupportedError(f"{kind} fields", needs="a server with such vectors", has=has, hint=_servers_hint())
    if spec.index_type not in types:
        raise UnsupportedError(
            f"index {spec.index_type} on {kind}",
            needs=f"a server that builds {spec.index_type}",
            has=has,
            hint=f"this one builds {', '.join(sorted(types))}; {_servers_hint()}",
        )
    metrics = known.metrics.get(kind, frozenset())
    if spec.metric is not None and metrics and str(spec.metric) not in metrics:
        raise UnsupportedError(
            f"metric {spec.metric} on {kind}", needs="a server that measures so", has=has,
            hint=f"this one takes {', '.join(sorted(metrics))}",
        )  # fmt: skip


def upload(
    gateway: Gateway, vectors: VectorSet, *, name: str = "", observer: Observer = silent, block_rows: int | None = None
) -> UploadReport:
    """Puts the rows of a data set into a collection of its own and seals them; an interrupted upload is dropped.

    Args:
        gateway: the server.
        vectors: rows get their number as key and a `bucket` for filters.
        name: empty takes `collection_name`; a collection of that name that is not complete is replaced.
        observer: told the rows.
        block_rows: rows of a block in memory; None takes about 64 MB.

    Raises:
        SchemaError: a row holds NaN or infinity; the collection is dropped again.
    """
    name = name or collection_name(vectors)
    if is_uploaded(gateway, vectors, name=name):
        return UploadReport(name=name, row_count=vectors.row_count, insert_s=None, flush_s=None)
    gateway.collections.drop(name)
    gateway.collections.create(_spec(vectors, name))
    try:
        begun_s = time.monotonic()
        _insert(gateway, vectors, name, observer, block_rows=block_rows or _block_rows(vectors))
        inserted_s = time.monotonic()
        observer(Progress(step=f"flush {name}"))
        gateway.collections.flush(name, timeout_s=1_800)
    except BaseException:
        gateway.collections.drop(name)
        raise
    return UploadReport(
        name=name,
        row_count=vectors.row_count,
        insert_s=inserted_s - begun_s,
        flush_s=time.monotonic() - inserted_s,
    )


def is_uploaded(gateway: Gateway, vectors: VectorSet, *, name: str = "") -> bool:
    """Whether the collection is there, of ours, and says that it holds exactly this data set."""
    name = name or collection_name(vectors)
    try:
        spec = gateway.collections.describe(name)
    except NotFoundError:
        return False
    has_all = gateway.collections.row_count(name) == vectors.row_count
    return has_all and _read_mark(spec) == {"checksum": vectors.checksum, "row_count": vectors.row_count}


def build_index(
    gateway: Gateway, name: str, spec: IndexSpec, *, timeout_s: float = 3_600.0, observer: Observer = silent
) -> BuildReport:
    """Gives the collection that index and loads it; another one is dropped first, the same one is kept.

    Raises:
        UnsupportedError, UsageError: the server does not take the type or the parameters.
        RejectedError, TimedOutError: the build failed or takes longer.
    """
    found = next((one for one in gateway.indexes.list(name) if one.spec.field_name == spec.field_name), None)
    build_s = None
    if found is None or not _is_same(found.spec, spec):
        gateway.collections.release(name)
        if found is not None:
            gateway.indexes.drop(name, spec.field_name)
        begun_s = time.monotonic()
        gateway.indexes.build(name, spec, timeout_s=timeout_s, observer=observer)
        build_s = time.monotonic() - begun_s
    report = gateway.indexes.wait(name, spec.field_name, timeout_s=timeout_s, observer=observer)
    load_s = None
    if build_s is not None or gateway.collections.load_state(name) != "loaded":
        begun_s = time.monotonic()
        gateway.collections.load(name, timeout_s=timeout_s, observer=observer)
        load_s = time.monotonic() - begun_s
    return BuildReport(name=name, index=report, build_s=build_s, load_s=load_s)


def check_collection(gateway: Gateway, vectors: VectorSet, name: str, spec: IndexSpec) -> None:
    """Returns when somebody's collection fits the data set and the index that a case names; changes nothing.

    Raises:
        NotFoundError: there is none, or it has no index.
        SchemaError: its vectors have another dimension or kind.
        CheckFailedError: its index has another metric or type.
    """
    fields = gateway.collections.describe(name)
    field = next((one for one in fields.vector_fields if one.name == spec.field_name), None)
    if field is None:
        raise NotFoundError(
            f"collection {name} has no vector field {spec.field_name}",
            hint=f"a measured collection has the fields {ID_FIELD}, {VECTOR_FIELD} and {BUCKET_FIELD}",
        )
    if (field.data_type is DataType.BINARY_VECTOR) != vectors.is_binary or field.dim != vectors.dim:
        raise SchemaError(
            f"dimension mismatch: {name}.{field.name} is {field.data_type} of {field.dim}, "
            f"the data set {vectors.name} has {'bits' if vectors.is_binary else 'floats'} of {vectors.dim}",
            hint="measure a collection that holds this data set",
        )
    found = gateway.indexes.describe(name, spec.field_name).spec
    if found.metric is not spec.metric:
        raise CheckFailedError(
            f"wrong metric: {name} is indexed with {found.metric}, the case measures {spec.metric}",
            findings=[f"metric of the index: {found.metric}", f"metric of the case: {spec.metric}"],
            hint=f'set collection.metric = "{found.metric}" in the case, or index the collection again',
        )
    if not _is_same(found, spec):
        raise CheckFailedError(
            f"wrong index: {name} has {found.index_type} {dict(found.params)}, "
            f"the case measures {spec.index_type} {dict(spec.params)}",
            findings=["the numbers would be of another index than the one they are named after"],
            hint="name the index that is there, or leave out collection.name",
        )


def check_rows(gateway: Gateway, vectors: VectorSet, name: str) -> None:
    """Returns when the loaded collection holds every row of the data set once.

    Raises:
        CheckFailedError: it holds more (keys were inserted twice) or fewer.
    """
    found = gateway.rows.count(name)
    if found == vectors.row_count:
        return
    cause = "duplicate keys" if found > vectors.row_count else "missing rows"
    raise CheckFailedError(
        f"{cause}: {name} holds {found:,} rows, the data set {vectors.name} has {vectors.row_count:,}",
        findings=[f"rows in the collection: {found}", f"rows in the data set: {vectors.row_count}"],
        hint=f"drop it and run again: milvuslab collection drop {name} --yes",
    )


def _spec(vectors: VectorSet, name: str) -> CollectionSpec:
    kind = DataType.BINARY_VECTOR if vectors.is_binary else DataType.FLOAT_VECTOR
    mark = {_MARK: 1, "checksum": vectors.checksum, "row_count": vectors.row_count, "data": vectors.name}
    return CollectionSpec(
        name=name,
        fields=(
            FieldSpec(name=ID_FIELD, data_type=DataType.INT64, is_primary=True),
            FieldSpec(name=VECTOR_FIELD, data_type=kind, dim=vectors.dim),
            FieldSpec(name=BUCKET_FIELD, data_type=DataType.INT32),
        ),
        description=json.dumps(mark),
    )


def _read_mark(spec: CollectionSpec) -> dict[str, Any]:
    try:
        mark = json.loads(spec.description)
    except ValueError:
        return {}
    if not isinstance(mark, dict) or _MARK not in mark:
        return {}
    return {name: mark.get(name) for name in ("checksum", "row_count")}


def _insert(gateway: Gateway, vectors: VectorSet, name: str, observer: Observer, *, block_rows: int) -> None:
    for start, block in vectors.iter_blocks(block_rows):
        stop = start + len(block)
        columns: Mapping[str, Any] = {
            ID_FIELD: np.arange(start, stop, dtype=np.int64),
            VECTOR_FIELD: block,
            BUCKET_FIELD: vectors.buckets(start, stop),
        }
        gateway.rows.insert(name, columns)
        observer(Progress(step=f"upload {name}", done_count=stop, total_count=vectors.row_count, unit="rows"))


def _block_rows(vectors: VectorSet) -> int:
    row_bytes = vectors.dim // 8 if vectors.is_binary else 4 * vectors.dim
    return max(1, min(100_000, _BLOCK_BYTES // row_bytes))


def _is_same(found: IndexSpec, wanted: IndexSpec) -> bool:
    """Whether the server reports this index: same type and metric, and each parameter asked for with its value."""
    return (
        found.index_type == wanted.index_type
        and found.metric is wanted.metric
        and all(str(found.params.get(name)) == str(value) for name, value in wanted.params.items())
    )


def _servers_hint() -> str:
    return "see what others can: milvuslab server list, then --server NAME"
