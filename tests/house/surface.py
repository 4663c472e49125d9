"""What each module shows: `__all__` against what the module defines."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tests.house.source import Module

__all__ = ["declared_names", "defined_names", "find_surface_gaps"]


def declared_names(module: Module) -> list[str] | None:
    """The names in `__all__`, or None where a module has none."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


def defined_names(module: Module) -> Iterator[str]:
    """Public functions, classes, type names and constants of a module's top level.

    A function that a decorator registers somewhere (a command, a route, a page) is not shown by its name, and
    a lower-case variable (an application, a logger) is not a constant.
    """
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            registered = any(isinstance(decorator, ast.Call) for decorator in node.decorator_list)
            names = [] if registered else [node.name]
        elif isinstance(node, ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name) and not target.id.islower()]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [] if node.target.id.islower() else [node.target.id]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def find_surface_gaps(modules: Iterable[Module]) -> list[str]:
    """Public names missing in `__all__`, and names in it that the module does not have."""
    found = []
    for module in modules:
        declared, defined = declared_names(module), set(defined_names(module))
        if declared is None:
            found += [f"{module.name} defines {', '.join(sorted(defined))} but has no __all__"] if defined else []
            continue
        present = defined | set(_bound_names(module.tree))
        found += [f"{module.name}: {name} is public and not in __all__" for name in sorted(defined - set(declared))]
        found += [
            f"{module.name}: __all__ names {name}, which is not there" for name in declared if name not in present
        ]
        if len(set(declared)) != len(declared):
            found.append(f"{module.name}: __all__ names something twice")
    return found


def _bound_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
