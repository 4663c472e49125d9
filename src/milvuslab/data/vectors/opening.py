"""From a file to a set: which reader, which rows become queries, which truth comes along."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from milvuslab.data.vectors.file_rows import RowFile, damaged
from milvuslab.data.vectors.hdf5_file import Hdf5File, open_hdf5
from milvuslab.data.vectors.numpy_file import open_numpy
from milvuslab.data.vectors.parquet_file import open_parquet
from milvuslab.data.vectors.texmex import TexmexFile, open_texmex
from milvuslab.data.vectors.vector_set import GivenTruth, Vectors, VectorSet
from milvuslab.fetch.checksum import sha256_of
from milvuslab.model.errors import ConflictError, NotFoundError, UnsupportedError, UsageError

__all__ = ["VECTOR_FORMATS", "FileRows", "open_vectors"]

VECTOR_FORMATS = (".bvecs", ".fvecs", ".hdf5", ".npy", ".parquet")
"""Endings of files that hold vectors."""


def open_vectors(
    path: str | Path,
    *,
    query_count: int = 1000,
    row_limit: int | None = None,
    column: str | None = None,
    is_binary: bool = False,
    seed: int = 7,
) -> VectorSet:
    """The vectors of a file as a set; no row is read but those that become queries.

    Queries are those of the file (`test` of .hdf5, the sibling `*_query.fvecs` of `*_base.fvecs`). A file without any
    gives rows of its own, drawn by `seed` and taken out of the set: a query that is stored finds itself, and recall
    looks better than it is.

    Args:
        path: a .fvecs, .bvecs, .npy, .hdf5 or .parquet file.
        query_count: queries wanted; fewer where the file has fewer, or more than a tenth of its rows would go.
        row_limit: take only the first rows; the truth of the file is then left out.
        column: of a .parquet file; None takes the only one that holds lists of numbers.
        is_binary: whether uint8 of .npy and .parquet is packed bits; booleans always are bits.
        seed: of the queries drawn, and of the buckets.

    Raises:
        NotFoundError: no such file or column.
        UnsupportedError: an ending that is not known, or an extra that is missing.
        UsageError: an argument does not fit the file.
        SchemaError: the file is not of its form: empty, cut off, rows of unequal width.
    """
    path = Path(path)
    if query_count < 1 or (row_limit is not None and row_limit < 1):
        raise UsageError(f"query_count is {query_count}, row_limit {row_limit}", hint="take 1 or more")
    file = _open_file(path, column=column, is_binary=is_binary)
    row_count = min(file.row_count, row_limit or file.row_count)
    given = _given_queries(file, query_count)
    if given is None:
        held = _draw_held(file, row_count=row_limit, query_count=query_count, seed=seed)
        queries, truth, parts = _read_places(file, held), None, [path]
        row_count = min(row_count, file.row_count - len(held))
    else:
        held = np.empty(0, dtype=np.int64)
        queries, truth, parts = given.queries, given.truth, [path, *given.parts]
    source = FileRows(
        file=file, held=tuple(held.tolist()), stamps=tuple(_stamp(part) for part in parts), row_count=row_count,
        query_count=len(queries),
    )  # fmt: skip
    return VectorSet(
        name=f"{path.stem}-{row_count}x{file.dim}",
        row_count=row_count,
        dim=file.dim,
        queries=queries,
        source=source,
        is_binary=file.is_binary,
        metric=file.metric if isinstance(file, Hdf5File) else None,
        given_truth=truth if row_count == file.row_count else None,
        bucket_seed=seed,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Stamp:
    """A file as it was when it was opened."""

    path: Path
    size_bytes: int
    changed_ns: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileRows:
    """Rows of a file, without those that became queries."""

    file: RowFile
    held: tuple[int, ...]
    stamps: tuple[_Stamp, ...]
    row_count: int
    query_count: int

    def read_rows(self, start: int, stop: int) -> Vectors:
        """Rows of the set.

        Raises:
            ConflictError: the file was written to since it was opened.
            SchemaError: a row is not of its form.
        """
        self._refuse_change()
        if stop == start:
            is_binary, dim = self.file.is_binary, self.file.dim
            return np.empty((0, dim // 8 if is_binary else dim), dtype=np.uint8 if is_binary else np.float32)
        held = np.asarray(self.held, dtype=np.int64)
        # The row i of the set is behind as many held ones as have at most i rows of the set before them.
        before = held - np.arange(len(held))
        skipped, ended = (int(np.searchsorted(before, place, side="right")) for place in (start, stop - 1))
        begin, end = start + skipped, stop + ended
        rows = self.file.read(begin, end)
        inside = held[(held >= begin) & (held < end)] - begin
        return np.delete(rows, inside, axis=0) if len(inside) else rows

    def compute_checksum(self) -> str:
        """Of the bytes of the files and of what was chosen from them."""
        self._refuse_change()
        chosen = {
            "files": [sha256_of(stamp.path) for stamp in self.stamps],
            "ending": self.file.path.suffix.lower(),
            "column": getattr(self.file, "column", None),
            "is_binary": self.file.is_binary,
            "held": self.held,
            "row_count": self.row_count,
            "query_count": self.query_count,
        }
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    def _refuse_change(self) -> None:
        for stamp in self.stamps:
            if not stamp.path.is_file() or _stamp(stamp.path) != stamp:
                raise ConflictError(f"{stamp.path} has changed since it was opened", hint="start again with the file")


def _open_file(path: Path, *, column: str | None, is_binary: bool) -> RowFile:
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", hint=f"pass a file: {', '.join(VECTOR_FORMATS)}")
    ending = path.suffix.lower()
    if ending == ".ivecs":
        raise UsageError(
            f"{path} holds ids of neighbours, no vectors",
            hint="pass the *_base.fvecs file; *_query.fvecs and *_groundtruth.ivecs beside it are found",
        )
    if ending not in VECTOR_FORMATS:
        raise UnsupportedError(
            f"vectors in {path.name}", needs=" or ".join(VECTOR_FORMATS), has=ending or "a name without ending"
        )
    if column is not None and ending != ".parquet":
        raise UsageError(f"{path} has no columns, {column!r} was asked for", hint="leave the column out")
    if is_binary and ending in (".fvecs", ".bvecs", ".hdf5"):
        raise UsageError(f"{path} says itself what it holds", hint="leave is_binary out")
    if not path.stat().st_size:
        raise damaged(path, "the file is empty", hint="pass a file with vectors")
    if ending == ".npy":
        return open_numpy(path, is_binary=is_binary)
    if ending == ".hdf5":
        return open_hdf5(path)
    if ending == ".parquet":
        return open_parquet(path, column=column, is_binary=is_binary)
    return open_texmex(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Given:
    """Queries that come with a file."""

    queries: Vectors
    truth: GivenTruth | None
    parts: tuple[Path, ...] = ()


def _given_queries(file: RowFile, count: int) -> _Given | None:
    if isinstance(file, Hdf5File):
        return _Given(queries=file.read_queries(count), truth=file.read_truth(count))
    if not isinstance(file, TexmexFile) or not file.path.stem.endswith("_base"):
        return None
    begin = file.path.stem.removesuffix("_base")
    path = file.path.with_name(f"{begin}_query{file.path.suffix}")
    if not path.is_file():
        return None
    queries = open_texmex(path)
    if queries.dim != file.dim:
        raise damaged(path, f"queries have {queries.dim} numbers, the rows of {file.path.name} {file.dim}")
    count = min(count, queries.row_count)
    ids_path = file.path.with_name(f"{begin}_groundtruth.ivecs")
    truth = _read_ids(ids_path, count=count, row_count=file.row_count) if ids_path.is_file() else None
    return _Given(queries=queries.read(0, count), truth=truth, parts=(path,))


def _read_ids(path: Path, *, count: int, row_count: int) -> GivenTruth:
    table = open_texmex(path)
    if table.row_count < count:
        raise damaged(path, f"neighbours of {table.row_count} queries, there are {count}")
    ids = table.read_raw(0, count).astype(np.int64)
    if not (ids.min() >= 0 and ids.max() < row_count):
        raise damaged(path, f"a neighbour is no row: ids from {ids.min()} to {ids.max()}, {row_count} rows")
    return ids, None


def _draw_held(file: RowFile, *, row_count: int | None, query_count: int, seed: int) -> npt.NDArray[np.int64]:
    """Ascending numbers of the rows that become queries, from the part of the file that is used."""
    span = min(file.row_count, (row_count + query_count) if row_count else file.row_count)
    count = min(query_count, span // 10 or 1)
    if span < 2:
        raise UsageError(f"{file.path} has one row, which cannot be stored and asked for", hint="pass more rows")
    chosen = np.random.default_rng(seed).choice(span, size=count, replace=False)
    return np.sort(chosen).astype(np.int64)


def _read_places(file: RowFile, places: npt.NDArray[np.int64]) -> Vectors:
    return np.concatenate([file.read(int(place), int(place) + 1) for place in places])


def _stamp(path: Path) -> _Stamp:
    state = path.stat()
    return _Stamp(path=path, size_bytes=state.st_size, changed_ns=state.st_mtime_ns)
