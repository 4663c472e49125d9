"""A real Chromium, and tabs in it that must neither complain nor ask anybody but the studio."""

import re
import shutil

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def open_browser():
    """Chromium without a window, until the generator ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


def open_tab(browser, studio, *, locale, allowed=()):
    context = browser.new_context(base_url=studio.url, locale=locale, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    outside, complaints = [], []
    page.on("request", lambda request: outside.append(request.url) if not is_own(request.url, studio.url) else None)
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert outside == []
    assert [text for text in complaints if not any(re.search(pattern, text) for pattern in allowed)] == []


def is_own(url, own):
    return url.startswith((own + "/", own.replace("http", "ws") + "/", "data:", "blob:")) or url == own


def expect_text(locator, text):
    from playwright.sync_api import expect

    expect(locator).to_contain_text(text, timeout=20_000)
