"""The site: static files, language, sign-in and the pages, as one application that NiceGUI lives in."""

import contextlib
import logging
import mimetypes
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from milvuslab.model.errors import MilvusLabError
from milvuslab.studio.guard.key import COOKIE_NAME, SESSION_LIFETIME_S, KeyCheck
from milvuslab.studio.pages.frame import asset, head_html, render_footer, render_header, render_login, render_plain
from milvuslab.studio.pages.home_page import HomePage
from milvuslab.studio.pages.image_page import IMAGE_SCRIPTS, ImagePage
from milvuslab.studio.pages.index_lab_page import IndexLabPage, read_lab_state
from milvuslab.studio.pages.markup import join, tag
from milvuslab.studio.pages.notices import render_notice
from milvuslab.studio.pages.page_state import read_state
from milvuslab.studio.pages.reference import render_reference
from milvuslab.studio.pages.text_page import TextPage
from milvuslab.studio.studio import Studio
from milvuslab.studio.words.words import LANGUAGES, Words, choose_language

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

__all__ = ["make_site"]

_LOG = logging.getLogger(__name__)
_LANGUAGE_COOKIE = "milvuslab_language"
_ASSETS = ("studio.css", "studio.js", "images.js", "image-map.js", "icon.svg")
_YEAR_S = 365 * 24 * 3_600


def make_site(studio: Studio, *, api: "FastAPI", key: KeyCheck, is_https: bool) -> "FastAPI":
    """The application for everything but `/api` and `/metrics`; it also starts and stops the studio.

    NiceGUI keeps its pages in one place per process, so a process has one site.
    """
    from fastapi import FastAPI
    from nicegui import ui

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.start()
        yield
        studio.stop()

    site = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    _add_static(site)
    _add_language(site, is_https=is_https)
    _add_login(site, key=key, is_https=is_https)
    _add_report(site, studio)
    _add_pages(studio, api=api)
    _add_failures()
    ui.run_with(site, title="milvuslab", dark=None, tailwind=False, show_welcome_message=False, reconnect_timeout=10.0)
    return site


def _add_static(site: "FastAPI") -> None:
    from fastapi import HTTPException
    from fastapi.responses import Response

    @site.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404)
        # The address carries a hash of the content (frame.py), so a browser may keep the file.
        headers = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable"}
        return Response(asset(name), media_type=mimetypes.guess_type(name)[0], headers=headers)

    @site.get("/favicon.ico")
    async def favicon() -> Response:
        return Response(asset("icon.svg"), media_type="image/svg+xml")


def _add_language(site: "FastAPI", *, is_https: bool) -> None:
    from fastapi import Request
    from fastapi.responses import RedirectResponse

    @site.get("/language/{code}")
    async def choose(code: str, request: Request) -> RedirectResponse:
        answer = RedirectResponse(_own_path(request.query_params.get("next", "/")), status_code=303)
        if code in LANGUAGES:
            answer.set_cookie(_LANGUAGE_COOKIE, code, max_age=_YEAR_S, samesite="lax", secure=is_https)
        return answer


def _add_login(site: "FastAPI", *, key: KeyCheck, is_https: bool) -> None:
    from fastapi import Request
    from fastapi.responses import HTMLResponse, RedirectResponse, Response

    @site.get("/login")
    async def ask(request: Request) -> HTMLResponse:
        target = _own_path(request.query_params.get("next", "/"))
        return HTMLResponse(render_login(_words(request), target=target, is_wrong=False))

    @site.post("/login")
    async def sign_in(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        target = _own_path(form.get("next", ["/"])[0])
        if not key.matches(form.get("key", [""])[0].strip()):
            page = render_login(_words(request), target=target, is_wrong=True)
            return HTMLResponse(page, status_code=401)
        answer = RedirectResponse(target, status_code=303)
        answer.set_cookie(
            COOKIE_NAME, key.session(), max_age=SESSION_LIFETIME_S, httponly=True, samesite="strict", secure=is_https
        )
        return answer


def _add_report(site: "FastAPI", studio: Studio) -> None:
    """The report of a comparison is a page of its own, with everything it needs inside."""
    from fastapi import Request
    from fastapi.responses import FileResponse, HTMLResponse, Response

    @site.get("/index-lab/{comparison_id}/report")
    async def report(comparison_id: str, request: Request) -> Response:
        try:
            path = await studio.lab.run(studio.lab.report_path, comparison_id)
        except MilvusLabError as error:
            words = _words(request)
            notice = render_notice(words, code=error.code, message=error.message, hint=error.hint)
            page = render_plain(words, title=words("lab.heading"), body=notice)
            return HTMLResponse(page, status_code=error.http_status)
        return FileResponse(path, media_type="text/html", headers={"Cache-Control": "no-store"})


def _add_pages(studio: Studio, *, api: "FastAPI") -> None:
    from fastapi import Request
    from nicegui import ui

    @ui.page("/", title="milvuslab")
    def home(request: Request) -> None:
        with _frame(request, active="home", title="milvuslab"):
            HomePage(studio, _words(request)).build()

    @ui.page("/text", title="milvuslab")
    async def text(request: Request) -> None:
        state = read_state(request.url.query)
        words = _words(request)
        with _frame(request, active="text", title=f"{state.q or words('nav.text')} · milvuslab"):
            await TextPage(studio, words, state).build()

    @ui.page("/images", title="milvuslab")
    def images(request: Request) -> None:
        words = _words(request)
        with _frame(request, active="images", title=f"{words('nav.images')} · milvuslab", scripts=IMAGE_SCRIPTS):
            ImagePage(studio, words).build()

    @ui.page("/index-lab", title="milvuslab")
    async def lab(request: Request) -> None:
        words = _words(request)
        with _frame(request, active="lab", title=f"{words('lab.heading')} · milvuslab"):
            await IndexLabPage(studio, words, read_lab_state(request.url.query)).build()

    @ui.page("/api-reference", title="milvuslab")
    def reference(request: Request) -> None:
        words = _words(request)
        base_url = str(request.base_url).rstrip("/")
        with _frame(request, active="api", title=f"{words('api.heading')} · milvuslab"):
            ui.html(render_reference(words, api.openapi(), base_url=base_url), sanitize=False)


@contextlib.contextmanager
def _frame(request: "Request", *, active: str, title: str, scripts: Sequence[str] = ()) -> Any:
    """Head and header around a page's own elements."""
    from nicegui import ui

    words = _words(request)
    query = request.url.query
    path = request.url.path + (f"?{query}" if query else "")
    ui.page_title(title)
    ui.add_head_html(head_html(words, scripts=scripts))
    ui.html(render_header(words, active=active, path=path), sanitize=False, tag="header").classes("top").props(
        "role=banner"
    )
    with ui.element("div").classes("content").props("id=main tabindex=-1"):
        yield
    ui.html(render_footer(words), sanitize=False)


def _add_failures() -> None:
    """Pages that are not there, and pages that fail, in our form instead of NiceGUI's."""
    from fastapi import Request
    from fastapi.responses import HTMLResponse
    from nicegui import app, ui

    async def on_missing(request: Request, error: Exception) -> HTMLResponse:
        del error
        words = _words(request)
        back = tag("a", words("error.page_link"), href="/")
        body = join(tag("h1", "404"), tag("p", words("error.page"), class_="lead"), tag("p", back))
        return HTMLResponse(render_plain(words, title="404", body=body), status_code=404)

    def on_fault(error: Exception) -> None:
        _LOG.error("a page failed", exc_info=error)
        request = ui.context.client.request
        words = _words(request)
        code = error.code if isinstance(error, MilvusLabError) else "internal"
        message = error.message if isinstance(error, MilvusLabError) else ""
        request_id = str(request.scope.get("milvuslab.request_id", ""))
        with _frame(request, active="", title="milvuslab"):
            ui.html(render_notice(words, code=code, message=message, request_id=request_id), sanitize=False)

    app.add_exception_handler(404, on_missing)
    app.on_page_exception(on_fault)


def _words(request: "Request") -> Words:
    cookie = request.cookies.get(_LANGUAGE_COOKIE, "")
    return Words(choose_language(cookie=cookie, accepted=request.headers.get("accept-language", "")))


def _own_path(path: str) -> str:
    """The path, when it leads to a page of ours; else the home page.

    >>> _own_path("/text?q=눈"), _own_path("//elsewhere.example"), _own_path("https://elsewhere.example")
    ('/text?q=%EB%88%88', '/', '/')
    """
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return quote(path, safe="/?&=%+#:,~") if is_own else "/"
