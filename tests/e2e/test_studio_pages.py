"""The studio in a real browser, on a real Milvus: what a person sees and does."""

import pytest

from milvuslab.ops.servers import start, stop
from tests.e2e.tabs import expect_text, open_browser, open_tab
from tests.studios import make_workspace, run_studio, wait_until_ready

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture
def tab(browser, studio):
    """A tab in English that must neither complain nor ask anybody but the studio."""
    yield from open_tab(browser, studio, locale="en-US")


@pytest.fixture
def korean_tab(browser, studio):
    yield from open_tab(browser, studio, locale="ko-KR")


def ask(page, question):
    page.get_by_role("searchbox").fill(question)
    page.get_by_role("searchbox").press("Enter")


def first_title(page):
    return page.locator(".hit h3").first


def test_a_question_in_english_is_answered_with_its_words_marked(tab):
    tab.goto("/text")
    ask(tab, "why is fresh snow bright")
    expect_text(first_title(tab), "Snow")
    assert "snow" in [text.lower() for text in tab.locator(".hit").first.locator("mark").all_inner_texts()]
    expect_text(tab.locator(".summary"), "Milvus")
    expect_text(tab.locator(".summary"), "Question to vector")
    assert "q=why+is+fresh+snow+bright" in tab.url


def test_a_question_in_korean_is_answered_from_korean_documents(korean_tab):
    korean_tab.goto("/text")
    ask(korean_tab, "칸을 하나로 합치려면 어떻게 하나요")
    expect_text(first_title(korean_tab), "표 계산")
    expect_text(korean_tab.locator(".summary"), "text_ko")


def test_an_example_question_is_one_click_away(tab):
    tab.goto("/text")
    tab.locator(".chip").first.click()
    tab.wait_for_selector(".summary")
    assert tab.get_by_role("searchbox").input_value()


def test_an_address_shows_its_answer_and_back_leads_back(tab):
    tab.goto("/text?q=how+do+bees+find+flowers")
    expect_text(first_title(tab), "Bees")
    ask(tab, "moving the king and the rook")
    expect_text(first_title(tab), "Chess")
    tab.go_back()
    expect_text(first_title(tab), "Bees")
    assert tab.get_by_role("searchbox").input_value() == "how do bees find flowers"


def test_similar_documents_open_with_a_way_back(tab):
    tab.goto("/text?q=the+moon+and+the+tide")
    expect_text(first_title(tab), "Tides")
    tab.locator(".hit").first.get_by_role("link", name="Similar documents").click()
    expect_text(tab.locator(".similar-of"), "Tides")
    assert "Tides" not in tab.locator(".hit h3").all_inner_texts()
    tab.get_by_role("link", name="Much variety").click()
    expect_text(tab.locator(".switch [aria-current]"), "Much variety")
    assert "diversity=0.6" in tab.url
    tab.locator(".trail a").first.click()
    tab.wait_for_selector(".similar-of", state="detached")
    expect_text(first_title(tab), "Tides")


@pytest.mark.parametrize(
    ("locale", "only_meaning", "why", "place", "words", "across"),
    [
        ("en-US", "Searched by meaning alone", "Why here?", "place 1, cosine", "By words", "Across languages"),
        ("ko-KR", "뜻으로만 찾았습니다", "왜 여기에?", "1위, 코사인", "낱말로", "다른 언어 문서도"),
    ],
)
def test_how_to_search_is_chosen_and_a_hit_says_why(browser, studio, locale, only_meaning, why, place, words, across):
    for tab in open_tab(browser, studio, locale=locale):
        tab.goto("/text?q=the+moon+and+the+tide")
        expect_text(first_title(tab), "Tides")
        if studio.server != "lite":
            expect_text(tab.locator(".channel-note"), only_meaning)
        tab.locator(".hit").first.get_by_text(why).click()
        expect_text(tab.locator(".why[open] dl"), place)
        tab.locator(".switch").get_by_text(words).click()
        tab.wait_for_url("**channel=lexical**")
        if studio.server != "lite":
            tab.wait_for_selector(".notice")
        tab.go_back()
        expect_text(first_title(tab), "Tides")
        assert tab.locator(".switch input:checked").get_attribute("value") == ""
        tab.get_by_label(across).check()
        expect_text(tab.locator(".notice"), "load-samples --multilingual")


def test_a_filter_narrows_the_answer_and_can_be_cleared(tab):
    tab.goto("/text?q=volcano")
    expect_text(first_title(tab), "Volcano")
    tab.locator(".filters summary").click()
    tab.get_by_label("Source").fill("nobody")
    tab.get_by_label("Source").press("Enter")
    expect_text(tab.locator(".none"), "Nothing was found")
    tab.get_by_role("link", name="Clear filters").click()
    expect_text(first_title(tab), "Volcano")


def test_a_document_is_added_found_and_deleted(tab):
    tab.goto("/text")
    tab.get_by_label("Title").fill("The <b>clockmaker</b>")
    tab.get_by_label("Text", exact=True).fill(
        "The clockmaker of the old town repairs tower clocks. <script>window.owned = 1</script>"
    )
    tab.get_by_role("button", name="Add and search for it").click()
    expect_text(tab.locator(".added"), "Found after")
    tab.get_by_role("link", name="Search for it").click()
    hit = tab.locator(".hit").first
    expect_text(hit, "The <b>clockmaker</b>")
    expect_text(hit, "<script>window.owned = 1</script>")
    assert tab.evaluate("window.owned") is None
    hit.get_by_role("button", name="Delete").click()
    hit.get_by_role("button", name="Really delete?").click()
    tab.wait_for_function("!document.body.innerText.includes('repairs tower clocks')")
    tab.reload()
    tab.wait_for_selector(".summary")
    assert "repairs tower clocks" not in tab.inner_text("body")


def test_only_own_documents_can_be_deleted_here(tab):
    tab.goto("/text?q=bread")
    expect_text(first_title(tab), "Bread")
    assert tab.locator("[data-delete]").count() == 0


def test_the_language_is_switched_kept_and_leaves_the_search_as_it_is(tab):
    tab.goto("/text?q=bread+and+yeast")
    expect_text(first_title(tab), "Bread")
    tab.get_by_role("link", name="한국어").click()
    expect_text(tab.locator(".summary"), "질문을 벡터로")
    expect_text(first_title(tab), "Bread")
    assert tab.evaluate("document.documentElement.lang") == "ko"
    tab.goto("/")
    expect_text(tab.locator("h1"), "지금 여기서")
    tab.get_by_role("link", name="English").click()
    expect_text(tab.locator("h1"), "running here")


def test_home_shows_servers_collections_and_what_they_can_do(tab, studio):
    tab.goto("/")
    card = tab.locator(f"[data-server={studio.server}]")
    expect_text(card, "ready")
    card.get_by_text("What it can do").click()
    expect_text(card, "HNSW")
    expect_text(tab.locator("#collections"), "text_ko")
    tab.locator("#collections").get_by_role("link", name="text_ko").click()
    tab.wait_for_url("**/text?collection=text_ko")


def test_the_reference_of_the_api_is_a_page_of_ours(tab):
    tab.goto("/api-reference")
    expect_text(tab.locator("h1"), "HTTP API")
    assert tab.locator(".route").count() >= 7
    expect_text(tab.locator(".route").first, "curl")


def test_the_keyboard_is_enough(tab):
    tab.goto("/text")
    tab.keyboard.press("/")
    tab.keyboard.type("how does dough rise")
    tab.keyboard.press("Enter")
    expect_text(first_title(tab), "Bread")
    tab.goto("/")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"


@pytest.mark.parametrize(
    ("path", "seen"), [("/", ".card"), ("/text", ".chip"), ("/text?q=snow", ".hit"), ("/api-reference", ".route")]
)
def test_nothing_is_wider_than_a_phone(browser, studio, path, seen):
    context = browser.new_context(base_url=studio.url, locale="ko-KR", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(path)
    page.wait_for_selector(seen)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_mistake_is_told_calmly_with_the_next_step(browser, studio):
    for tab in open_tab(browser, studio, locale="en-US"):
        tab.goto("/text?q=snow&min_score=7")
        notice = tab.locator(".notice")
        expect_text(notice, "Please change the request a little")
        expect_text(notice, "between -1 and 1")
        assert "Traceback" not in tab.inner_text("body")


def test_a_server_that_dies_is_told_and_its_return_is_noticed(browser, tmp_path):
    workspace = make_workspace(tmp_path, server="lite")
    start(workspace, "lite")
    try:
        with run_studio(workspace) as running:
            wait_until_ready(running)
            with running.client() as http:
                http.post(
                    "/api/v1/text/documents?wait=true", json={"title": "Snow", "text": "Snow is white and cold."}
                ).raise_for_status()
            for tab in open_tab(browser, running, locale="en-US"):
                tab.goto("/text?q=white+snow")
                expect_text(first_title(tab), "Snow")
                stop(workspace, "lite")
                ask(tab, "cold snow")
                expect_text(tab.locator(".notice"), "cannot be reached right now")
                assert "Traceback" not in tab.inner_text("body")
                start(workspace, "lite")
                expect_text(first_title(tab), "Snow")
    finally:
        stop(workspace, "lite")
