"""Generated pages say what the code says now."""

import pytest

from milvuslab.model import errors
from milvuslab.model.settings import SETTINGS
from tests.docs.markdown import table_rows
from tools import generate_docs


@pytest.mark.parametrize("path", generate_docs.PAGES)
def test_generating_again_changes_nothing(path):
    page = generate_docs.ROOT_DIR / path
    assert page.is_file(), f"{path} is missing: run make docs"
    assert page.read_text(encoding="utf-8") == generate_docs.render(path), f"{path} differs: run make docs"


def test_every_setting_has_its_row():
    rows = table_rows(generate_docs.render("docs/reference/settings.md"))
    assert [row[0].split("]")[0].lstrip("[") for row in rows[1:]] == list(SETTINGS)


def test_every_error_has_its_row():
    rows = table_rows(generate_docs.render("docs/reference/errors.md"))
    classes = {name for name in errors.__all__ if name.endswith("Error")}
    assert {row[1] for row in rows[1:]} == classes
    row = next(row for row in rows if row[1] == "RateLimitedError")
    assert row[:5] == ["`rate_limited`", "RateLimitedError", "3", "429", "yes"]


def test_every_command_has_its_section():
    import typer

    from milvuslab.cli.main import app

    page = generate_docs.render("docs/reference/cli.md")
    for name, command in typer.main.get_command(app).commands.items():
        for words in [[name, child] for child in getattr(command, "commands", [])] or [[name]]:
            assert f"## milvuslab {' '.join(words)}\n" in page


def test_a_stale_page_is_found(tmp_path):
    stale = generate_docs.find_stale(root_dir=tmp_path)
    assert stale == list(generate_docs.PAGES)
