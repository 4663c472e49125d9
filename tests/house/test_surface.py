"""Every module says what it shows, and shows what it says."""

import pytest

from tests.house.source import expect_none, parse, read_modules
from tests.house.surface import find_surface_gaps


def test_all_is_complete():
    expect_none(find_surface_gaps(read_modules()))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("__all__ = []\ndef load(): ...", id="public function left out"),
        pytest.param("__all__ = []\nOperator = Literal['=']", id="type name left out"),
        pytest.param("__all__ = []\nLIMIT: int = 3", id="constant left out"),
        pytest.param("__all__ = ['gone']", id="name that is not there"),
        pytest.param("__all__ = ['f', 'f']\ndef f(): ...", id="name twice"),
        pytest.param("class Open: ...", id="no __all__ at all"),
    ],
)
def test_gaps_are_found(text):
    assert find_surface_gaps([parse("milvuslab.data.wiki", text)])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("__all__ = ['load']\ndef load(): ...\ndef _help(): ...\n_LIMIT = 3", id="private names"),
        pytest.param("__all__ = ['load']\nfrom milvuslab.data.html import load", id="passed on"),
        pytest.param("app = Typer()\n@app.command()\ndef up(): ...", id="registered by a decorator"),
        pytest.param('"""Only words."""', id="nothing to show"),
    ],
)
def test_complete_modules_are_left_alone(text):
    assert find_surface_gaps([parse("milvuslab.data.wiki", text)]) == []
