import dataclasses
import json
import stat

import pytest

from milvuslab.model.errors import ConfigError, ConflictError, NotFoundError, UnsupportedError
from milvuslab.model.server import ServerKind
from milvuslab.model.settings import Secret
from milvuslab.runtime.builds import Machine
from milvuslab.runtime.profile import (
    add_lite,
    add_remote,
    add_standalone,
    endpoint_of,
    list_profiles,
    read_profile,
    renew_ports,
)

LINUX = Machine(system="Linux", machine="x86_64")


def test_a_profile_is_read_as_it_was_added(tmp_path):
    added = add_standalone(tmp_path, "annoy", version="2.2.16", machine=LINUX)
    assert read_profile(tmp_path, "annoy") == added
    assert (added.kind, added.version, len(added.ports)) == (ServerKind.STANDALONE, "2.2.16", 12)


def test_options_of_one_server_are_kept_and_an_older_profile_has_none(tmp_path):
    options = {"dataCoord.segment.maxSize": 1024, "dataCoord.enableCompaction": False}
    added = add_standalone(tmp_path, "big", machine=LINUX, options=options)
    assert read_profile(tmp_path, "big").options == options
    assert renew_ports(tmp_path, added).options == options
    path = added.folder / "profile.json"
    older = json.loads(path.read_text())
    del older["options"]
    path.write_text(json.dumps(older))
    assert read_profile(tmp_path, "big").options == {}


def test_profiles_are_listed_by_name_and_share_no_port(tmp_path):
    added = [add_lite(tmp_path, "b"), add_standalone(tmp_path, "a", machine=LINUX), add_lite(tmp_path, "c")]
    assert [profile.name for profile in list_profiles(tmp_path)] == ["a", "b", "c"]
    ports = [port for profile in added for port in profile.ports.values()]
    assert len(ports) == len(set(ports)) == 14


def test_an_empty_home_has_no_profiles(tmp_path):
    assert list_profiles(tmp_path / "none") == []


def test_a_second_server_of_the_same_name_is_refused(tmp_path):
    first = add_lite(tmp_path, "x")
    with pytest.raises(ConflictError, match="there is a server x already"):
        add_remote(tmp_path, "x", uri="http://somewhere:19530")
    assert read_profile(tmp_path, "x") == first


@pytest.mark.parametrize("name", ["", "X", "../x", "a/b", "a" * 33, "1a"])
def test_a_name_that_is_no_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is no server name"):
        add_lite(tmp_path, name)
    with pytest.raises(ConfigError, match="is no server name"):
        read_profile(tmp_path, name)


def test_a_mistyped_name_gets_the_nearest_one(tmp_path):
    add_lite(tmp_path, "lite")
    with pytest.raises(NotFoundError, match="there is no server light") as raised:
        read_profile(tmp_path, "light")
    assert raised.value.hint == "did you mean lite?"


def test_a_build_that_does_not_run_here_leaves_no_profile(tmp_path):
    with pytest.raises(UnsupportedError):
        add_standalone(tmp_path, "x", machine=Machine(system="Linux", machine="aarch64"))
    assert list_profiles(tmp_path) == []


def test_a_token_lies_in_a_file_of_its_own_that_only_its_owner_reads(tmp_path):
    profile = add_remote(tmp_path, "cloud", uri="https://host:443", token=Secret("me:s3cret"))
    assert "s3cret" not in (profile.folder / "profile.json").read_text()
    assert stat.S_IMODE(profile.token_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(profile.folder.stat().st_mode) == 0o700
    assert endpoint_of(profile).token == Secret("me:s3cret")
    assert "s3cret" not in repr(endpoint_of(profile))


def test_a_token_file_that_others_may_read_is_refused(tmp_path):
    profile = add_remote(tmp_path, "cloud", uri="https://host:443", token=Secret("me:s3cret"))
    profile.token_path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read the token") as raised:
        endpoint_of(profile)
    assert raised.value.hint == f"chmod 600 {profile.token_path}"


def test_an_empty_token_file_is_refused(tmp_path):
    profile = add_remote(tmp_path, "cloud", uri="https://host:443", token=Secret("me:s3cret"))
    profile.token_path.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        endpoint_of(profile)


def test_without_a_token_file_the_setting_counts(tmp_path):
    profile = add_remote(tmp_path, "cloud", uri="https://host:443")
    assert endpoint_of(profile, fallback_token=Secret("abc")).token == Secret("abc")
    assert not endpoint_of(profile).token


def test_tls_files_go_from_profile_to_endpoint(tmp_path):
    pem = tmp_path / "ca.pem"
    pem.write_text("x")
    add_remote(tmp_path, "cloud", uri="https://host:443", ca_pem_path=str(pem), server_name="milvus.example")
    endpoint = endpoint_of(read_profile(tmp_path, "cloud"))
    assert (endpoint.ca_pem_path, endpoint.server_name) == (str(pem), "milvus.example")


def test_a_certificate_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ca_pem_path is none\.pem, where there is no file"):
        add_remote(tmp_path, "cloud", uri="https://host:443", ca_pem_path="none.pem")


def test_an_address_with_a_password_is_refused_without_showing_it(tmp_path):
    with pytest.raises(ConfigError) as raised:
        add_remote(tmp_path, "cloud", uri="http://me:s3cret@host:19530")
    assert "s3cret" not in f"{raised.value.message} {raised.value.hint}"


def test_a_server_of_ours_is_reached_on_loopback(tmp_path):
    profile = add_lite(tmp_path, "lite")
    assert endpoint_of(profile, fallback_token=Secret("abc")).uri == f"http://127.0.0.1:{profile.ports['proxy']}"
    assert not endpoint_of(profile, fallback_token=Secret("abc")).token


def test_renewed_ports_are_others_and_kept(tmp_path):
    profile = add_lite(tmp_path, "lite")
    renewed = renew_ports(tmp_path, profile)
    assert renewed.ports != profile.ports
    assert read_profile(tmp_path, "lite") == renewed == dataclasses.replace(profile, ports=renewed.ports)


@pytest.mark.parametrize("change", [{"kind": "cloud"}, {"colour": "red"}, {"name": None}], ids=str)
def test_a_profile_that_was_edited_badly_is_named_with_its_path(tmp_path, change):
    path = add_lite(tmp_path, "lite").folder / "profile.json"
    values = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    with pytest.raises(ConfigError, match=r"lite/profile\.json is no profile"):
        list_profiles(tmp_path)


def test_a_profile_of_a_newer_milvuslab_is_refused(tmp_path):
    path = add_lite(tmp_path, "lite").folder / "profile.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ConfigError, match=r"profile\.json has format 99"):
        read_profile(tmp_path, "lite")
