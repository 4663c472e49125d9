"""The index lab's parts as markup and figures, from a comparison that really ran."""

import dataclasses
from pathlib import Path

import pytest

from milvuslab.journal.job import Job
from milvuslab.studio.lab.desk import LabEntry
from milvuslab.studio.lab.order import LabOrder
from milvuslab.studio.pages.index_lab_page import read_lab_state
from milvuslab.studio.pages.lab_figures import curve_figure, front_figure, list_knobs
from milvuslab.studio.pages.lab_parts import (
    render_choices,
    render_left_out,
    render_running,
    render_shelf_of,
    render_slider,
    render_start_form,
)
from milvuslab.studio.words.words import Words
from milvuslab.tune.comparison import IndexResult, read_comparison

WORDS, KOREAN = Words("en"), Words("ko")
FOUND = read_comparison(Path(__file__).parents[1] / "cases" / "comparison")
ENTRY = LabEntry(comparison_id="20250102-030405-ab12", title="<b>mine</b>", order=LabOrder(), state="running", job=None)


def row_of(page, label):
    return page.split(f'data-index="{label}"', 1)[1].split("</tr>", 1)[0]


def test_another_recall_chooses_other_parameters():
    low, high = (render_choices(WORDS, FOUND.results, recall=recall) for recall in (0.9, 0.98))
    assert "ef 16" in row_of(low, "HNSW · lite")
    assert "ef 28" in row_of(high, "HNSW · lite")


def test_a_type_that_does_not_reach_the_recall_says_how_far_it_came():
    assert "not seen to reach it (at most 0.999)" in row_of(
        render_choices(WORDS, FOUND.results, recall=0.9995), "HNSW · lite"
    )
    page = render_choices(WORDS, [result for result in FOUND.results if result.index_type == "HNSW"], recall=1.0)
    assert "not seen to reach it (at most 0.99" in page
    assert "None of them was seen to reach recall 1.000" in page


def test_the_fastest_is_named_with_what_it_costs_in_both_languages():
    page = render_choices(WORDS, FOUND.results, recall=0.97)
    assert "At recall 0.970, IVF_FLAT · lite answers fastest: 233 answers a second" in page
    assert page.index("IVF_FLAT") < page.index('data-index="FLAT')
    assert "가장 빠릅니다" in render_choices(KOREAN, FOUND.results, recall=0.97)


def test_memory_is_the_formula_with_what_was_measured_beside_it():
    page = render_choices(WORDS, FOUND.results, recall=0.9)
    assert "576 kB" in row_of(page, "HNSW · lite")
    assert "grew by 9 MB" in row_of(page, "FLAT · lite")


def test_what_could_not_be_measured_is_listed_with_its_reason():
    assert render_left_out(WORDS, FOUND.results) == ""
    refused = IndexResult(index_type="SCANN", server="lite", state="unsupported", detail="it needs <AVX2>")
    page = render_left_out(WORDS, [*FOUND.results, refused])
    assert "SCANN · lite" in page
    assert "it needs &lt;AVX2&gt;" in page


def test_the_front_is_drawn_with_a_line_where_the_slider_stands():
    figure = front_figure(WORDS, FOUND.results, by="qps", recall=0.93)
    assert [trace["name"] for trace in figure["data"]] == ["FLAT · lite", "HNSW · lite", "IVF_FLAT · lite"]
    assert figure["layout"]["shapes"][0]["x0"] == 0.93
    hnsw = figure["data"][1]
    assert hnsw["x"] == sorted(hnsw["x"])
    assert hnsw["y"] == sorted(hnsw["y"], reverse=True)
    assert hnsw["text"][0].startswith("M 16, efConstruction 200, ef ")


def test_each_parameter_that_was_moved_has_its_curve():
    assert list_knobs(FOUND.results) == ["ef", "nprobe"]
    figure = curve_figure(KOREAN, FOUND.results, knob="nprobe")
    (trace,) = figure["data"]
    assert trace["name"] == "IVF_FLAT · lite"
    assert trace["x"] == sorted(trace["x"])
    assert figure["layout"]["yaxis"]["title"]["text"] == "재현율"


def test_a_running_comparison_shows_its_types_and_can_be_stopped():
    job = Job(job_id="j", title="t", step="HNSW · lite: build index", done_count=1, total_count=3)
    partial = dataclasses.replace(FOUND, results=FOUND.results[:1], is_complete=False)
    page = render_running(WORDS, dataclasses.replace(ENTRY, job=job), partial)
    assert "HNSW · lite: build index · 1 / 3" in page
    assert "&lt;b&gt;mine&lt;/b&gt;" in page
    assert page.count("is-done") == 1
    assert 'data-lab-cancel="20250102-030405-ab12"' in page


@pytest.mark.parametrize(("state", "shown"), [("done", ""), ("failed", "no server")])
def test_what_ended_says_why_or_nothing(state, shown):
    page = render_running(WORDS, dataclasses.replace(ENTRY, state=state, failure="no server"), None)
    assert (shown in page) if shown else page == ""
    assert "data-lab-cancel" not in page


def test_the_shelf_marks_the_shown_comparison():
    page = render_shelf_of(WORDS, [ENTRY], shown=ENTRY.comparison_id)
    assert 'href="/index-lab?id=20250102-030405-ab12" aria-current="page"' in page
    assert "No comparison yet" in render_shelf_of(WORDS, [], shown="")


def test_the_form_offers_collections_only_where_there_are_some():
    assert 'value="collection"' not in render_start_form(WORDS, collections=[])
    assert '<option value="text_ko">text_ko</option>' in render_start_form(WORDS, collections=["text_ko"])


def test_the_slider_shows_its_value():
    assert 'value="0.95"' in render_slider(WORDS, 0.95)
    assert ">0.950</output>" in render_slider(WORDS, 0.95)


@pytest.mark.parametrize(
    ("query", "recall"),
    [
        ("recall=0.9", 0.9),
        ("recall=2", None),
        ("recall=nan", None),
        ("recall=x", None),
        ("", None),
        ("recall=0.1", None),
    ],
)
def test_an_address_with_a_strange_recall_falls_back(query, recall):
    assert read_lab_state(query).recall == recall
