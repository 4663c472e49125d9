"""The list of decisions, from the titles of their pages."""

from __future__ import annotations

from pathlib import Path

__all__ = ["render_page"]

_HEAD = """# Decisions

One page for each choice that somebody could reasonably have made otherwise. [0001](0001-decisions.md) says how they are written.
"""


def render_page(root_dir: Path) -> str:
    """One line a decision, by number."""
    pages = sorted((root_dir / "docs" / "decisions").glob("[0-9]*.md"))
    return f"{_HEAD}\n" + "\n".join(f"- [{_title(page)}]({page.name})" for page in pages)


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")
