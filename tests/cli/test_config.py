from milvuslab.model.settings import SETTINGS
from tests.cli.conftest import write_project


def test_every_setting_has_a_value_and_an_origin(run, monkeypatch):
    monkeypatch.setenv("MILVUSLAB_CALL_TIMEOUT_S", "7.5")
    write_project('studio_port = 9000\nserver = "lite"\n')
    settings = {one["name"]: one for one in run("config", "show", "--server", "scratch", "--json").value["settings"]}
    assert list(settings) == list(SETTINGS)
    assert (settings["call_timeout_s"]["value"], settings["call_timeout_s"]["origin"]) == (7.5, "environment")
    assert (settings["studio_port"]["value"], settings["studio_port"]["origin"]) == (9000, "file")
    assert (settings["server"]["value"], settings["server"]["origin"]) == ("scratch", "flag")
    assert settings["retry_count"]["origin"] == "default"


def test_secrets_are_masked(run, monkeypatch):
    monkeypatch.setenv("MILVUSLAB_REMOTE_TOKEN", "kx82-very-private")
    for words in (["config", "show"], ["config", "show", "--json"]):
        ran = run(*words)
        assert "kx82" not in ran.out + ran.err
        assert "***" in ran.out


def test_the_table_names_the_origin(run):
    line = next(line for line in run("config", "show").out.splitlines() if line.startswith("home_dir"))
    assert line.split()[-1] == "environment"


def test_a_relative_folder_is_below_the_project(run, tmp_path):
    write_project("")
    settings = run("config", "show", "--cache-dir", "here", "--json").value["settings"]
    value = next(one["value"] for one in settings if one["name"] == "cache_dir")
    assert value == str(tmp_path / "project" / "here")
