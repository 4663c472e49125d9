"""The page of what each server was seen to do, from the kept probes in `benchmarks/results/capabilities.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from milvuslab.gateway import probe

__all__ = ["RESULT_NAME", "render_page"]

RESULT_NAME = "capabilities"

_HEAD = """# What servers were seen to do

Features are never looked up by version. A connection probes the live server once (`gateway/probe.py`) and keeps the answer by
version and build; this page shows the answers of the servers that milvuslab starts. It is written from
`benchmarks/results/capabilities.json`; `python -m tools.probe_servers` starts the servers and probes them again.

*yes* means that it worked, *no* that the server refused it or did something else. A real server was trusted with the name of an
index type (the contract suite builds every one that it took); DISKANN, and every type on Lite, was really built.
"""


def render_page(root_dir: Path) -> str:
    """One table for features, data types, index types and metrics, then the servers' own words."""
    stored = json.loads((root_dir / "benchmarks" / "results" / f"{RESULT_NAME}.json").read_text(encoding="utf-8"))
    probed: dict[str, dict[str, Any]] = stored["raw"]
    names = list(probed)
    parts = [_HEAD]
    took = ", ".join(f"{name} {stored['metrics'][name]['probe_s']} s" for name in names)
    parts.append(f"Probing took: {took} ({stored['manifest']['cpu_count']} cores).\n")
    meanings = _meanings()
    features = sorted(meanings)
    parts.append(_table("Features", ["feature", *names, "what worked"], [
        [f"`{one}`", *(_mark(one in probed[name]["features"]) for name in names), meanings[one]] for one in features
    ]))  # fmt: skip
    types = sorted({one for name in names for one in probed[name]["data_types"]})
    parts.append(_table("Data types", ["type", *names], [
        [one, *(_mark(one in probed[name]["data_types"]) for name in names)] for one in types
    ]))  # fmt: skip
    for key, title in (("index_types", "Index types"), ("metrics", "Metrics")):
        pairs = sorted({(v, one) for name in names for v, kinds in probed[name][key].items() for one in kinds})
        parts.append(_table(title, ["vector", "name", *names], [
            [vector, one, *(_mark(one in probed[name][key].get(vector, [])) for name in names)] for vector, one in pairs
        ]))  # fmt: skip
    parts.append("## In the servers' own words\n")
    for name in names:
        rows = [[f"`{label}`", _cell(words)] for label, words in probed[name]["notes"].items()]
        parts.append(f"### {name}\n\n{_rows(['asked for', 'answer'], rows)}\n")
    return "\n".join(parts)


def _meanings() -> dict[str, str]:
    """The table of features in the docstring of `gateway/probe.py`; names that share a row are told apart."""
    meanings: dict[str, str] = {}
    for line in (probe.__doc__ or "").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 2 and cells[0].startswith("`"):
            for name in cells[0].split(", "):
                meanings[name.strip("`")] = cells[1]
    return meanings


def _table(title: str, head: list[str], rows: list[list[str]]) -> str:
    return f"## {title}\n\n{_rows(head, rows)}\n"


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _mark(is_there: bool) -> str:  # noqa: FBT001  (a cell of a table)
    return "yes" if is_there else "no"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")[:160]
