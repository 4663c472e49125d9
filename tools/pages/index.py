"""The index of all pages under docs/, by kind, with their titles."""

from __future__ import annotations

from pathlib import Path

__all__ = ["render_page"]

_HEAD = """# milvuslab

Run real Milvus without Docker, learn it, measure it, build on it, break it on purpose, run it in production.
Start with the [README](../README.md) ([한국어](../README.ko.md)).
"""

_KINDS = (
    ("tutorial", "Tutorials", "Learn by doing, from the beginning."),
    ("howto", "How-to", "One task each, for people who know what they want."),
    ("reference", "Reference", "Everything there is, to look up."),
    ("explain", "Explanation", "How it works and why."),
)

_TAIL = """## Decisions

- [Decisions](decisions/README.md)
- [How to contribute](../CONTRIBUTING.md)
"""


def render_page(root_dir: Path) -> str:
    """A section for each kind of page that has one."""
    docs_dir = root_dir / "docs"
    sections = [_HEAD]
    for folder, title, meaning in _KINDS:
        pages = sorted((docs_dir / folder).rglob("*.md"))
        if pages:
            rows = "\n".join(f"- [{_title(page)}]({page.relative_to(docs_dir).as_posix()})" for page in pages)
            sections.append(f"## {title}\n\n{meaning}\n\n{rows}\n")
    return "\n".join([*sections, _TAIL])


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")
