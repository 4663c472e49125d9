"""Starting: who may listen where, and what a person is told when it cannot be."""

import socket
import subprocess
import sys

import pytest

from milvuslab.model.errors import ConfigError, ConflictError
from milvuslab.model.settings import resolve
from milvuslab.studio.serve import check_exposure, open_port
from tests.studios import make_workspace, run_studio

KEY = "correct-horse-battery"


def settings(**flags):
    return resolve(flags={name: str(value) for name, value in flags.items()}, environment={"HOME": "/nowhere"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "studio.example.com"])
def test_others_may_reach_it_only_with_a_key(host):
    with pytest.raises(ConfigError, match="no studio_key"):
        check_exposure(settings(studio_host=host))
    check_exposure(settings(studio_host=host, studio_key=KEY))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_key_unless_it_has_a_public_name(host):
    check_exposure(settings(studio_host=host))
    with pytest.raises(ConfigError, match="studio_public_url"):
        check_exposure(settings(studio_host=host, studio_public_url="https://studio.example.com"))


def test_a_taken_port_is_an_error_when_it_was_asked_for_and_else_the_next_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConflictError, match="is taken"):
            open_port(settings(studio_port=port))
    with open_port(settings(studio_port=0)) as opened:
        assert opened.getsockname()[1] > 0


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigError, match="no address of this machine"):
        open_port(settings(studio_host="192.0.2.7", studio_port=0))


def test_a_refused_start_is_one_sentence_and_code_2(tmp_path):
    workspace = make_workspace(tmp_path, server="lite", studio_host="0.0.0.0")
    done = subprocess.run(
        [sys.executable, "-m", "milvuslab.studio"], env=workspace.child_environment(), cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
    assert "no studio_key" in done.stderr


def test_a_locked_studio_opens_by_key_and_by_sign_in(tmp_path):
    workspace = make_workspace(tmp_path, server="lite", studio_key=KEY)
    with run_studio(workspace) as running, running.client() as http:
        assert http.get("/api/v1/health").json()["is_ready"] is False
        assert http.get("/api/v1/servers").status_code == 401
        assert http.get("/metrics").status_code == 401
        assert http.get("/api/v1/servers", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200

        page = http.get("/text?q=snow")
        assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Ftext%3Fq%3Dsnow")
        assert http.post("/login", data={"key": "wrong", "next": "/text"}).status_code == 401
        opened = http.post("/login", data={"key": KEY, "next": "/text?q=snow"})
        assert (opened.status_code, opened.headers["location"]) == (303, "/text?q=snow")
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert KEY not in cookie
        assert http.get("/text?q=snow").status_code == 200
        assert http.post("/login", data={"key": KEY, "next": "https://evil.example/"}).headers["location"] == "/"
        assert KEY not in "".join(running.log)


def test_a_search_without_a_server_fails_at_once_and_says_what_to_do(tmp_path):
    workspace = make_workspace(tmp_path, server="lite")
    with run_studio(workspace) as running, running.client() as http:
        answer = http.get("/api/v1/text/search", params={"q": "snow"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["code"] == "unreachable"
        assert answer.json()["hint"]
        assert http.get("/").status_code == 200
        assert http.get("/text?q=snow").status_code == 200
        assert http.get("/no-such-page").status_code == 404
