"""The page of all index types, from the catalogue in `model/index_catalog`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milvuslab.model.index_catalog import INDEX_TYPES, IndexType, Parameter

__all__ = ["render_page"]

_ROWS, _DIM = 1_000_000, 128

_HEAD = f"""# Index types

Every index type of Milvus 2.2 to 2.6. What a live server has is probed, never looked up here: see
[what servers were seen to do](capabilities.md). Sizes are by formula (`model/index_catalog/sizes.py`) for {_ROWS:,} rows of
{_DIM} dimensions with the parameters suggested below: the index alone, without stored rows, growing segments, copies during a
build, replicas, or the server.

Servers take a parameter that they do not know without a word and search with the default (measured on 2.2.16, 2.3.5 and Lite
3.2.2: `epf` for `ef`, `nprob`, a build parameter in a search, `params` inside of `params`). `check_search_params` and
`check_build_params` of `milvuslab.model.index_catalog` refuse them and name the right one; the benchmark and the tuner
ask them before they send anything.

*Suggested* is what this package builds with when nothing is said; *default* is the server's. The **tuned** search parameter is
the one that trades time for recall.
"""

_KINDS = (
    ("FLOAT_VECTOR", "Dense vectors"),
    ("BINARY_VECTOR", "Binary vectors"),
    ("SPARSE_FLOAT_VECTOR", "Sparse vectors"),
    ("", "Scalar fields"),
)


def render_page(root_dir: Path) -> str:
    """One table of all types, then a section for each."""
    del root_dir
    parts = [_HEAD]
    for kind, title in _KINDS:
        types = [one for one in INDEX_TYPES.values() if one.vector_kind == kind]
        parts.append(f"## {title}\n\n{_overview(types)}\n")
        parts += [_section(one) for one in types]
    return "\n".join(parts)


def _overview(types: Sequence[IndexType]) -> str:
    head = ["type", "Milvus", "Lite", "tuned by", "memory", "disk", "needs"]
    rows = [
        [
            f"[{one.name}](#{one.name.lower()})",
            _versions(one),
            "yes" if one.is_in_lite else "",
            f"`{one.recall_knob.name}`" if one.recall_knob else "exact" if one.is_exact else "",
            _size(one.estimate_memory_bytes(row_count=_ROWS, dim=_dim(one), params=_sized(one))),
            _size(one.estimate_disk_bytes(row_count=_ROWS, dim=_dim(one), params=_sized(one))),
            one.needs,
        ]
        for one in types
    ]
    return _table(head, rows)


def _section(one: IndexType) -> str:
    facts = [f"Milvus {_versions(one)}"]
    if one.other_kinds:
        facts.append("also for " + ", ".join(f"{kind} ({since})" for kind, since in one.other_kinds.items()))
    if one.metrics:
        facts.append(f"metrics {', '.join(one.metrics)}")
    parts = [f"### {one.name}", one.summary, f"{'; '.join(facts)}. Source: {one.source}."]
    if one.note:
        parts.append(one.note)
    if one.build or one.search:
        parts.append(_parameters(one))
    return "\n\n".join(parts) + "\n"


def _parameters(one: IndexType) -> str:
    rows = [_row("build", parameter) for parameter in one.build] + [_row("search", own) for own in one.search]
    return _table(["use", "parameter", "meaning", "range", "default", "suggested"], rows)


def _row(use: str, parameter: Parameter) -> list[str]:
    meaning = f"{parameter.meaning} (from {parameter.since})" if parameter.since else parameter.meaning
    return [
        f"{use}, **tuned**" if parameter.recall_knob else use,
        f"`{parameter.name}`" + (", needed" if parameter.is_required else ""),
        meaning,
        parameter.allowed,
        _value(parameter.default),
        _value(parameter.suggested),
    ]


def _value(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _versions(one: IndexType) -> str:
    if one.until:
        return one.since if one.since == one.until else f"{one.since} to {one.until}"
    return f"{one.since} on"


def _dim(one: IndexType) -> int:
    return _DIM if one.vector_kind else 8


def _sized(one: IndexType) -> dict[str, int]:
    return {"m": 16} if any(parameter.name == "m" for parameter in one.build) else {}


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])
