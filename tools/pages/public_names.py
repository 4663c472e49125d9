"""The page of all public Python names: what each module shows, with its first sentence.

Read from the source, so that no extra has to be installed. The page is the committed list of the public API: a name
that leaves it is a breaking change.
"""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["render_page"]

_HEAD = """# Python names

What `milvuslab` shows as a library, module by module. Names that are not listed may change at any time.
"""


def render_page(root_dir: Path) -> str:
    """One section a module that defines public names."""
    package_dir = root_dir / "src" / "milvuslab"
    sections = [_HEAD.strip()]
    for path in sorted(package_dir.rglob("*.py")):
        parts = path.relative_to(package_dir.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if section := _section(name, ast.parse(path.read_text(encoding="utf-8"))):
            sections.append(section)
    return "\n\n".join(sections)


def _section(name: str, tree: ast.Module) -> str:
    shown = set(_declared(tree))
    rows = [
        f"- `{node.name}`: {_first_sentence(node)}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in shown
    ]
    described = {row.split("`")[1] for row in rows}
    bound = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    others = sorted(shown - described - bound)
    rows += [f"- `{other}`" for other in others]
    passed_on = sorted(shown & bound)
    if passed_on:
        rows.append(f"- passed on: {', '.join(f'`{other}`' for other in passed_on)}")
    head = f"## {name}\n\n{_first_sentence(tree)}"
    return "\n\n".join([head, "\n".join(rows)]) if rows else ""


def _declared(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def _first_sentence(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
