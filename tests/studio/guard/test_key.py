"""The key: what opens without it, what opens with it, and what a cookie is worth."""

import pytest

from milvuslab.model.settings import Secret
from milvuslab.studio.guard import key as key_module
from milvuslab.studio.guard.key import COOKIE_NAME, KeyCheck

SECRET = "a key nobody guesses, 키"


def request(path="/api/v1/servers", **headers):
    return {"path": path, "headers": [(name.encode(), value.encode("utf-8")) for name, value in headers.items()]}


@pytest.fixture
def check():
    return KeyCheck(Secret("correct-horse-battery"))


def test_without_a_key_everything_is_open():
    assert KeyCheck(Secret("")).allows(request())


@pytest.mark.parametrize(
    "path", ["/", "/text", "/metrics", "/api/v1/servers", "/_nicegui_ws/socket.io/", "/api/v1/health/x"]
)
def test_with_a_key_everything_else_is_closed(check, path):
    assert not check.allows(request(path))


@pytest.mark.parametrize("path", ["/login", "/api/v1/health", "/static/studio.css", "/language/ko"])
def test_health_and_the_sign_in_stay_open(check, path):
    assert check.allows(request(path))


@pytest.mark.parametrize("header", ["Bearer correct-horse-battery", "bearer  correct-horse-battery "])
def test_the_bearer_key_opens(check, header):
    assert check.allows(request(authorization=header))


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", "", "Basic correct-horse-battery", "Bearer correct-horse-batter"]
)
def test_another_key_does_not(check, header):
    assert not check.allows(request(authorization=header))


def test_a_key_in_hangul_works():
    assert KeyCheck(Secret(SECRET)).matches(SECRET)


def test_a_session_cookie_opens_until_it_ends(check, monkeypatch):
    session = check.session()
    assert check.allows(request(cookie=f"other=1; {COOKIE_NAME}={session}"))
    monkeypatch.setattr(key_module, "SESSION_LIFETIME_S", -1)
    assert not check.allows(request(cookie=f"{COOKIE_NAME}={check.session()}"))


def test_a_forged_or_foreign_cookie_does_not_open(check):
    ends_at, _, code = check.session().partition(".")
    for forged in (f"{int(ends_at) + 1}.{code}", f"{ends_at}.", f".{code}", "x", f"{ends_at}.{code[:-1]}0x", ""):
        assert not check.allows(request(cookie=f"{COOKIE_NAME}={forged}"))
    assert not KeyCheck(Secret("another")).allows(request(cookie=f"{COOKIE_NAME}={ends_at}.{code}"))
