import json

import pytest


def test_a_server_is_added_listed_shown_and_removed(run, home):
    assert run("server", "list").out == "no server yet: milvuslab up\n"
    assert "added scratch: lite" in run("server", "add", "scratch", "--kind", "lite").out
    (listed,) = run("server", "list", "--json").value["servers"]
    assert (listed["name"], listed["kind"], listed["state"]) == ("scratch", "lite", "stopped")
    status = run("server", "status", "scratch")
    assert status.out.startswith("scratch: lite ") and "stopped" in status.out
    config = run("server", "config", "scratch", "--json").value
    assert config["ports"] == listed["ports"] and config["folder"] == str(home / "servers" / "scratch")
    renewed = run("server", "config", "scratch", "--renew-ports", "--json").value
    assert renewed["ports"] != config["ports"]
    refused = run("server", "remove", "scratch")
    assert refused.code == 2 and "--yes" in refused.err
    assert run("server", "remove", "scratch", "--yes").code == 0
    assert run("server", "list", "--json").value == {"servers": []}


def test_a_remote_server_needs_no_kind(run, tmp_path):
    (tmp_path / "token.txt").write_text("kx82-private\n")
    ran = run(
        "server", "add", "prod", "--uri", "https://milvus.example.com:19530", "--token-file", tmp_path / "token.txt"
    )
    assert ran.code == 0, ran.err
    shown = run("server", "config", "prod")
    assert "token: ***" in shown.out and "kx82" not in shown.out
    assert run("server", "stop", "prod").code == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--kind", "remote"],
        ["--uri", "milvus.example.com"],
        ["--uri", "https://user:pw@h:1"],
        ["--uri", "https://h:1", "--ca-file", "none.pem"],
        ["--kind", "lite", "--token-file", "t"],
        ["--version", "0.1"],
        ["--kind", "lite", "--uri", "http://h:1"],
    ],
    ids=" ".join,
)
def test_a_wrong_addition_leaves_nothing(run, home, options):
    ran = run("server", "add", "x", *options)
    assert ran.code == 2
    assert ran.err.startswith("error: ") and "\nnext: " in ran.err
    assert not list(home.glob("servers/x"))


def test_a_server_that_is_not_running_stops_without_a_word_too_many(run):
    run("server", "add", "scratch", "--kind", "lite")
    assert run("server", "stop", "scratch").out == "scratch was not running\n"
    logs = run("server", "logs", "scratch")
    assert (logs.code, logs.out) == (0, "")
    assert "no log" in logs.err


def test_start_status_logs_restart_and_stop(run, server_settings, monkeypatch):
    monkeypatch.setenv("MILVUSLAB_CACHE_DIR", str(server_settings.cache_dir))
    try:
        started = run("server", "start", "lite", "--json")
        assert started.code == 0, started.err
        assert started.value["state"] == "running"
        again = run("server", "start", "lite", "--json").value
        assert again["pid"] == started.value["pid"]
        assert "process: " in run("server", "status", "lite").out
        assert run("server", "logs", "lite", "--lines", "3").out
        restarted = run("server", "restart", "lite", "--json").value
        assert restarted["pid"] != started.value["pid"]
        assert restarted["ports"] == started.value["ports"]
    finally:
        stopped = run("server", "stop", "lite", "--json")
    assert stopped.value["was_running"] is True
    assert json.loads(stopped.out)["name"] == "lite"
