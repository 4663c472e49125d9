"""Downloads from a real server on loopback: addresses, redirects, limits, breaks and what stays on disk."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from milvuslab.data.readers import read_documents
from milvuslab.fetch.url import check_address, fetch_url, is_public_address
from milvuslab.model.errors import (
    ForbiddenError,
    LimitError,
    NotFoundError,
    RejectedError,
    TimedOutError,
    UnreachableError,
    UsageError,
)
from milvuslab.model.settings import resolve

BODY = bytes(range(256)) * 4000


class Handler(BaseHTTPRequestHandler):
    """Serves BODY in the ways servers do, good and bad; each path is one way."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        getattr(self, f"serve_{self.path.strip('/').split('/')[0].split('?')[0].replace('-', '_').split('.')[0]}")()

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def serve_whole(self):
        if self.headers.get("If-None-Match") == '"v1"':
            return self._answer(304, ETag='"v1"')
        return self._answer(200, BODY, ETag='"v1"', Content_Type="text/plain")

    def serve_page(self):
        self._answer(200, "<title>제목</title><p>본문입니다.".encode(), Content_Type="text/html; charset=utf-8")

    def _break_off(self, validator):
        start = 0
        requested = self.headers.get("Range")
        if requested and (self.headers.get("If-Range") == validator):
            start = int(requested.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", validator)
        self.send_header("Content-Length", str(len(BODY) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.end_headers()
        end = min(len(BODY), start + 400_000)
        self.wfile.write(BODY[start:end])
        self.wfile.flush()
        self.close_connection = True

    def serve_breaks(self):
        self._break_off('"fixed"')

    def serve_changes(self):
        self._break_off(f'"{len(self.server.requests)}"')

    def serve_redirect(self):
        self._answer(302, Location=self.path.split("?to=")[1])

    def serve_loop(self):
        self._answer(302, Location="/loop")

    def serve_endless(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(BODY)

    def serve_claims(self):
        self._answer(200, b"", Content_Length="99999999999")

    def serve_missing(self):
        self._answer(404)

    def serve_error(self):
        self._answer(500)

    def serve_stalls(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"a")
        self.wfile.flush()
        self.server.released.wait(10)


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        running.released = threading.Event()
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.address = f"http://127.0.0.1:{running.server_port}"
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def fetch(server, path, folder, **options):
    options = {"limit_bytes": 10_000_000, "are_private_addresses_allowed": True, **options}
    return fetch_url(f"{server.address}/{path}", folder=folder, **options)


def test_a_file_comes_whole_and_is_not_sent_again_while_it_is_the_same(server, tmp_path):
    seen = []
    first = fetch(server, "whole/some%20file.txt?key=secret", tmp_path, observer=seen.append)
    again = fetch(server, "whole/some%20file.txt?key=secret", tmp_path)
    assert first.path.read_bytes() == BODY
    assert (first.name, first.content_type, first.size_bytes) == ("some_file.txt", "text/plain", len(BODY))
    assert again == first
    assert server.requests[1][1]["If-None-Match"] == '"v1"'
    assert seen[-1].done_count == seen[-1].total_count == len(BODY)
    assert "secret" not in "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.json"))


def test_a_fetched_file_is_there_without_a_network(server, tmp_path):
    first = fetch(server, "whole/a.txt", tmp_path)
    assert fetch(server, "whole/a.txt", tmp_path, is_offline=True) == first
    with pytest.raises(UnreachableError, match="switched off"):
        fetch(server, "whole/b.txt", tmp_path, is_offline=True)


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    got = fetch(server, "breaks/a.bin", tmp_path)
    assert got.path.read_bytes() == BODY
    assert [headers.get("Range") for _, headers in server.requests] == [None, "bytes=400000-", "bytes=800000-"]


def test_going_on_works_over_calls_and_leaves_no_part(server, tmp_path):
    with pytest.raises(UnreachableError, match="broke off"):
        fetch(server, "breaks/a.bin", tmp_path, retry_count=0)
    assert len(list(tmp_path.rglob("part"))) == 1
    got = fetch(server, "breaks/a.bin", tmp_path)
    assert got.path.read_bytes() == BODY
    assert list(tmp_path.rglob("part")) == []
    assert server.requests[1][1]["Range"] == "bytes=400000-"


def test_a_file_that_changed_in_between_is_begun_again_never_mixed(server, tmp_path):
    with pytest.raises(UnreachableError, match="broke off"):
        fetch(server, "changes/a.bin", tmp_path, retry_count=2)
    assert len(server.requests) == 3
    (part,) = tmp_path.rglob("part")
    assert part.read_bytes() == BODY[:400_000]


@pytest.mark.parametrize("path", ["endless/a.bin", "claims/a.bin"])
def test_what_is_too_large_is_thrown_away(server, tmp_path, path):
    with pytest.raises(LimitError) as caught:
        fetch(server, path, tmp_path, limit_bytes=2_000_000)
    assert "download_limit_bytes" in caught.value.hint
    assert [file for file in tmp_path.rglob("*") if file.is_file() and file.stat().st_size > 1000] == []


@pytest.mark.parametrize(
    ("path", "error"),
    [("missing/a", NotFoundError), ("error/a", RejectedError), ("loop", RejectedError)],
)
def test_what_is_no_file_is_named(server, tmp_path, path, error):
    with pytest.raises(error):
        fetch(server, path, tmp_path)


def test_a_server_that_stops_sending_is_given_up(server, tmp_path):
    with pytest.raises(TimedOutError, match="stopped sending"):
        fetch(server, "stalls/a", tmp_path, timeout_s=0.3, retry_count=0)


def test_nobody_there_is_named(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(UnreachableError, match="does not answer"):
            fetch_url(
                f"http://127.0.0.1:{port}/", folder=tmp_path, limit_bytes=1000, are_private_addresses_allowed=True
            )


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:9091/metrics",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/",
        "http://[fe80::1]/",
        "http://[64:ff9b::a00:1]/",
    ],
)
def test_private_addresses_are_refused_however_they_are_written(tmp_path, url):
    with pytest.raises(ForbiddenError, match="not a public address"):
        fetch_url(url, folder=tmp_path, limit_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_to_a_private_address_is_refused_before_it_is_asked(server, tmp_path, monkeypatch):
    # The first server counts as public here, by the one seam there is: the judgement of an address.
    target = f"http://127.0.0.2:{server.server_port}/whole/a.txt"
    monkeypatch.setattr("milvuslab.fetch.url.is_public_address", lambda address: address == "127.0.0.1")
    with pytest.raises(ForbiddenError, match=r"127\.0\.0\.2"):
        fetch(server, f"redirect?to={target}", tmp_path, are_private_addresses_allowed=False)
    assert [path.split("?")[0] for path, _ in server.requests] == ["/redirect"]


def test_a_redirect_is_followed(server, tmp_path):
    got = fetch(server, "redirect?to=/whole/b.txt", tmp_path)
    assert (got.name, got.path.read_bytes()) == ("b.txt", BODY)


def test_the_connection_goes_to_the_address_that_was_checked(server, tmp_path, monkeypatch):
    # A name that resolves to something else the second time: the second answer must never be asked for.
    answers = iter([("127.0.0.1", server.server_port)])

    def resolve_once(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", next(answers))]

    original = socket.getaddrinfo

    def getaddrinfo(host, port, *arguments, **options):
        if host == "rebinding.example":
            return resolve_once(host, port)
        return original(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = f"http://rebinding.example:{server.server_port}/whole/a.txt"
    got = fetch_url(url, folder=tmp_path, limit_bytes=10_000_000, are_private_addresses_allowed=True)
    assert got.path.read_bytes() == BODY
    assert server.requests[0][1]["Host"] == f"rebinding.example:{server.server_port}"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/", "file:///etc/passwd", "http:///path", "http://[::1", "http://a:b@example.org/", "text"],
)
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(UsageError):
        check_address(url)


def test_public_addresses_are_public():
    assert all(map(is_public_address, ("1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8")))


def test_documents_are_read_from_an_address(server, tmp_path):
    settings = resolve(flags={"cache_dir": tmp_path, "private_addresses_allowed": True})
    (item,) = read_documents(f"{server.address}/page/", language=None, source="web", settings=settings)
    assert (item.document.title, item.document.text, item.document.language) == ("제목", "본문입니다.", "ko")
    assert item.document.url == f"{server.address}/page/"
    with pytest.raises(ForbiddenError):
        list(read_documents(f"{server.address}/page/", settings=resolve(flags={"cache_dir": tmp_path})))
