"""An index as a value: on which field, of which type, with which build parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from milvuslab.model.metric import Metric

__all__ = ["IndexReport", "IndexSpec"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """An index to build.

    Attributes:
        field_name: vector (or, where the server has scalar indexes, scalar) field.
        index_type: Milvus's name: `FLAT`, `HNSW`, `IVF_FLAT`, ...; empty for a scalar field takes the server's choice.
        metric: how nearness is measured; None for a scalar field.
        params: build parameters by Milvus's names, `{"M": 16, "efConstruction": 200}`.
    """

    field_name: str
    index_type: str
    metric: Metric | None = None
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """An index as the server describes it.

    Attributes:
        spec: what it is.
        name: the server's name for it.
        indexed_row_count: rows of sealed segments that have their index.
        total_row_count: rows of sealed segments.
        state: the server's word. `Finished` may be said while rows are pending (measured on 2.3.5), so
            compare the counts.
        failure: the server's reason when the build failed; else empty.
    """

    spec: IndexSpec
    name: str
    indexed_row_count: int
    total_row_count: int
    state: str
    failure: str = ""
