"""The page shows every number, in both languages, and needs nothing from a network."""

import json
import re
import string
from pathlib import Path

import pytest

from milvuslab.tune.comparison import one_type, write_report
from milvuslab.tune.comparison.figures import make_figures
from milvuslab.tune.comparison.report import render_page
from milvuslab.tune.comparison.words import WORDS
from tests.tune.comparison.samples import ANNOY, HNSW, IVF, PQ, sample

pytest.importorskip("plotly")


@pytest.fixture(scope="module")
def page():
    return render_page(sample(HNSW, IVF, PQ, ANNOY))


def without_scripts(text):
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    "shown",
    ["HNSW answers fastest: 800 searches a second, P99 2.00 ms", "0.9600", "800", "M=16 efConstruction=200 ef=24", "1.5",
     "4.0 MB", "5.0 MB", "4.1 MB", "IVF_FLAT takes the least memory: 3.0 MB"],
)  # fmt: skip
def test_numbers_are_those_of_the_comparison(page, shown):
    assert shown in without_scripts(page)


def test_what_was_not_tuned_is_told_with_its_reason(page):
    text = without_scripts(page)
    assert "IVF_PQ · standalone" in text and "recall not reached" in text
    assert "ANNOY · milvus-2-2" in text and "it broke" in text


def test_foreign_text_stays_text(page):
    assert "Chip &lt;1&gt;" in page and "Chip <1>" not in page
    assert "&lt;m=4&gt;" in page and "<m=4>" not in page


def test_the_page_loads_nothing(page):
    text = without_scripts(page)
    assert not re.search(r"(src|href)=|@import|url\(", text)
    assert page.count("<script>") == page.count("</script>") == 2


def test_both_languages_say_all(page):
    for english, korean in WORDS.values():
        blanks = [{name for _, name, _, _ in string.Formatter().parse(one) if name} for one in (english, korean)]
        assert blanks[0] == blanks[1]
        assert english and korean
    text = without_scripts(page)
    assert text.count("<span lang='en'>") == text.count("<span lang='ko'>") > 40
    assert "가장 빠른 것은 HNSW" in text


def test_every_word_is_used(page):
    from milvuslab.tune.comparison import figures, report, style

    code = "".join(Path(one.__file__).read_text(encoding="utf-8") for one in (figures, report, style))
    assert [
        key for key in WORDS if f'"{key}"' not in code and f"'{key}'" not in code and not key.startswith("state_")
    ] == []


def test_every_figure_has_its_place_and_its_titles_are_words(page):
    figures = make_figures(sample(HNSW, IVF, PQ))
    for name, figure in figures.items():
        assert f"id='{name}'" in page
        json.dumps(figure)
        titles = [figure["layout"][axis]["title"]["text"] for axis in ("xaxis", "yaxis")]
        assert all(one in WORDS or one in ("", "ef", "nprobe") for one in titles)


def test_figures_draw_what_was_measured():
    figures = make_figures(sample(HNSW, IVF, PQ, ANNOY))
    hnsw, ivf, pq = figures["front_qps"]["data"]
    assert (hnsw["x"], hnsw["y"]) == ([0.90, 0.96, 0.99], [900, 800, 500])
    assert hnsw["marker"]["size"] == [7, 15, 7], "the tuned one is large"
    assert figures["front_p99"]["data"][1]["x"] == [0.955], "a P99 of too few searches is not drawn"
    assert figures["bars_memory"]["data"][0]["y"] == [4.0, 3.0, 1.0]
    assert figures["bars_memory"]["data"][1]["y"] == [5.0, None, None]
    assert {name for name in figures if name.startswith("curve_")} == {"curve_ef", "curve_nprobe"}
    assert figures["curve_ef"]["data"][0]["x"] == [10, 24, 96]
    del ivf, pq


def test_nothing_tuned_is_a_page_too(tmp_path):
    path = write_report(sample(ANNOY, folder=tmp_path))
    assert path == tmp_path / "report.html"
    assert "No type was shown to reach the recall" in path.read_text(encoding="utf-8")


def test_a_tail_that_not_every_repeat_has_is_not_told():
    repeats = [{"service_ms_p99": None}, {"service_ms_p99": 28.0}, {"service_ms_p99": 31.0}]
    assert one_type._median(repeats, "service_ms_p99") is None
    assert one_type._median(repeats[1:], "service_ms_p99") == 29.5
