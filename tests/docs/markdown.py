"""The parts of a Markdown page that the tests of the docs look at."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

__all__ = ["Fence", "anchors_of", "docs_pages", "fences_of", "headings_of", "links_of", "table_rows"]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Fence:
    """A fenced block: its language and its text."""

    language: str
    text: str


def docs_pages(root_dir: Path) -> list[Path]:
    """Every page a reader may open: the docs folder and the pages at the top."""
    return [*sorted(root_dir.glob("*.md")), *sorted((root_dir / "docs").rglob("*.md")), root_dir / "changes/README.md"]


def fences_of(text: str) -> list[Fence]:
    """The fenced blocks, in order."""
    return [Fence(*match.groups()) for match in _FENCE.finditer(text)]


def headings_of(text: str) -> list[tuple[int, str]]:
    """Level and title of each heading outside of fenced blocks."""
    prose = _FENCE.sub("", text)
    return [(len(match[1]), match[2].strip()) for match in re.finditer(r"^(#{1,6}) (.+)$", prose, re.MULTILINE)]


def links_of(text: str) -> list[str]:
    """Targets of links and pictures outside of code."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors_of(text: str) -> set[str]:
    """Fragments that headings give, formed as code hosts form them."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings_of(text)}


def table_rows(text: str) -> list[list[str]]:
    """Cells of every table row but the rulers."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if not all(set(cell) <= set("-: ") for cell in row)]
