"""Names and origins: a stranger's page can neither change nor, by DNS rebinding, read anything."""

import pytest

from milvuslab.studio.guard.address import AddressCheck


def request(method="GET", kind="http", **headers):
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": kind, "method": method, "path": "/", "headers": raw}


LOCAL = AddressCheck(host="127.0.0.1")
OPEN = AddressCheck(host="0.0.0.0")
BEHIND_PROXY = AddressCheck(host="127.0.0.1", public_url="https://studio.example.com")


@pytest.mark.parametrize("host", ["127.0.0.1:8530", "localhost:8530", "LOCALHOST", "[::1]:8530"])
def test_loopback_names_are_taken(host):
    assert LOCAL.refuse(request(host=host)) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8530", "", "localhost@evil.example", "[bad", "0.0.0.0"]
)
def test_other_names_are_refused_on_loopback(host):
    assert LOCAL.refuse(request(host=host)).status == 403


def test_beyond_loopback_the_name_does_not_matter():
    assert OPEN.refuse(request(host="studio.example.com")) is None


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_a_change_must_come_from_an_own_page(method):
    host = "127.0.0.1:8530"
    assert LOCAL.refuse(request(method, host=host)) is None
    assert LOCAL.refuse(request(method, host=host, origin="http://127.0.0.1:8530")) is None
    assert LOCAL.refuse(request(method, host=host, origin="http://127.0.0.1:9999")).status == 403
    assert LOCAL.refuse(request(method, host=host, origin="https://evil.example")).status == 403
    assert LOCAL.refuse(request(method, host=host, origin="null")).status == 403
    assert LOCAL.refuse(request(method, host=host, sec_fetch_site="cross-site")).status == 403


def test_a_websocket_must_come_from_an_own_page():
    websocket = request(kind="websocket", host="127.0.0.1:8530", origin="https://evil.example")
    del websocket["method"]
    assert LOCAL.refuse(websocket).status == 403


def test_a_stranger_may_ask_but_not_change():
    assert LOCAL.refuse(request(host="localhost", origin="https://evil.example")) is None


def test_the_public_name_is_taken_behind_a_proxy():
    assert BEHIND_PROXY.refuse(request(host="studio.example.com")) is None
    assert BEHIND_PROXY.refuse(request("POST", host="127.0.0.1:8530", origin="https://studio.example.com")) is None
    assert BEHIND_PROXY.refuse(request("POST", host="studio.example.com", origin="https://evil.example")).status == 403
    assert BEHIND_PROXY.refuse(request(host="evil.example")).status == 403
