"""Writes every generated page under docs/ from the code it describes.

`python -m tools.generate_docs` writes; with `--check` it writes nothing, names the pages that differ, and ends with 1.
A page is one row of `PAGES`: its path and the function that returns its text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tools.pages import (
    capabilities,
    cli,
    decisions,
    errors,
    index,
    indexes,
    metrics,
    openapi,
    public_names,
    server_settings,
    settings,
)

__all__ = ["PAGES", "ROOT_DIR", "find_stale", "main", "render"]

ROOT_DIR = Path(__file__).resolve().parents[1]

PAGES: dict[str, Callable[[Path], str]] = {
    "docs/reference/settings.md": settings.render_page,
    "docs/reference/server-settings.md": server_settings.render_page,
    "docs/reference/errors.md": errors.render_page,
    "docs/reference/cli.md": cli.render_page,
    "docs/reference/metrics.md": metrics.render_page,
    "docs/reference/openapi.json": openapi.render_page,
    "docs/reference/capabilities.md": capabilities.render_page,
    "docs/reference/indexes.md": indexes.render_page,
    "docs/reference/python.md": public_names.render_page,
    "docs/decisions/README.md": decisions.render_page,
    "docs/index.md": index.render_page,
}
"""In the order of writing; the index is last, because it lists the others by their titles."""


def render(path: str, *, root_dir: Path = ROOT_DIR) -> str:
    """The text of one page as it should be."""
    return PAGES[path](root_dir).rstrip("\n") + "\n"


def find_stale(*, root_dir: Path = ROOT_DIR) -> list[str]:
    """Paths of pages that are missing or differ from what the code says."""
    return [
        path
        for path in PAGES
        if not (root_dir / path).is_file()
        or (root_dir / path).read_text(encoding="utf-8") != render(path, root_dir=root_dir)
    ]


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit code."""
    if arguments == ["--check"]:
        stale = find_stale()
        for path in stale:
            print(f"{path} differs: run make docs")
        return 1 if stale else 0
    for path in PAGES:
        text = render(path)
        target = ROOT_DIR / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
