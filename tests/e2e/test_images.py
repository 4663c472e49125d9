"""The page of the pictures in a real browser, in both languages, on a real Milvus."""

import pytest

from tests.e2e.tabs import expect_text, open_browser, open_tab
from tests.studio_pictures import as_file, draw_shape

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture
def tab(browser, studio, pictures):
    yield from open_tab(browser, studio, locale="en-US")


@pytest.fixture
def korean_tab(browser, studio, pictures):
    yield from open_tab(browser, studio, locale="ko-KR")


def bring(tab, picture, name="mine.png"):
    tab.set_input_files("#image-file", {"name": name, "mimeType": "image/png", "buffer": as_file(picture)})
    tab.wait_for_selector(".summary")


def first_name(tab):
    return tab.locator("#image-results .picture-name").first


def test_a_picture_is_brought_cropped_and_refined_by_examples(tab, pictures):
    tab.goto("/images")
    tab.wait_for_selector(".picture img")
    bring(tab, draw_shape("stripes", "blue"))
    expect_text(first_name(tab), "blue-stripes.png")
    expect_text(tab.locator(".summary"), "Picture to vector")
    expect_text(tab.locator(".classes .class-best"), "stripes")

    frame = tab.locator(".crop-frame")
    frame.scroll_into_view_if_needed()
    place = frame.bounding_box()
    tab.mouse.move(place["x"] + 0.1 * place["width"], place["y"] + 0.1 * place["height"])
    tab.mouse.down()
    tab.mouse.move(place["x"] + 0.6 * place["width"], place["y"] + 0.7 * place["height"], steps=3)
    with tab.expect_response(lambda answer: answer.url.endswith("/search")) as asked:
        tab.mouse.up()
    assert asked.value.ok
    assert tab.locator("#image-box").is_visible()
    tab.get_by_role("button", name="Whole picture").click()

    tab.locator("[data-like=more]").nth(1).click()
    tab.locator("[data-like=less]").last.click()
    assert tab.locator(".example.is-liked").count() == 2
    assert tab.locator(".example.is-disliked").count() == 1
    tab.wait_for_function("location.search.includes('like=') && location.search.includes('unlike=')")
    tab.get_by_role("button", name="Start over").click()
    tab.wait_for_selector(".image-lead")
    assert tab.locator(".example").count() == 0


def test_the_address_of_an_example_opens_with_it_and_a_label_narrows(korean_tab, pictures):
    korean_tab.goto(f"/images?like={pictures['red-circle.png']}")
    expect_text(korean_tab.locator("h1"), "그림을 그림으로")
    expect_text(korean_tab.locator(".summary"), "그림을 벡터로")
    expect_text(first_name(korean_tab), "copy.jpg")
    expect_text(korean_tab.locator(".badge.is-twin").first, "같은 그림")
    korean_tab.get_by_label("라벨").select_option("square")
    expect_text(first_name(korean_tab), "square.png")
    assert "label=square" in korean_tab.url
    korean_tab.go_back()
    expect_text(first_name(korean_tab), "copy.jpg")
    korean_tab.locator("#image-results").get_by_role("button", name="왜?").first.click()
    expect_text(korean_tab.locator("dialog .match-sentence"), "같은 그림입니다")
    korean_tab.wait_for_function("document.querySelector('dialog .view-picture img')?.naturalWidth > 100")
    korean_tab.keyboard.press("Escape")
    assert not korean_tab.locator("dialog").is_visible()


def test_pasted_dropped_and_refused_pictures(browser, studio, pictures):
    # Chromium tells of every answer that is an error; this one is wanted.
    for tab in open_tab(browser, studio, locale="en-US", allowed=("415",)):
        tab.goto("/images")
        tab.wait_for_selector(".picture img")
        content = list(as_file(draw_shape("circle", "gold")))
        give = """([kind, content, type]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(content)], "given", { type }));
            const event = kind === "paste" ? new ClipboardEvent(kind, { clipboardData: carried, bubbles: true })
                : new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }"""
        tab.evaluate(give, ["drop", content, "image/png"])
        expect_text(first_name(tab), "gold-circle.png")
        tab.evaluate(give, ["paste", list(b"<svg onload=alert(1)>"), "image/svg+xml"])
        expect_text(tab.locator("#image-results .notice"), "no picture that can be read")


def test_map_groups_and_near_duplicates_are_shown_and_lead_to_pictures(tab, pictures):
    tab.goto("/images?tab=map")
    canvas = tab.locator(".map-frame canvas")
    canvas.wait_for(timeout=60_000)
    expect_text(tab.locator(".map-legend"), "circle")
    canvas.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('dialog[open] .view-picture img')?.naturalWidth > 100")
    tab.keyboard.press("Escape")

    tab.get_by_role("tab", name="Map").focus()
    tab.keyboard.press("ArrowRight")
    tab.locator(".cluster").first.wait_for(timeout=60_000)
    expect_text(tab.locator(".cluster-scores"), "silhouette")
    tab.locator(".cluster .medoid").first.click()
    tab.locator("dialog").get_by_role("button", name="More like this").click()
    tab.wait_for_selector(".summary")

    tab.get_by_role("tab", name="Near-duplicates").click()
    twin = tab.locator(".twin").first
    expect_text(twin, "copy.jpg")
    twin.get_by_role("button", name="Why?").click()
    expect_text(tab.locator("dialog .match-sentence"), "The same picture")


def test_a_map_of_sixty_thousand_pictures_stays_usable(tab):
    """The same script with made points: how long it takes to draw one frame, and to find the point under a click."""
    tab.goto("/images?tab=map")
    tab.locator(".map-frame canvas").wait_for(timeout=60_000)
    found = tab.evaluate(
        """async () => {
            const count = 60000, points = { image_ids: [], x: [], y: [], label: [], labels: ["a", "b", "c"] };
            for (let row = 0; row < count; row += 1) {
                points.image_ids.push(`id-${row}`);
                points.x.push(Math.cos(row * 2.399963) * Math.sqrt(row / count));
                points.y.push(Math.sin(row * 2.399963) * Math.sqrt(row / count));
                points.label.push(row % 3);
            }
            const canvas = document.querySelector(".map-frame canvas").cloneNode();
            document.querySelector(".map-frame").prepend(canvas);
            const opened = [];
            const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            studioMap(canvas, document.querySelector(".map-tip"), document.querySelector(".map-legend"), points,
                { addressOf: () => "data:,", open: (id) => opened.push(id), other: "", none: "" });
            await frame(); await frame();
            const began = performance.now();
            for (let step = 0; step < 10; step += 1) {
                canvas.dispatchEvent(new KeyboardEvent("keydown", { key: step % 2 ? "ArrowLeft" : "ArrowRight" }));
                await frame();
            }
            const frameMs = (performance.now() - began) / 10;
            canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
            return { frameMs, opened };
        }"""
    )
    assert len(found["opened"]) == 1
    assert found["frameMs"] < 400, found


def test_it_is_no_wider_than_a_phone_and_says_what_to_run_where_there_is_nothing(browser, studio, pictures):
    context = browser.new_context(base_url=studio.url, locale="en-US", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/images")
    page.wait_for_selector(".picture img")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    empty = '{"code": "not_found", "message": "there are no pictures yet", "hint": "load some"}'
    page.route(
        "**/api/v1/images?*", lambda route: route.fulfill(status=404, content_type="application/json", body=empty)
    )
    page.route("**/api/v1/images/collections", lambda route: route.fulfill(json={"collections": []}))
    page.goto("/images")
    expect_text(page.locator(".none"), "milvuslab image load-samples")
    context.close()
