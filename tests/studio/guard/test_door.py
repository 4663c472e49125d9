"""The door with scripted applications behind it: what it lets through, adds, counts and survives."""

import asyncio
import contextlib
import json

import pytest

from milvuslab.model.settings import Secret
from milvuslab.studio.guard.address import AddressCheck
from milvuslab.studio.guard.body import BodyLimits, BodyRefusedError, UploadRoom
from milvuslab.studio.guard.door import Door
from milvuslab.studio.guard.key import KeyCheck
from milvuslab.studio.metrics import StudioMetrics


async def echo(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"got " + str(len(message["body"])).encode()})


async def broken(scope, receive, send):
    raise RuntimeError("a fault in a page")


async def half_broken(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("a fault after the first byte")


def make_door(*, api=echo, pages=echo, key="", limit_bytes=1_000, upload_bytes=2_000):
    return Door(
        api=api, pages=pages, metrics=StudioMetrics(with_process=False), address=AddressCheck(host="127.0.0.1"),
        key=KeyCheck(Secret(key)), limits=BodyLimits(request_bytes=limit_bytes, upload_bytes=upload_bytes),
    )  # fmt: skip


def ask(door, path="/api/x", *, method="GET", body=(b"",), query=b"", **headers):
    """Status, headers and body of one request, its body sent in pieces."""
    headers = {"host": "localhost", **headers}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    pieces = [{"type": "http.request", "body": piece, "more_body": True} for piece in body]
    pieces[-1]["more_body"] = False
    sent = []

    async def receive():
        return pieces.pop(0) if pieces else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(door(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


def test_every_answer_carries_a_number_and_safe_headers():
    status, headers, _ = ask(make_door(), "/text")
    assert status == 200
    assert headers["x-request-id"]
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http:" not in headers["content-security-policy"]


def test_a_body_passes_whole_up_to_the_limit_and_not_beyond():
    door = make_door(limit_bytes=10)
    assert ask(door, method="POST", body=(b"12345", b"67890"))[2] == b"got 10"
    for headers in ({}, {"content_length": "11"}):
        status, _, body = ask(door, method="POST", body=(b"12345", b"678901"), **headers)
        assert (status, json.loads(body)["code"]) == (413, "limit")


def test_pictures_have_a_limit_of_their_own_which_names_its_setting():
    door = make_door(limit_bytes=10, upload_bytes=20)
    assert ask(door, "/api/v1/images/search", method="POST", body=(b"x" * 20,))[2] == b"got 20"
    status, _, body = ask(door, "/api/v1/images/search", method="POST", body=(b"x" * 21,))
    assert (status, json.loads(body)["context"]["setting"]) == (413, "upload_limit_bytes")
    assert ask(door, "/api/v1/images/x", method="DELETE", body=(b"x" * 11,))[0] == 413
    status, _, body = ask(door, "/api/v1/text/documents", method="POST", body=(b"x" * 11,))
    assert (status, json.loads(body)["context"]["setting"]) == (413, "request_limit_bytes")


def test_uploads_under_way_together_have_room_for_four_and_give_it_back():
    async def crowd(count):
        scope = {"type": "http", "method": "POST", "path": "/api/v1/images/search", "headers": []}
        room = UploadRoom(BodyLimits(request_bytes=10, upload_bytes=20))
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(room.held(scope))
        with room.held(scope):
            return True

    assert asyncio.run(crowd(4))
    with pytest.raises(BodyRefusedError) as refused:
        asyncio.run(crowd(5))
    assert (refused.value.problem.status, refused.value.problem.headers["Retry-After"]) == (429, "2")


def test_a_fault_becomes_an_answer_and_is_logged(caplog):
    status, headers, body = ask(make_door(api=broken))
    assert status == 500
    problem = json.loads(body)
    assert problem["code"] == "internal"
    assert "fault in a page" not in body.decode()
    assert problem["request_id"] == headers["x-request-id"]
    assert problem["request_id"] in caplog.text
    assert "a fault in a page" in caplog.text


def test_a_fault_after_the_first_byte_does_not_end_the_process(caplog):
    assert ask(make_door(api=half_broken))[0] == 200
    assert "after the first byte" in caplog.text


def test_without_the_key_data_is_refused_and_pages_lead_to_the_sign_in():
    door = make_door(key="correct-horse-battery")
    status, headers, body = ask(door)
    assert (status, headers["www-authenticate"].split()[0]) == (401, "Bearer")
    assert json.loads(body)["code"] == "unauthorized"
    status, headers, _ = ask(door, "/text", query=b"q=snow&language=ko")
    assert (status, headers["location"]) == (303, "/login?next=%2Ftext%3Fq%3Dsnow%26language%3Dko")
    assert ask(door, authorization="Bearer correct-horse-battery")[0] == 200


def test_the_door_answers_metrics_itself():
    door = make_door()
    ask(door)
    status, headers, body = ask(door, "/metrics")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
    assert b"milvuslab_studio_http_requests_total" in body


@pytest.mark.parametrize("refused", [{"host": "evil.example"}, {"host": "localhost", "origin": "http://evil.example"}])
def test_a_refused_websocket_is_closed_before_it_opens(refused):
    sent = []
    headers = [(name.encode(), value.encode()) for name, value in refused.items()]
    scope = {"type": "websocket", "path": "/_nicegui_ws/", "headers": headers}

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(make_door()(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
