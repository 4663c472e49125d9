"""Both languages say everything, and nothing is kept that no page says."""

import ast
import importlib
import re
import string
from pathlib import Path

import pytest

import milvuslab.studio
from milvuslab.studio.words.words import LANGUAGES, WORDS, Words, choose_language

ROOM = Path(milvuslab.studio.__file__).parent


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def strings_of(path):
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_both_languages_have_the_same_keys_and_places():
    assert set(WORDS) == set(LANGUAGES)
    assert set(WORDS["en"]) == set(WORDS["ko"])
    for key, text in WORDS["en"].items():
        assert placeholders(text) == placeholders(WORDS["ko"][key]), key


@pytest.mark.parametrize("language", ["english", "korean"])
def test_no_page_says_what_another_page_says(language):
    names = [path.stem for path in (ROOM / "words" / language).glob("*.py") if path.stem != "__init__"]
    tables = [importlib.import_module(f"milvuslab.studio.words.{language}.{name}").WORDS for name in names]
    keys = [key for table in tables for key in table]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(WORDS[{"english": "en", "korean": "ko"}[language]])


def test_every_key_is_used_and_every_used_key_is_there():
    tables = {path for language in ("english", "korean") for path in (ROOM / "words" / language).rglob("*.py")}
    said = set().union(*(strings_of(path) for path in ROOM.rglob("*.py") if path not in tables))
    assert sorted(set(WORDS["en"]) - said) == []
    prefixes = {key.split(".")[0] for key in WORDS["en"]}
    looks_like_key = {text for text in said if re.fullmatch(rf"({'|'.join(prefixes)})\.[a-z_]+", text)}
    assert sorted(looks_like_key - set(WORDS["en"])) == []


def test_korean_is_korean():
    names = {"home.api", "api.heading", "kind.lite", "timing.milvus", "home.version", "nav.api"}
    assert [key for key, text in WORDS["ko"].items() if key not in names and not re.search("[가-힣]", text)] == []


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "ko-KR,ko;q=0.9", "ko"),
        ("", "fr,ko;q=0.5,en;q=0.1", "ko"),
        ("en", "ko", "en"),
        ("xx", "ko", "ko"),
        ("", "*", "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(cookie, accepted, language):
    assert choose_language(cookie=cookie, accepted=accepted) == language


def test_numbers_read_well():
    words = Words("en")
    assert [words.size(size) for size in (1_500, 287_000_000, 2_100_000_000)] == ["2 kB", "287 MB", "2.1 GB"]
    assert [words.duration(seconds) for seconds in (12, 200, 9_000)] == ["12 s", "3 min", "2.5 h"]
    assert words.milliseconds(4.68) == "4.7 ms"
    assert Words("ko").day(990_057_600) == "2001년 5월 17일"
    assert words.day(-86_400) == "1969-12-31"
