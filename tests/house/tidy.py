"""Names, calls and leftovers that the house does not want, found in the syntax tree or in the text of a file."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.house.source import Module

__all__ = [
    "FILE_LIMIT_BYTES",
    "find_banned_calls",
    "find_banned_names",
    "find_banned_text",
    "find_environment_reads",
    "find_large",
    "find_many_sleeps",
    "find_unused_modules",
    "find_unused_private",
]

FILE_LIMIT_BYTES = 200_000

_BANNED_WORDS = {"utils", "util", "helpers", "helper", "misc", "manager", "data2"}
_BANNED_WHOLE = {"common", "new", "final", "shared"}
_BANNED_FIRST = {"new", "final", "phase", "sprint"}
_BANNED_LAST = {"v2", "v3", "final", "new"}

_BANNED_CALLS = {
    "breakpoint": "a debugger is no part of the product",
    "pdb.set_trace": "a debugger is no part of the product",
    "datetime.utcnow": "take datetime.now(timezone.utc)",
    "datetime.datetime.utcnow": "take datetime.now(timezone.utc)",
    "os.system": "start programs with a list of arguments",
}

# One letter of each word stands in brackets, so that this file does not find itself.
_BANNED_TEXT = {
    r"\b(TOD[O]|FIXM[E]|XX[X]|HAC[K]|WI[P])\b": "a leftover marker: do it, or open an issue",
    r"(?<![\w.])/(r[o]ot|w[o]rk|h[o]me/\w+|opt/wh[e]els)/": "a path of somebody's machine",
    r"\b(pypi\.[o]rg|pythonh[o]sted\.org|registry\.n[p]mjs|(deb|security)\.d[e]bian\.org|repo1?\.m[a]ven|proxy\.g[o]lang)": (
        "a registry's host: its client knows it"
    ),
    r"(?i)\b(cl[a]ude|anthr[o]pic|sub-?ag[e]nts?|helper-[0-9]|co-auth[o]red-by)\b": "a word about who wrote it",
    r"(?i)\biss[u]e #?\d": "an issue number: say the reason itself",
}


def find_banned_names(modules: Iterable[Module]) -> list[str]:
    """Modules, classes and functions named after nothing."""
    found = []
    for module in modules:
        if problem := _banned_word(module.name.rsplit(".", 1)[-1]):
            found.append(f"{module.name}: the module's name says {problem!r}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
                problem := _banned_word(node.name)
            ):
                found.append(f"{module.name}:{node.lineno} {node.name} says {problem!r}")
    return found


def _banned_word(name: str) -> str:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]
    if words[:1] == ["test"]:
        return words[-1] if words[-1] in ("v2", "v3") else ""
    banned = [word for word in words if word in _BANNED_WORDS]
    if len(words) == 1:
        banned += [word for word in words if word in _BANNED_WHOLE]
    else:
        banned += [word for word in words[:1] if word in _BANNED_FIRST]
        banned += [word for word in words[-1:] if word in _BANNED_LAST]
    return banned[0] if banned else ""


def find_banned_calls(modules: Iterable[Module]) -> list[str]:
    """Calls that are never right in the package; printing is right in `cli/` only."""
    found = []
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in _BANNED_CALLS:
                    found.append(f"{module.name}:{node.lineno} calls {called}: {_BANNED_CALLS[called]}")
                elif called == "print" and module.room != "cli":
                    found.append(f"{module.name}:{node.lineno} prints: only cli/ does")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _wall_clock_reads(node) > 1:
                found.append(f"{module.name}:{node.lineno} {node.name} reads the wall clock twice: take time.monotonic")
    return found


def _wall_clock_reads(function: ast.AST) -> int:
    """One reading is a date to be kept; two in a function are a duration that a change of the clock spoils."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    return sum(ast.unparse(call.func) == "time.time" for call in calls)


def find_many_sleeps(modules: Iterable[Module]) -> list[str]:
    """Rooms that sleep in more than one place: a room has one polling place, and it has a deadline."""
    places = [
        (module.room, f"{module.name}:{node.lineno}")
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.sleep", "asyncio.sleep")
    ]
    counts = Counter(room for room, _ in places)
    return [f"{place} sleeps; {room}/ has {counts[room]} such places" for room, place in places if counts[room] > 1]


def find_environment_reads(modules: Iterable[Module]) -> list[str]:
    """Reads of the environment outside `cli/` and programs (`__main__`), which turn it into settings once.

    Handing the whole environment on to a program that we start is fine, inside a function, and so is telling a library what
    it takes from nowhere else (`os.environ.setdefault` as a statement, whose answer nobody reads).
    """
    found = []
    for module in modules:
        if module.room == "cli" or module.name.endswith(".__main__"):
            continue
        handed_on = {id(node) for node in _handed_on(module.tree)}
        for node in ast.walk(module.tree):
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if name == "os.getenv" or (name == "os.environ" and id(node) not in handed_on):
                found.append(f"{module.name}:{node.lineno} reads the environment: take a Settings value")
    return found


def _handed_on(tree: ast.Module) -> Iterator[ast.expr]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Dict):
                yield from (value for key, value in zip(node.keys, node.values, strict=True) if key is None)
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
                yield from (node.left, node.right)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict":
                yield from node.args
            elif isinstance(node, ast.Expr) and ast.unparse(node).startswith("os.environ.setdefault("):
                assert isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute)
                yield node.value.func.value
            elif isinstance(node, ast.Attribute) and node.attr in ("copy", "items"):
                yield node.value


def find_unused_private(modules: Iterable[Module]) -> list[str]:
    """Private functions, classes, methods and constants that nothing refers to."""
    modules = list(modules)
    used: Counter[str] = Counter()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used[node.id] += 1
            elif isinstance(node, ast.Attribute):
                used[node.attr] += 1
            elif isinstance(node, ast.ImportFrom):
                used.update(alias.name for alias in node.names)
    return [
        f"{module.name}:{line} nobody uses {name}"
        for module in modules
        for name, line in _private_names(module.tree)
        if not used[name]
    ]


def _private_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [] if node.decorator_list else [node.name]
        elif isinstance(node, ast.Assign) and node in tree.body:
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.startswith("_") and not name.startswith("__"))


def find_unused_modules(modules: Iterable[Module], *, entry_points: Iterable[str]) -> list[str]:
    """Modules that no other module imports and that are no entry point."""
    from tests.house.floors import imports_of

    modules = list(modules)
    imported = {name for module in modules for name, _ in imports_of(module)} | set(entry_points)
    return [
        f"nobody imports {module.name}"
        for module in modules
        if not module.is_package and module.name not in imported and not module.name.endswith(".__main__")
    ]


def find_banned_text(path: Path) -> list[str]:
    """Lines of a text file with a marker, a machine's path, a registry's host or a word about its author."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    return [
        f"{path.name}:{text.count(chr(10), 0, match.start()) + 1} {match.group()!r}: {why}"
        for pattern, why in _BANNED_TEXT.items()
        for match in re.finditer(pattern, text)
    ]


def find_large(paths: Iterable[Path]) -> list[str]:
    """Files above the limit."""
    return [
        f"{path.name} has {path.stat().st_size:,} bytes, more than {FILE_LIMIT_BYTES:,}"
        for path in paths
        if path.stat().st_size > FILE_LIMIT_BYTES
    ]
