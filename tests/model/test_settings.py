"""Where a setting comes from, what it may be, and that secrets stay secret."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from milvuslab.model.errors import ConfigError
from milvuslab.model.settings import PLACEHOLDER_SECRETS, SETTINGS, Secret, environment_name, resolve

HOME = {"HOME": "/home-of-kim"}


def test_without_anything_the_defaults_hold():
    settings = resolve(environment=HOME)
    assert settings.server == "standalone"
    assert settings.home_dir == Path("/home-of-kim/.local/share/milvuslab")
    assert settings.cache_dir == Path("/home-of-kim/.cache/milvuslab")
    assert set(settings.origins.values()) == {"default"}
    assert set(settings.values) == set(SETTINGS)


def test_flag_over_environment_over_file_over_default():
    file, environment = {"retry_count": 1, "server": "from-file"}, {**HOME, "MILVUSLAB_RETRY_COUNT": "2"}
    settings = resolve(flags={"retry_count": 3, "server": None}, environment=environment, file=file)
    assert (settings.retry_count, settings.origins["retry_count"]) == (3, "flag")
    assert (settings.server, settings.origins["server"]) == ("from-file", "file")
    settings = resolve(environment=environment, file=file)
    assert (settings.retry_count, settings.origins["retry_count"]) == (2, "environment")
    assert settings.origins["call_timeout_s"] == "default"


def test_data_folders_follow_xdg_when_absolute():
    settings = resolve(environment={**HOME, "XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "cache"})
    assert settings.home_dir == Path("/data/milvuslab")
    assert settings.cache_dir == Path("/home-of-kim/.cache/milvuslab")


@pytest.mark.parametrize("text, path", [("~/lab", "/home-of-kim/lab"), ("~", "/home-of-kim"), ("/srv/lab", "/srv/lab")])
def test_paths_begin_at_the_home_that_is_given(text, path):
    assert resolve(environment={**HOME, "MILVUSLAB_HOME_DIR": text}).home_dir == Path(path)


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve(environment=HOME, file={"cache_dir": "here"}).cache_dir == tmp_path / "here"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_every_row_is_sound(setting):
    assert setting.help.endswith(".") or (setting.help.endswith("'.") and setting.help[0].isupper())
    assert setting.name == setting.name.lower()
    if setting.default is not None:
        assert isinstance(setting.default, setting.kind)
    if setting.kind in (int, float):
        assert setting.minimum <= setting.default <= setting.maximum
        assert not setting.choices


@pytest.mark.parametrize("setting", [s for s in SETTINGS.values() if s.kind in (int, float)], ids=lambda s: s.name)
def test_limits_hold_at_both_ends(setting):
    for value in (setting.minimum, setting.maximum):
        assert getattr(resolve(environment=HOME, file={setting.name: setting.kind(value)}), setting.name) == value
    for value in (setting.minimum - 1, setting.maximum + 1):
        with pytest.raises(ConfigError, match=setting.name):
            resolve(environment=HOME, file={setting.name: setting.kind(value)})


@pytest.mark.parametrize("word", ["1", "true", "YES", " on "])
def test_words_for_yes(word):
    assert resolve(environment={**HOME, "MILVUSLAB_OFFLINE": word}).offline is True


@pytest.mark.parametrize("word", ["0", "False", "no", "off"])
def test_words_for_no(word):
    assert resolve(environment={**HOME, "MILVUSLAB_OFFLINE": word}).offline is False


@pytest.mark.parametrize(
    "name, value",
    [
        ("offline", "perhaps"),
        ("offline", 1.5),
        ("retry_count", "three"),
        ("retry_count", 2.5),
        ("retry_count", True),
        ("retry_count", "1" + "0" * 400),
        ("retry_count", "1" + "0" * 5000),
        ("call_timeout_s", "nan"),
        ("call_timeout_s", "inf"),
        ("call_timeout_s", [1]),
        ("call_timeout_s", 10**400),
        ("home_dir", ""),
        ("home_dir", "a\0b"),
        ("server", 5),
    ],
)
def test_values_of_the_wrong_kind_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} in the project file is") as caught:
        resolve(environment=HOME, file={name: value})
    assert caught.value.exit_code == 2
    assert caught.value.hint == SETTINGS[name].help
    assert len(caught.value.message) < 700


def test_the_message_names_the_place():
    with pytest.raises(ConfigError, match=r"^MILVUSLAB_STUDIO_PORT is 'x', which is no whole number$"):
        resolve(environment={**HOME, "MILVUSLAB_STUDIO_PORT": "x"})
    with pytest.raises(ConfigError, match=r"^--studio-port is 70000, more than 65,535$"):
        resolve(flags={"studio_port": 70000}, environment=HOME)


@pytest.mark.parametrize(
    "given", [{"flags": {"serverr": "a"}}, {"file": {"serverr": "a"}}, {"environment": {"MILVUSLAB_SERVERR": "a"}}]
)
def test_an_unknown_name_is_refused_with_the_nearest(given):
    with pytest.raises(ConfigError, match="no setting serverr") as caught:
        resolve(**given)
    assert caught.value.hint == "did you mean server?"


def test_the_test_suites_own_variables_are_no_settings():
    resolve(environment={**HOME, "MILVUSLAB_TEST_URI": "http://x", "MILVUSLAB_REQUIRE_ALL": "1"})


def test_environment_names_are_the_names_in_capitals():
    settings = {environment_name(name): name for name in SETTINGS}
    assert settings["MILVUSLAB_STUDIO_KEY"] == "studio_key"
    assert len(settings) == len(SETTINGS)


def test_an_unknown_attribute_is_an_attribute_error():
    settings = resolve(environment=HOME)
    with pytest.raises(AttributeError, match="no setting servr"):
        settings.servr  # noqa: B018
    assert not hasattr(settings, "__deepcopy__")


SECRET_NAMES = [setting.name for setting in SETTINGS.values() if setting.kind is Secret]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_secrets_show_in_no_text(name):
    settings = resolve(environment={**HOME, environment_name(name): "correct-horse"})
    assert getattr(settings, name).reveal() == "correct-horse"
    for text in (repr(settings), str(settings), f"{getattr(settings, name)}", format(getattr(settings, name), "")):
        assert "correct-horse" not in text
    assert "***" in repr(settings)


@pytest.mark.parametrize("placeholder", sorted(PLACEHOLDER_SECRETS))
def test_secrets_that_everybody_knows_are_refused(placeholder):
    with pytest.raises(ConfigError, match=r"^MILVUSLAB_STUDIO_KEY is a secret that everybody knows$"):
        resolve(environment={**HOME, "MILVUSLAB_STUDIO_KEY": placeholder.upper()})


def test_a_wrong_secret_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        resolve(environment=HOME, file={"studio_key": 123456789})
    assert "123456789" not in str(caught.value.as_dict())


def test_a_secret_does_not_leave_by_the_usual_ways():
    @dataclasses.dataclass
    class Holder:
        key: Secret

    secret = Secret("correct-horse")
    assert "correct-horse" not in f"{secret!r} {secret} {Holder(secret)} {[secret]} {{'a': secret}}"
    for leave in (pickle.dumps, json.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_value_and_only_with_secrets():
    assert Secret("a") == Secret("a") and hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b") and Secret("a") != "a"
    assert Secret("a") and not Secret("")
    assert str(Secret("")) == "" and repr(Secret("")) == "Secret('')"
