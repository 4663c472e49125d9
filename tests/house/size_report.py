"""The longest modules, functions and classes: something to look at, not a rule that fails."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from tests.house.source import Module

__all__ = ["size_lines"]


def size_lines(modules: Iterable[Module], *, shown_count: int = 5) -> list[str]:
    """Lines of a short report: counts, medians, and the longest of each kind."""
    modules = list(modules)
    lengths = {
        "modules": [(len(module.text.splitlines()), module.name) for module in modules if not module.is_package],
        "functions": [row for module in modules for row in _rows(module, ast.FunctionDef, ast.AsyncFunctionDef)],
        "classes": [row for module in modules for row in _rows(module, ast.ClassDef)],
    }
    lines = []
    for kind, rows in lengths.items():
        ordered = sorted(rows, reverse=True)
        median = ordered[len(ordered) // 2][0] if ordered else 0
        longest = ", ".join(f"{name} {length}" for length, name in ordered[:shown_count])
        lines.append(f"{len(ordered)} {kind}, median {median} lines; longest: {longest}")
    return lines


def _rows(module: Module, *kinds: type[ast.stmt]) -> list[tuple[int, str]]:
    return [
        (node.end_lineno - node.lineno + 1, f"{module.name.removeprefix('milvuslab.')}.{node.name}")
        for node in ast.walk(module.tree)
        if isinstance(node, kinds)
    ]
