"""A case: everything that decides what a run measures, as one value, and the settings that it asks for.

A case says what is asked; what was really built and searched is in the manifest, as the server reports it.
Files are read by `bench/case_file.py`; a value checks itself when it is made.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from milvuslab.model.collection import Consistency
from milvuslab.model.errors import ConfigError, UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

__all__ = [
    "HIGHEST_RATE",
    "VECTOR_FIELD",
    "Case",
    "CollectionCase",
    "DatasetCase",
    "IndexCase",
    "Limits",
    "LoadCase",
    "RepeatCase",
    "SearchCase",
    "ServerCase",
    "Setting",
    "WriteCase",
    "key",
]

VECTOR_FIELD = "vector"
HIGHEST_RATE = "highest rate"


def key(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a section: its default, what it means, and which values it takes; `case_file` reads these."""
    rules = {"about": about, "low": low, "high": high, "choices": choices}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=rules)
    return dataclasses.field(default=default, metadata=rules)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCase:
    """Which vectors and queries."""

    kind: str = key(
        "clustered",
        "made clustered floats, made bits, a file, or the vectors of a collection",
        choices=("clustered", "binary", "file", "collection"),
    )
    row_count: int = key(0, "rows; of a file or a collection 0 takes all, of a collection at most a million", low=0)
    dim: int = key(0, "numbers (or bits) of a vector; 0 takes what a file or a collection has", low=0, high=32_768)
    query_count: int = key(1_000, "queries", low=1, high=100_000)
    intrinsic_dim: int = key(16, "dimensions that clustered vectors really spread over", low=1)
    seed: int = key(7, "of made vectors, and of the queries taken out of a file", low=0)
    path: str = key("", "of a file: .fvecs .bvecs .npy .hdf5 .parquet; relative to the case file")
    column: str = key("", "vector column of a Parquet file, data set of an HDF5 one, vector field of a collection")
    collection: str = key("", "a loaded collection on the server; it is read, and measured on a copy")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CollectionCase:
    """Where the rows lie, and how nearness is measured."""

    name: str = key("", "an existing collection with the rows of the data set; default: one of our own")
    metric: str = key("L2", "metric", choices=("L2", "IP", "COSINE", "HAMMING", "JACCARD"))
    consistency: str = key("Bounded", "of searches", choices=tuple(str(one) for one in Consistency))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexCase:
    """Which index is built."""

    type: str = key("HNSW", "index type by Milvus's name")
    params: Mapping[str, Any] = key({}, "build parameters by Milvus's names")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchCase:
    """What is searched for."""

    k: int = key(10, "hits of a query", low=1, high=16_384)
    params: tuple[Mapping[str, Any], ...] = key(({},), "search parameters; each is measured")
    selectivity: tuple[float, ...] = key(
        (1.0,), "shares of rows that pass the filter; 1 is no filter", low=1e-4, high=1.0
    )
    batch_rows: tuple[int, ...] = key((1,), "queries of one request", low=1, high=16_384)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadCase:
    """How requests arrive.

    `open` sends by a schedule and counts latency from the intended time, `closed` keeps so many in flight and says
    nothing about latency under load, `slo` searches the highest rate at which P99 stays below a limit.
    """

    mode: str = key("open", "how requests arrive", choices=("open", "closed", "slo"))
    rate_per_s: tuple[float, ...] = key(
        (50.0,), "requests a second of an open loop, each is measured; of mode slo the first tried", low=0.01, high=1e6
    )
    schedule: str = key("constant", "of an open loop", choices=("constant", "poisson"))
    in_flight: tuple[int, ...] = key((1,), "requests in flight of a closed loop; each is measured", low=1, high=1_024)
    latency_ms_p99_below: float = key(100.0, "limit of mode slo", low=0.01)
    duration_s: float = key(10.0, "of one setting", low=0.05, high=86_400)
    warm_up_count: int = key(200, "requests before a setting is timed", low=0, high=1_000_000)
    timeout_s: float = key(10.0, "deadline of one request", low=0.01, high=600)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WriteCase:
    """What is written while an open loop searches; nothing unless a rate is given."""

    insert_per_s: float = key(0.0, "calls a second that add rows", low=0.0, high=1e5)
    upsert_per_s: float = key(0.0, "calls a second that write rows of the data set again", low=0.0, high=1e5)
    delete_per_s: float = key(0.0, "calls a second that delete what was added", low=0.0, high=1e5)
    batch_rows: int = key(10, "rows of one call", low=1, high=10_000)

    @property
    def rates(self) -> dict[str, float]:
        """Calls a second by kind, 0 for none."""
        return {"insert": self.insert_per_s, "upsert": self.upsert_per_s, "delete": self.delete_per_s}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepeatCase:
    """How often."""

    repeats: int = key(3, "how often every setting is measured, in turn", low=1, high=1_000)
    seed: int = key(7, "of Poisson schedules; each repeat takes the next", low=0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerCase:
    """Which server it is meant for."""

    profile: str = key("", "name of a server; default: the one commands use")
    version: str = key("", "what its version must begin with, without 'v'")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a run is refused."""

    error_ratio_max: float = key(0.0, "share of requests that may fail", low=0.0, high=1.0)
    recall_min: float = key(0.0, "lowest recall; zero is always refused", low=0.0, high=1.0)
    lateness_ms_p99_max: float = key(20.0, "how late requests may be sent; above 5 the run is marked", low=0.0)
    client_bound_ratio_max: float = key(0.9, "share of the time in which our own side was the limit", low=0.0, high=1.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that is measured: these parameters, under this filter, at this load.

    Attributes:
        params: search parameters.
        selectivity: share of rows that pass the filter, 1 is none.
        batch_rows: queries of one request.
        rate_per_s: of an open loop, else None.
        in_flight: of a closed loop, else None.
    """

    params: Mapping[str, Any]
    selectivity: float
    batch_rows: int
    rate_per_s: float | None = None
    in_flight: int | None = None

    @property
    def label(self) -> str:
        """What tells it from the other settings of a case, for people and as key of comparisons."""
        parts = [f"{name}={value}" for name, value in sorted(self.params.items())]
        parts += [f"{self.selectivity:g} pass"] if self.selectivity < 1 else []
        parts += [f"{self.batch_rows} a request"] if self.batch_rows > 1 else []
        if self.rate_per_s is not None:
            parts.append(f"{self.rate_per_s:g}/s")
        elif self.in_flight is not None:
            parts.append(f"{self.in_flight} in flight")
        else:
            parts.append(HIGHEST_RATE)
        return ", ".join(parts)

    @property
    def bucket_below(self) -> int | None:
        """Rows with a smaller bucket pass; None without a filter."""
        return round(self.selectivity * 10_000) if self.selectivity < 1 else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a run measures.

    Attributes:
        name: short, of letters, digits, '-' and '_'.
        title: one sentence for a person.
        folder: where relative paths of the case begin; no part of the digest.
    """

    name: str
    title: str = ""
    dataset: DatasetCase = DatasetCase()
    collection: CollectionCase = CollectionCase()
    index: IndexCase = dataclasses.field(default_factory=IndexCase)
    search: SearchCase = SearchCase()
    load: LoadCase = LoadCase()
    writes: WriteCase = WriteCase()
    run: RepeatCase = RepeatCase()
    server: ServerCase = ServerCase()
    limits: Limits = Limits()
    folder: str = ""

    def __post_init__(self) -> None:
        self._check_dataset()
        self._check_metric()
        self._check_parameters()
        self._check_writes()
        labels = [setting.label for setting in self.settings()]
        twice = {label for label in labels if labels.count(label) > 1}
        if twice:
            raise ConfigError(f"{self.name} measures a setting twice: {'; '.join(sorted(twice))}", hint="remove one")

    def _check_dataset(self) -> None:
        data = self.dataset
        if (data.kind == "file") != bool(data.path):
            raise ConfigError(
                f"{self.name}: dataset.kind is {data.kind} and dataset.path is {data.path!r}",
                hint='a file needs both: kind = "file" and path = "vectors.fvecs"',
            )
        if (data.kind == "collection") != bool(data.collection):
            raise ConfigError(
                f"{self.name}: dataset.kind is {data.kind} and dataset.collection is {data.collection!r}",
                hint='a collection needs both: kind = "collection" and collection = "text_en"',
            )
        if data.kind in ("clustered", "binary") and not (data.row_count and data.dim):
            raise ConfigError(
                f"{self.name}: dataset.row_count is {data.row_count} and dataset.dim is {data.dim}",
                hint="made vectors need both, at least 1",
            )
        if data.row_count and self.search.k > data.row_count:
            raise ConfigError(
                f"{self.name}: search.k is {self.search.k:,}, the data set has {data.row_count:,} rows",
                hint="ask for fewer hits than there are rows",
            )

    def _check_metric(self) -> None:
        is_bits = self.dataset.kind == "binary"
        if self.dataset.kind in ("clustered", "binary") and self.metric.is_binary != is_bits:
            raise ConfigError(
                f"{self.name}: collection.metric is {self.metric}, the data set is {self.dataset.kind}",
                hint="bits take HAMMING or JACCARD, floats take L2, IP or COSINE",
            )

    def _check_writes(self) -> None:
        if not self.has_writes:
            return
        if self.load.mode != "open":
            raise ConfigError(
                f"{self.name}: writes stand beside searches of load.mode {self.load.mode!r}",
                hint="write beside an open loop: load.mode = 'open'",
            )
        if self.collection.name:
            raise ConfigError(
                f"{self.name}: writes would change the rows of collection {self.collection.name}",
                hint="leave collection.name out: the run makes a collection of its own",
            )

    @property
    def has_writes(self) -> bool:
        """Whether something is written while it searches."""
        return any(self.writes.rates.values())

    def _check_parameters(self) -> None:
        from milvuslab.model.index_catalog import check_build_params, check_search_params, get_index_type

        try:
            known = get_index_type(self.index.type)
            check_build_params(known.name, self.index.params, dim=self.dataset.dim or None)
            for params in self.search.params:
                check_search_params(known.name, params, limit=self.search.k)
        except UsageError as error:
            raise ConfigError(f"{self.name}: {error.message}", hint=error.hint, context=error.context) from error

    @property
    def metric(self) -> Metric:
        """The metric as a value."""
        return Metric(self.collection.metric)

    @property
    def index_spec(self) -> IndexSpec:
        """The index that is to be built."""
        return IndexSpec(
            field_name=VECTOR_FIELD, index_type=self.index.type, metric=self.metric, params=self.index.params
        )

    def settings(self) -> list[Setting]:
        """Everything that one repeat measures, in order."""
        load = self.load
        loads: list[dict[str, Any]] = [{}]
        if load.mode == "open":
            loads = [{"rate_per_s": rate} for rate in load.rate_per_s]
        elif load.mode == "closed":
            loads = [{"in_flight": count} for count in load.in_flight]
        search = self.search
        return [
            Setting(params=params, selectivity=selectivity, batch_rows=batch_rows, **one)
            for selectivity, params, batch_rows, one in itertools.product(
                search.selectivity, search.params, search.batch_rows, loads
            )
        ]

    def as_dict(self) -> dict[str, Any]:
        """All values, sections as dictionaries: what a run folder keeps."""
        values = dataclasses.asdict(self)
        values.pop("folder")
        return values

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the measurement; name, title and limits do not."""
        values = {name: value for name, value in self.as_dict().items() if name not in ("name", "title", "limits")}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()
