import json
import os
import shutil
import stat

import pytest

from milvuslab.model.errors import (
    CheckFailedError,
    ConfigError,
    ConflictError,
    NotFoundError,
    UnsupportedError,
    UsageError,
)
from milvuslab.ops import servers
from milvuslab.ops.servers import RemoteAddress


@pytest.fixture
def workspace(place):
    return place.workspace()


def test_usual_names_are_made_at_their_first_use(workspace):
    profile = servers.open_profile(workspace, "milvus-2-2")
    assert (str(profile.kind), profile.version) == ("standalone", "2.2.16")
    assert servers.open_profile(workspace, "milvus-2-2") == profile
    assert str(servers.open_profile(workspace, "lite").kind) == "lite"
    assert servers.list_local_names(workspace) == ["lite", "milvus-2-2"]


def test_another_name_must_be_added_first(workspace):
    with pytest.raises(NotFoundError) as caught:
        servers.open_profile(workspace, "mine")
    assert "milvuslab server add mine" in caught.value.hint


def test_servers_get_ports_of_their_own(workspace):
    first = servers.add_server(workspace, "one", kind="standalone", version="2.3.5")
    second = servers.add_server(workspace, "two", kind="lite")
    assert not set(first.ports.values()) & set(second.ports.values())
    assert first.state == second.state == "stopped"
    assert [status.name for status in servers.list_servers(workspace)] == ["one", "two"]


@pytest.mark.parametrize(
    "values, message",
    [
        ({"kind": "compose"}, "no kind of server"),
        ({"kind": "cluster"}, "a cluster is made when it is first started"),
        ({"kind": "remote"}, "takes an address"),
        ({"kind": "lite", "remote": RemoteAddress(uri="http://h:1")}, "takes no address"),
        ({"kind": "lite", "version": "3"}, "takes no version"),
    ],
    ids=str,
)
def test_a_wrong_addition_is_refused_and_nothing_is_made(workspace, place, values, message):
    with pytest.raises(UsageError, match=message) as caught:
        servers.add_server(workspace, "x", **values)
    assert caught.value.hint
    assert servers.list_servers(workspace) == []


@pytest.mark.parametrize("name", ["studio", "loader"])
def test_names_of_our_own_parts_are_refused(workspace, name):
    with pytest.raises(ConfigError):
        servers.add_server(workspace, name, kind="lite")


def test_a_version_that_does_not_run_here_is_refused(workspace):
    with pytest.raises(UnsupportedError):
        servers.add_server(workspace, "x", version="9.9.9")
    assert servers.list_servers(workspace) == []


def test_a_name_is_given_once(workspace):
    servers.add_server(workspace, "x", kind="lite")
    with pytest.raises(ConflictError):
        servers.add_server(workspace, "x", kind="lite")


def test_a_remote_server_keeps_its_token_in_a_file_of_its_owner(workspace, tmp_path):
    (tmp_path / "token").write_text("root:kx82-private\n")
    remote = RemoteAddress(uri="https://milvus.example.com:19530", token_path=str(tmp_path / "token"))
    servers.add_server(workspace, "prod", remote=remote)
    profile = servers.open_profile(workspace, "prod")
    assert stat.S_IMODE(profile.token_path.stat().st_mode) == 0o600
    assert servers.find_endpoint(workspace, "prod").token.reveal() == "root:kx82-private"
    shown = servers.describe_profile(workspace, "prod")
    assert shown["token"] == "***"
    assert "kx82" not in json.dumps(shown)


@pytest.mark.parametrize("content", ["", "two\nlines", "root:Milvus"])
def test_a_token_file_must_hold_one_secret(workspace, tmp_path, content):
    (tmp_path / "token").write_text(content)
    remote = RemoteAddress(uri="https://h:1", token_path=str(tmp_path / "token"))
    with pytest.raises(ConfigError):
        servers.add_server(workspace, "prod", remote=remote)
    assert servers.list_servers(workspace) == []


def test_a_remote_server_is_not_ours_to_stop(workspace):
    servers.add_server(workspace, "prod", remote=RemoteAddress(uri="http://127.0.0.1:1"))
    with pytest.raises(UnsupportedError):
        servers.stop(workspace, "prod")
    with pytest.raises(UnsupportedError):
        servers.renew_ports(workspace, "prod")
    assert servers.list_local_names(workspace) == []


def test_removing_asks_for_a_word(workspace, place):
    servers.add_server(workspace, "x", kind="lite")
    with pytest.raises(UsageError) as caught:
        servers.remove_server(workspace, "x", is_sure=False)
    assert caught.value.hint == "milvuslab server remove x --yes"
    assert servers.remove_server(workspace, "x", is_sure=True) > 0
    assert not (place.home / "servers" / "x").exists()


def test_ports_of_a_stopped_server_can_be_renewed(workspace):
    before = servers.add_server(workspace, "x", kind="lite").ports
    servers.renew_ports(workspace, "x")
    assert servers.report_server(workspace, "x").ports != before


def test_a_lite_server_starts_is_seen_and_stops(workspace):
    started = servers.start(workspace, "lite")
    try:
        assert started.state == "running" and started.pid
        assert servers.has_process(workspace, "lite")
        with pytest.raises(ConflictError):
            servers.remove_server(workspace, "lite", is_sure=True)
        with pytest.raises(ConflictError):
            servers.renew_ports(workspace, "lite")
        with workspace.connect("lite") as gateway:
            assert gateway.collections.list() == []
        assert servers.report_server(workspace, "lite").state == "running"
        assert servers.read_server_log(workspace, "lite", line_count=5)
    finally:
        report = servers.stop(workspace, "lite")
    assert report.was_running and not report.was_killed
    assert not servers.stop(workspace, "lite").was_running


@pytest.fixture
def installed(place, server_settings):
    """A workspace with a cache of its own, whose files are those of the shared one until they are replaced."""
    shared, cache_dir = server_settings.cache_dir, place.home.parent / "cache"
    install = servers.install(place.workspace())
    version = install.build.version
    shutil.copytree(shared / "milvus" / version, cache_dir / "milvus" / version, copy_function=os.link)
    (cache_dir / "packages" / "pypi").mkdir(parents=True)
    os.link(
        shared / "packages" / "pypi" / install.build.filename, cache_dir / "packages" / "pypi" / install.build.filename
    )
    return place.workspace(cache_dir=cache_dir, offline="1")


def test_a_damaged_installation_is_named_and_repaired(installed):
    install = servers.install(installed)
    library = next(path for path in install.path.iterdir() if ".so" in path.name and path.stat().st_size > 1000)
    content = bytearray(library.read_bytes())
    content[500] ^= 1
    library.unlink()  # the shared file keeps its content
    library.write_bytes(content)
    with pytest.raises(CheckFailedError) as caught:
        servers.install(installed)
    assert library.name in caught.value.message
    servers.install(installed, is_repair=True)
    assert servers.install(installed).path == install.path
