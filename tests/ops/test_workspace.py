import pytest

from milvuslab.model.errors import ConfigError, NotFoundError, UnreachableError
from milvuslab.ops.workspace import open_workspace


def open_in(folder, environment=None, **flags):
    return open_workspace(flags=flags, environment={"HOME": str(folder), **(environment or {})}, folder=folder)


def test_flag_beats_environment_beats_file_beats_default(tmp_path):
    (tmp_path / "milvuslab.toml").write_text("retry_count = 1\nstudio_port = 1111\nserver = 'lite'\n")
    environment = {"MILVUSLAB_RETRY_COUNT": "2", "MILVUSLAB_STUDIO_PORT": "2222"}
    settings = open_in(tmp_path, environment, retry_count="3").settings
    assert (settings.retry_count, settings.studio_port, settings.server) == (3, 2222, "lite")
    assert settings.call_timeout_s == 10.0


def test_folders_are_absolute(tmp_path):
    (tmp_path / "milvuslab.toml").write_text("home_dir = 'here'\n")
    workspace = open_in(tmp_path)
    assert workspace.settings.home_dir == tmp_path / "here"
    assert workspace.settings.cache_dir == tmp_path / ".cache" / "milvuslab"


@pytest.mark.parametrize("name", ["home_dir", "cache_dir"])
def test_a_folder_that_is_a_file_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="no folder"):
        open_in(tmp_path, **{name: tmp_path / "file"})


def test_no_project_file_is_no_error_and_opening_makes_nothing(tmp_path):
    assert open_in(tmp_path).project_file is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["a = ", "no_such_setting = 1", "retry_count = 'many'", "\udcff"])
def test_a_wrong_project_file_is_a_config_error(tmp_path, text):
    (tmp_path / "milvuslab.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        open_in(tmp_path)
    assert caught.value.hint


def test_a_child_gets_our_settings_and_the_rest_of_the_environment(tmp_path):
    (tmp_path / "milvuslab.toml").write_text("call_timeout_s = 3.5\n")
    environment = {
        "LANG": "C",
        "MILVUSLAB_REMOTE_TOKEN": "kx82-private",
        "MILVUSLAB_TEST_URI": "http://x",
        "MILVUSLAB_RETRY_COUNT": "1",
    }
    workspace = open_in(tmp_path, environment, retry_count="2")
    child = workspace.child_environment({"studio_port": "9001"})
    assert child["LANG"] == "C"
    assert child["MILVUSLAB_REMOTE_TOKEN"] == "kx82-private"
    assert (child["MILVUSLAB_RETRY_COUNT"], child["MILVUSLAB_CALL_TIMEOUT_S"]) == ("2", "3.5")
    assert child["MILVUSLAB_STUDIO_PORT"] == "9001"
    assert "MILVUSLAB_TEST_URI" not in child
    assert "kx82" not in repr(workspace)
    again = open_workspace(environment=child, folder=tmp_path / "elsewhere").settings
    expected = {**workspace.settings.values, "studio_port": 9001}
    assert again.values == expected


def test_an_unknown_server_is_named_with_what_there_is(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        open_in(tmp_path).connect("standalon")
    assert "did you mean standalone?" in caught.value.hint


def test_a_default_server_that_was_never_started_says_how(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        open_in(tmp_path).connect()
    assert caught.value.hint == "milvuslab server start standalone"


def test_a_stopped_server_says_how_to_start_it(tmp_path):
    from milvuslab.ops.servers import add_server

    workspace = open_in(tmp_path)
    add_server(workspace, "scratch", kind="lite")
    with pytest.raises(UnreachableError) as caught:
        workspace.connect("scratch")
    assert caught.value.hint == "milvuslab server start scratch"
    assert workspace.endpoint_of("scratch").uri.startswith("http://127.0.0.1:")
