"""An index type as a value: where it exists, what it takes, what it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from milvuslab.model.index_catalog.parameter import Parameter
from milvuslab.model.index_catalog.sizes import Shape, SizeFormula

__all__ = ["IndexType"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexType:
    """One index type of Milvus.

    Whether a live server has it is asked of its capabilities; `since` and `until` are for people and for planning.

    Attributes:
        name: Milvus's word.
        summary: one sentence: how it works and when it is right.
        vector_kind: field type it is for: `FLOAT_VECTOR`, `BINARY_VECTOR`, `SPARSE_FLOAT_VECTOR`; empty for scalars.
        other_kinds: further field types, each with the first Milvus: `{"INT8_VECTOR": "2.6"}`.
        metrics: Milvus's words; empty for scalar types.
        build: build parameters.
        search: search parameters of the type itself; limit, metric and filter are arguments of the search.
        since: first Milvus of 2.2 to 2.6 with it; `2.2` also for what is older.
        until: last Milvus with it; empty while it is there.
        needs: what else it needs: `AVX2`, `a GPU`, `queryNode.enableDisk`; empty for nothing.
        is_exact: whether it finds the true neighbours, or looks at every row.
        is_in_lite: whether Milvus Lite 3.2.2 builds it.
        source: where the entry comes from.
        note: what surprises; may be empty.
        memory: formula of the bytes in memory.
        disk: formula of the bytes of its files; None is the same as in memory.
    """

    name: str
    summary: str
    vector_kind: str
    metrics: tuple[str, ...]
    source: str
    memory: SizeFormula
    build: tuple[Parameter, ...] = ()
    search: tuple[Parameter, ...] = ()
    since: str = "2.2"
    until: str = ""
    needs: str = ""
    is_exact: bool = False
    is_in_lite: bool = False
    other_kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    note: str = ""
    disk: SizeFormula | None = None

    @property
    def recall_knob(self) -> Parameter | None:
        """The search parameter that trades time for recall; None where there is none."""
        return next((parameter for parameter in self.search if parameter.recall_knob), None)

    @property
    def suggested_params(self) -> dict[str, Any]:
        """Build parameters to begin with."""
        return {one.name: one.suggested for one in self.build if one.suggested is not None}

    def search_ladder(
        self, *, build_params: Mapping[str, Any], limit: int, row_count: int | None = None
    ) -> tuple[dict[str, Any], ...]:
        """Search parameters worth trying, from the fastest to the most accurate; one empty step where nothing is tuned.

        Args:
            build_params: bound the steps: no `nprobe` above `nlist`.
            limit: hits that a search asks for; no `ef` below it.
            row_count: of the collection, where known: the last step of `search_k` looks at all of them.
        """
        knob = self.recall_knob
        if knob is None:
            return ({},)
        known = self._filled(build_params) | {"limit": limit}
        low, high = known.get(knob.low_from) or 0, known.get(knob.high_from)
        if high is None and row_count is not None and knob.kind == "int":
            high = row_count * int(known.get("n_trees") or 1)
        steps = [step for step in knob.ladder if step >= low and (high is None or step <= high)]
        if knob.low_from and low and (not steps or steps[0] != low):
            steps.insert(0, low)
        if knob.high_from and high and steps[-1:] != [high]:
            steps.append(high)
        return tuple({knob.name: step, **self._beside(known)} for step in steps)

    def _beside(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Other search parameters that this package always sets: at least `limit` where they count candidates."""
        return {
            one.name: max(one.suggested, known["limit"]) if one.low_from == "limit" else one.suggested
            for one in self.search
            if one.suggested is not None and not one.recall_knob
        }

    def estimate_memory_bytes(self, *, row_count: int, dim: int, params: Mapping[str, Any] | None = None) -> int:
        """Bytes of the loaded index by formula; on a GPU for GPU types.

        Args:
            row_count: rows indexed.
            dim: dimensions; bits of a binary vector, mean count of weights of a sparse one, mean bytes of a scalar.
            params: build parameters; suggested values or the server's defaults stand for what is left out.
        """
        return round(self.memory(Shape(row_count=row_count, dim=dim, params=self._filled(params or {}))))

    def estimate_disk_bytes(self, *, row_count: int, dim: int, params: Mapping[str, Any] | None = None) -> int:
        """Bytes of the index's files by formula; the stored rows themselves come besides, on every type."""
        formula = self.disk or self.memory
        return round(formula(Shape(row_count=row_count, dim=dim, params=self._filled(params or {}))))

    def _filled(self, params: Mapping[str, Any]) -> dict[str, Any]:
        usual = {one.name: one.default if one.suggested is None else one.suggested for one in self.build}
        return {**usual, **params}
