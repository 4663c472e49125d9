import doctest

import pytest

from milvuslab.cli import output, progress
from milvuslab.cli.output import cell_width, format_bytes, format_duration, pad, shorten, table
from milvuslab.cli.text import view as text_view


@pytest.mark.parametrize("module", [output, progress, text_view], ids=lambda module: module.__name__)
def test_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "text, width",
    [("", 0), ("abc", 3), ("한글", 4), ("한글".encode().decode(), 4), ("é", 1), ("日本", 4), ("\u200b", 0), ("ｱ", 1)],
)
def test_width_counts_columns_of_a_terminal(text, width):
    assert cell_width(text) == width


def test_columns_stay_aligned_with_korean():
    lines = list(table(["name", "rows"], [["표 만들기", 7], ["abc", 1200]]))
    assert {cell_width(line) for line in lines} == {cell_width(lines[0])}


@pytest.mark.parametrize("width", range(2, 12))
def test_a_shortened_text_never_exceeds_its_columns(width):
    assert cell_width(shorten("가나다 abc 라마바사 xyz", width)) <= width


def test_an_empty_table_says_so():
    assert list(table(["name"], [], empty="no server yet")) == ["no server yet"]


def test_a_pad_is_in_columns():
    assert pad("한", 4) == "한  " and pad("한", 4, is_right=True) == "  한"


@pytest.mark.parametrize("size, shown", [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (2.1e9, "2.1 GB")])
def test_sizes(size, shown):
    assert format_bytes(size) == shown


@pytest.mark.parametrize("seconds, shown", [(0.04, "0.0 s"), (59.9, "59.9 s"), (3600, "1 h 0 min"), (None, "-")])
def test_durations(seconds, shown):
    assert format_duration(seconds) == shown
