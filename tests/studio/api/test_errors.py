"""Every error of the API has one form, whatever goes wrong, on every route."""

import json
import re
import socket
import urllib.parse

import pytest

JSON = {"Content-Type": "application/json"}
FORM = {"code": str, "message": str, "hint": str, "context": dict, "request_id": str}
BAD = [
    pytest.param("GET", "/api/v1/nothing", {}, 404, "not_found", id="no such route"),
    pytest.param("GET", "/api", {}, 404, "not_found", id="no page here"),
    pytest.param("GET", "/api/v1/text/search/", {"params": {"q": "x"}}, 404, "not_found", id="slash too many"),
    pytest.param("DELETE", "/api/v1/text/search", {}, 405, "method_not_allowed", id="wrong method"),
    pytest.param("PUT", "/api/v1/text/documents", {}, 405, "method_not_allowed", id="wrong method for documents"),
    pytest.param("POST", "/api/v1/health", {}, 405, "method_not_allowed", id="health takes no post"),
    pytest.param("GET", "/api/v1/text/search", {}, 422, "validation", id="no question"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "  "}}, 400, "usage", id="blank question"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "\u0007\u0000"}}, 400, "usage", id="only control characters"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x" * 2_001}}, 413, "limit", id="long question"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "limit": 0}}, 422, "validation", id="limit 0"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "limit": 101}}, 413, "limit", id="limit 101"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "limit": "ten"}}, 422, "validation", id="limit ten"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "min_score": "nan"}}, 422, "validation", id="score nan"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "min_score": 2}}, 422, "validation", id="score 2"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "published_after": "soon"}}, 400, "usage", id="no day"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "language": "xx"}}, 400, "usage", id="no such language"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "collection": "nope"}}, 404, "not_found", id="no such collection"),
    pytest.param("GET", "/api/v1/text/search", {"params": {"q": "x", "collection": "a b; drop"}}, 422, "schema", id="no collection name"),
    pytest.param("GET", "/api/v1/text/documents/unknown", {}, 404, "not_found", id="no such document"),
    pytest.param("GET", "/api/v1/text/documents/unknown/similar", {}, 404, "not_found", id="similar to nothing"),
    pytest.param("DELETE", "/api/v1/text/documents/unknown", {}, 404, "not_found", id="delete nothing"),
    pytest.param("GET", "/api/v1/text/documents/" + "x" * 500, {}, 422, "validation", id="long id"),
    pytest.param("GET", "/api/v1/text/documents/%22%20or%201==1", {}, 404, "not_found", id="an id that would be a filter"),
    pytest.param("POST", "/api/v1/text/documents", {}, 422, "validation", id="no body"),
    pytest.param("POST", "/api/v1/text/documents", {"content": b"{", "headers": JSON}, 422, "validation", id="half a body"),
    pytest.param("POST", "/api/v1/text/documents", {"content": b'{"text": "\xff"}', "headers": JSON}, 400, "bad_request", id="body not UTF-8"),
    pytest.param("POST", "/api/v1/text/documents", {"content": b'{"text": "\\ud800"}', "headers": JSON}, 400, "usage", id="half a character"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": ""}}, 400, "usage", id="empty text"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "\u0000\u0001"}}, 400, "usage", id="text of control characters"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": 7}}, 422, "validation", id="text is a number"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x", "typo": 1}}, 422, "validation", id="unknown field"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x", "url": "javascript:alert(1)"}}, 422, "schema", id="no web address"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x", "language": "Klingon"}}, 422, "schema", id="no language"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x", "language": "fr"}}, 400, "usage", id="no encoder"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x", "source": "s" * 65}}, 422, "schema", id="long source"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x", "published_at": "soon"}}, 422, "validation", id="posted no day"),
    pytest.param("POST", "/api/v1/text/documents", {"json": {"text": "x" * 500_001}}, 413, "limit", id="long document"),
    pytest.param("POST", "/api/v1/text/documents", {"content": b"x" * 1_000_001}, 413, "limit", id="large body"),
    pytest.param("GET", "/api/v1/index-lab/comparisons/unknown", {}, 404, "not_found", id="no such comparison"),
    pytest.param("GET", "/api/v1/index-lab/comparisons/..%2f..", {}, 404, "not_found", id="a comparison that climbs"),
    pytest.param("GET", "/api/v1/index-lab/comparisons/..", {}, 404, "not_found", id="a comparison above"),
    pytest.param("GET", "/api/v1/index-lab/comparisons/unknown/choice", {"params": {"recall": 2}}, 422, "validation", id="recall 2"),
    pytest.param("DELETE", "/api/v1/index-lab/comparisons/unknown", {}, 404, "not_found", id="delete no comparison"),
    pytest.param("POST", "/api/v1/index-lab/comparisons/unknown/cancel", {}, 404, "not_found", id="stop no comparison"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"data": "mine"}}, 400, "usage", id="no such data"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"row_count": 9}}, 413, "limit", id="nine rows"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"recall_target": 1.5}}, 400, "usage", id="recall above 1"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"data": "file"}}, 400, "usage", id="no file named"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"data": "file", "path": "/nowhere.npy"}}, 404, "not_found", id="no such file"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"index_types": ["HNWS"]}}, 404, "not_found", id="misspelt index type"),
    pytest.param("POST", "/api/v1/index-lab/comparisons", {"json": {"data": "collection", "collection": "a b"}}, 422, "schema", id="no collection to compare"),
    pytest.param("GET", "/api/v1/text/search", {"content": b"x" * 1_000_001}, 413, "limit", id="large body on a get"),
]  # fmt: skip


def expect_error(answer, status, code):
    """Every error of the API passes through here."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert {name: type(value) for name, value in body.items()} == FORM
    assert body["code"] == code, body
    assert body["message"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize(("method", "path", "options", "status", "code"), BAD)
def test_bad_input_is_answered_in_the_one_form(http, method, path, options, status, code):
    expect_error(http.request(method, path, **options), status, code)


def test_a_limit_names_its_setting(http):
    body = expect_error(http.get("/api/v1/text/search", params={"q": "x", "limit": 5_000}), 413, "limit")
    assert body["context"] == {"limit": 100, "setting": "result_limit"}
    assert "result_limit" in body["hint"]


def test_a_body_without_a_length_is_limited_too(http):
    pieces = (b"x" * 50_000 for _ in range(100))
    expect_error(http.post("/api/v1/text/documents", content=pieces), 413, "limit")


def test_every_documented_route_refuses_what_is_no_utf8(http):
    schema = http.get("/api/openapi.json").json()
    for path in schema["paths"]:
        address = path.replace("{document_id}", "x")
        for broken in (f"{address}?q=%ff%fe", f"{address}%ff"):
            status, body = ask_raw(http, broken)
            assert (status, body["code"]) == (400, "bad_request"), broken


def test_a_nul_in_the_path_is_refused(http):
    status, body = ask_raw(http, "/api/v1/text/documents/a%00b")
    assert (status, body["code"]) == (400, "bad_request")


def test_an_own_request_id_comes_back_and_a_strange_one_does_not(http):
    own = http.get("/api/v1/health", headers={"X-Request-ID": "deploy-42"})
    assert own.headers["x-request-id"] == "deploy-42"
    strange = http.get("/api/v1/health", headers={"X-Request-ID": "a b<script>"})
    assert re.fullmatch(r"[0-9a-f]{16}", strange.headers["x-request-id"])


def test_the_documented_error_is_the_one_that_is_sent(http):
    schema = http.get("/api/openapi.json").json()
    assert set(schema["components"]["schemas"]["Error"]["properties"]) == set(FORM)
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert {"4XX", "5XX"} <= set(operation["responses"])


def ask_raw(http, target):
    """One GET with the target as it stands: clients would quote it."""
    place = urllib.parse.urlsplit(str(http.base_url))
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)
