"""Links of the docs lead somewhere, and every page can be found from the index."""

import urllib.parse
from pathlib import Path

import pytest

from tests.docs.markdown import anchors_of, docs_pages, links_of
from tests.house.source import ROOT_DIR, expect_none


def inner_links(page: Path) -> list[tuple[str, Path, str]]:
    """(link as written, file it means, fragment) of each link that stays in the repository."""
    found = []
    for link in links_of(page.read_text(encoding="utf-8")):
        parts = urllib.parse.urlsplit(link)
        if not parts.scheme:
            target = (page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else page.resolve()
            found.append((link, target, parts.fragment))
    return found


def find_dead(page: Path) -> list[str]:
    dead = []
    for link, target, fragment in inner_links(page):
        is_dead_anchor = fragment and target.suffix == ".md" and target.exists()
        if not target.exists():
            dead.append(f"{page.name}: {link} leads nowhere")
        elif is_dead_anchor and fragment not in anchors_of(target.read_text(encoding="utf-8")):
            dead.append(f"{page.name}: {link} names no heading")
    return dead


def reachable_from(page: Path) -> set[Path]:
    waiting, seen = [page.resolve()], set()
    while waiting:
        current = waiting.pop()
        if current in seen or current.suffix != ".md" or not current.exists():
            continue
        seen.add(current)
        waiting += [target for _, target, _ in inner_links(current)]
    return seen


@pytest.mark.parametrize("page", docs_pages(ROOT_DIR), ids=lambda page: str(page.relative_to(ROOT_DIR)))
def test_links_lead_somewhere(page):
    expect_none(find_dead(page))


def test_every_page_is_reachable_from_the_index():
    reached = reachable_from(ROOT_DIR / "docs" / "index.md")
    expect_none(str(page.relative_to(ROOT_DIR)) for page in docs_pages(ROOT_DIR) if page.resolve() not in reached)


def test_dead_links_are_found(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# Other page\n\n## 50 ms, or less\n", encoding="utf-8")
    page.write_text(
        "[a](other.md) [b](other.md#50-ms-or-less) [c](https://example.invalid/x) `[d](gone.md)`\n"
        "![e](gone.png) [f](other.md#nothing) [g](#nowhere)\n",
        encoding="utf-8",
    )
    assert [line.split()[1] for line in find_dead(page)] == ["gone.png", "other.md#nothing", "#nowhere"]


def test_lonely_pages_are_found(tmp_path):
    for name, text in {"index": "[a](a.md)", "a": "[b](b.md)", "b": "[a](a.md)", "lonely": "[a](a.md)"}.items():
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    assert {page.stem for page in reachable_from(tmp_path / "index.md")} == {"index", "a", "b"}
