"""Which room may import which: the one table, and the imports of every module held against it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator

from tests.house.source import Module

__all__ = ["FLOORS", "OWNERS", "find_climbs", "find_foreign", "find_strangers", "imports_of"]

FLOORS: tuple[tuple[str, ...], ...] = (
    ("model",),
    ("machine", "fetch"),
    ("runtime", "gateway", "data", "embed", "journal"),
    ("bench", "etl"),
    ("apps", "tune", "ops"),
    ("cli", "studio"),
)
"""From the ground up. A room imports rooms of lower floors only; docs/explain/architecture.md shows the same table."""

OWNERS = {"pymilvus": "gateway", "nicegui": "studio", "fastapi": "studio", "typer": "cli", "onnxruntime": "embed"}
"""Foreign packages that exactly one room may import."""

_GROUND_MAY_IMPORT = {"numpy", "milvuslab"}
_GROUND_MAY_NOT_IMPORT = {"os", "io", "subprocess", "socket", "shutil", "tempfile", "logging", "threading", "asyncio"}
_AT_THE_DOOR = {"milvuslab.__main__"}


def imports_of(module: Module) -> Iterator[tuple[str, int]]:
    """Every dotted name a module imports, with its line: at the top, inside functions, or by name as a string."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(module, node)
            yield base, node.lineno
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_call(node.func):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value, node.lineno


def find_climbs(modules: Iterable[Module]) -> list[str]:
    """Imports that go up, or sideways to another room of the same floor, one sentence each."""
    heights = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
    found = set()
    for module in modules:
        own = _room_of(module.name, module)
        if own and own not in heights:
            found.add(f"{module.name}: the room {own} is not in the table of floors")
            continue
        for name, line in imports_of(module):
            other = _room_of(name)
            if other is None or other == own or other not in heights:
                continue
            if own == "" or heights[other] >= heights[own]:
                found.add(f"{module.name}:{line} imports {'.'.join(name.split('.')[:3])}, which is not below it")
    return sorted(found)


def find_foreign(modules: Iterable[Module]) -> list[str]:
    """Imports of a foreign package by another room than the one that owns it."""
    return sorted(
        f"{module.name}:{line} imports {name}; only {OWNERS[top]}/ may"
        for module in modules
        for name, line in imports_of(module)
        if (top := name.split(".")[0]) in OWNERS and module.room != OWNERS[top]
    )


def find_strangers(modules: Iterable[Module]) -> list[str]:
    """Imports of the ground floor beyond the standard library and numpy, or of anything that does I/O."""
    return sorted(
        f"{module.name}:{line} imports {name}; the ground floor does no I/O and needs numpy only"
        for module in modules
        if module.room == FLOORS[0][0]
        for name, line in imports_of(module)
        if (top := name.split(".")[0]) in _GROUND_MAY_NOT_IMPORT
        or (top not in sys.stdlib_module_names and top not in _GROUND_MAY_IMPORT)
    )


def _base_of(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*kept, node.module] if node.module else kept)


def _is_import_call(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def _room_of(name: str, module: Module | None = None) -> str | None:
    """The room a dotted name lies in, '' for the package itself, None for foreign names."""
    parts = name.split(".")
    if parts[0] != "milvuslab":
        return None
    if name in _AT_THE_DOOR:
        return FLOORS[-1][0]
    if module is not None:
        return module.room
    return parts[1] if len(parts) > 1 else ""
