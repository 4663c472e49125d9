"""The index lab in a real browser: a comparison is begun, watched and stopped; a slider chooses parameters."""

import pytest

from tests.e2e.tabs import expect_text, open_browser, open_tab
from tests.studios import keep_comparison

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture(scope="module")
def kept(studio):
    """A comparison that ran on Lite: FLAT, HNSW and IVF_FLAT of 3,000 x 16."""
    folder = keep_comparison(studio.workspace.settings.home_dir, "20250102-030405-e2e0")
    (folder / "report.html").write_text("<!doctype html><title>report</title><p>the whole report</p>")
    return folder.name


@pytest.fixture
def tab(browser, studio, kept):
    yield from open_tab(browser, studio, locale="en-US")


@pytest.fixture
def korean_tab(browser, studio, kept):
    yield from open_tab(browser, studio, locale="ko-KR")


def move_to(tab, recall):
    """Moves the slider as a hand does: the browser sends the event."""
    tab.locator("#lab-recall").fill(str(recall))


def row(tab, name):
    return tab.locator(f'[data-index="{name}"]')


def test_moving_the_slider_changes_the_parameters(tab, kept):
    tab.goto(f"/index-lab?id={kept}")
    expect_text(tab.locator(".lab-best"), "At recall 0.950")
    expect_text(row(tab, "HNSW · lite"), "ef 16")
    move_to(tab, 0.98)
    expect_text(row(tab, "HNSW · lite"), "ef 28")
    expect_text(tab.locator("#lab-recall-shown"), "0.980")
    move_to(tab, 1.0)
    expect_text(row(tab, "HNSW · lite"), "not seen to reach it")
    assert "recall=1" in tab.url


def test_the_slider_in_korean(korean_tab, kept):
    korean_tab.goto(f"/index-lab?id={kept}&recall=0.9")
    expect_text(korean_tab.locator("h1"), "인덱스 실험실")
    expect_text(korean_tab.locator(".lab-best"), "재현율 0.900에서는")
    move_to(korean_tab, 0.98)
    expect_text(row(korean_tab, "HNSW · lite"), "ef 28")
    expect_text(korean_tab.locator(".lab-best"), "재현율 0.980에서는")


def test_fronts_and_curves_are_drawn_and_the_line_follows_the_slider(tab, kept):
    tab.goto(f"/index-lab?id={kept}")
    for name in ("qps", "p99", "knob-ef", "knob-nprobe"):
        chart = tab.locator(f"[data-chart={name}]")
        chart.locator(".scatterlayer .trace").first.wait_for()
    front = tab.locator("[data-chart=qps]")
    assert front.locator(".legendtext").all_text_contents() == ["FLAT · lite", "HNSW · lite", "IVF_FLAT · lite"]
    line = front.locator(".shapelayer path").first
    before = line.get_attribute("d")
    move_to(tab, 0.985)
    tab.wait_for_function(
        "before => document.querySelector('[data-chart=qps] .shapelayer path').getAttribute('d') !== before", arg=before
    )


def test_an_address_with_a_recall_opens_at_it_and_the_report_is_a_link(tab, kept):
    tab.goto(f"/index-lab?id={kept}&recall=0.98")
    expect_text(row(tab, "HNSW · lite"), "ef 28")
    link = tab.get_by_role("link", name="Open the whole report")
    tab.goto(link.get_attribute("href"))
    expect_text(tab.locator("p"), "the whole report")


def test_a_comparison_is_begun_watched_and_stopped(tab, studio):
    tab.goto("/index-lab")
    tab.get_by_label("Rows").fill("20000")
    tab.get_by_label("Index types").fill("HNSW, IVF_FLAT")
    tab.get_by_role("button", name="Compare").click()
    tab.wait_for_url("**/index-lab?id=*")
    running = tab.locator(".lab-running")
    expect_text(running, "Comparing 20,000 x 64")
    expect_text(running.locator(".badges"), f"HNSW · {studio.server}")
    expect_text(tab.locator("#lab-progress"), "/ 2")
    running.get_by_role("button", name="Stop").click()
    running.get_by_role("button", name="Really stop?").click()
    expect_text(tab.locator(".notice"), "stopped before its end")
    expect_text(tab.locator(".lab-list"), "stopped")


def test_the_fields_follow_the_choice_of_data(browser, studio):
    # Chromium tells of every answer that is an error; this one is wanted.
    for tab in open_tab(browser, studio, locale="en-US", allowed=("404",)):
        tab.goto("/index-lab")
        assert tab.get_by_label("Dimensions").is_visible()
        tab.get_by_label("Data").first.select_option("file")
        assert not tab.get_by_label("Dimensions").is_visible()
        tab.get_by_label("Path of the file").fill("/nowhere/vectors.npy")
        tab.get_by_role("button", name="Compare").click()
        expect_text(tab.locator(".aside .notice"), "there is no file /nowhere/vectors.npy")
        tab.get_by_label("Data").first.select_option("collection")
        assert tab.locator("[name=collection]").input_value().startswith("text_")


def test_it_is_no_wider_than_a_phone(browser, studio, kept):
    context = browser.new_context(base_url=studio.url, locale="ko-KR", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"/index-lab?id={kept}")
    page.locator("[data-chart=knob-ef] .scatterlayer .trace").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
