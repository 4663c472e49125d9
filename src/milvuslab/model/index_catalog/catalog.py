"""All index types by name, and the check of parameters before a server sees them.

Servers take a misspelt parameter without a word and search with the default: `epf` instead of `ef`, `nprob`, a
build parameter in a search, `{"params": {...}}` one level too deep (measured on 2.2.16, 2.3.5 and Lite 3.2.2; a
misspelt build parameter is even told back by `describe_index`). The checks here are the only place that says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from milvuslab.model.errors import NotFoundError, UsageError, suggest
from milvuslab.model.index_catalog.float_types import FLOAT_TYPES
from milvuslab.model.index_catalog.index_type import IndexType
from milvuslab.model.index_catalog.other_types import BINARY_TYPES, GPU_TYPES, SCALAR_TYPES, SPARSE_TYPES
from milvuslab.model.index_catalog.parameter import Parameter

__all__ = ["INDEX_TYPES", "check_build_params", "check_search_params", "get_index_type"]

INDEX_TYPES: Mapping[str, IndexType] = MappingProxyType(
    {one.name: one for one in (*FLOAT_TYPES, *BINARY_TYPES, *SPARSE_TYPES, *GPU_TYPES, *SCALAR_TYPES)}
)
"""Every index type of Milvus 2.2 to 2.6, and three names of 2.0 and 2.1; dense vectors first."""

_ARGUMENTS = {
    "metric_type": "metric", "metric": "metric", "limit": "limit", "topk": "limit", "top_k": "limit", "k": "limit",
    "filter": "where", "expr": "where", "radius": "within", "range_filter": "within", "offset": "offset",
    "consistency_level": "consistency", "group_by_field": "group_by", "timeout": "timeout_s",
    "output_fields": "output_fields",
}  # fmt: skip
"""What people write among the search parameters and a search takes as an argument of its own."""


def get_index_type(name: str) -> IndexType:
    """The index type of that name, in capitals or not.

    Raises:
        NotFoundError: Milvus 2.2 to 2.6 has none of that name; the hint names the nearest.
    """
    for known, found in INDEX_TYPES.items():
        if known.upper() == name.upper():
            return found
    raise NotFoundError(f"there is no index type {name}", hint=suggest(name.upper(), INDEX_TYPES))


def check_build_params(type_name: str, params: Mapping[str, Any], *, dim: int | None = None) -> dict[str, Any]:
    """The build parameters, each in its own type.

    Args:
        type_name: of the index.
        params: by Milvus's names.
        dim: of the vectors, which `m` has to divide; None leaves that out.

    Raises:
        NotFoundError: there is no such type.
        UsageError: a name is misspelt or of another type, a value is out of range, or a needed one is missing.
    """
    found = get_index_type(type_name)
    known = {one.name: one.default for one in found.build if one.default is not None}
    known |= dict(params) if dim is None else {**params, "dim": dim}
    return _check(found, found.build, found.search, params, known=known, use="build")


def check_search_params(
    type_name: str,
    params: Mapping[str, Any],
    *,
    limit: int | None = None,
    build_params: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The search parameters, each in its own type; what is returned is what reaches the index.

    Args:
        type_name: of the index that is searched.
        params: by Milvus's names.
        limit: hits asked for, below which `ef` must not be; None leaves that out.
        build_params: of the index, where known: `nprobe` must not be above `nlist`.

    Raises:
        NotFoundError: there is no such type.
        UsageError: a name is misspelt, or means nothing to this type and would be ignored; a value is out of range; or
            a needed one is missing.
    """
    found = get_index_type(type_name)
    known = dict(build_params or {}) if limit is None else {**(build_params or {}), "limit": limit}
    return _check(found, found.search, found.build, params, known=known, use="search")


def _check(
    found: IndexType,
    own: tuple[Parameter, ...],
    other: tuple[Parameter, ...],
    params: Mapping[str, Any],
    *,
    known: Mapping[str, Any],
    use: str,
) -> dict[str, Any]:
    by_name = {one.name: one for one in own}
    for name in params:
        if name not in by_name:
            raise _unknown(found, own, other, name, use=use)
    missing = [one.name for one in own if one.is_required and one.name not in params]
    if missing:
        raise UsageError(f"a {use} of {found.name} needs {', '.join(missing)}", hint=_all_allowed(own, use))
    return {name: by_name[name].check(value, known=known) for name, value in params.items()}


def _unknown(
    found: IndexType, own: tuple[Parameter, ...], other: tuple[Parameter, ...], name: str, *, use: str
) -> UsageError:
    other_use = "search" if use == "build" else "build"
    if name in {one.name for one in other}:
        return UsageError(
            f"{name} is a {other_use} parameter of {found.name}; a {use} ignores it", hint=_all_allowed(own, use)
        )
    if name == "params":
        return UsageError(
            'parameters stand one level too deep, in "params", where the server does not look',
            hint=f"write them directly: {_all_allowed(own, use)}",
        )
    if use == "search" and name in _ARGUMENTS:
        return UsageError(
            f"{name} is no parameter of the index and would not reach it",
            hint=f"it is an argument of the search: {_ARGUMENTS[name]}=...",
        )
    near = [one.name for one in own if one.name.lower() == name.lower()]
    hint = f"did you mean {near[0]}?" if near else suggest(name, [one.name for one in own]) if own else ""
    elsewhere = sorted(one.name for one in INDEX_TYPES.values() if name in {p.name for p in (*one.build, *one.search)})
    told = f"; it is one of {', '.join(elsewhere)}" if elsewhere else ""
    return UsageError(
        f"{name} is no {use} parameter of {found.name}, and the server would ignore it{told}",
        hint=hint or f"{found.name} has no {use} parameters",
    )


def _all_allowed(own: tuple[Parameter, ...], use: str) -> str:
    return "; ".join(f"{one.name}: {one.allowed}" for one in own) or f"there are no {use} parameters"
