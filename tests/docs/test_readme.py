"""The two READMEs say the same things in the same order."""

from tests.docs.markdown import fences_of, headings_of, links_of
from tests.house.source import ROOT_DIR

ENGLISH = (ROOT_DIR / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT_DIR / "README.ko.md").read_text(encoding="utf-8")


def test_headings_have_the_same_levels():
    assert [level for level, _ in headings_of(ENGLISH)] == [level for level, _ in headings_of(KOREAN)]


def test_code_blocks_are_identical():
    assert fences_of(ENGLISH) == fences_of(KOREAN)
    assert fences_of(ENGLISH)


def test_links_are_the_same_apart_from_the_switch_of_language():
    assert links_of(ENGLISH)[0] == "README.ko.md" and links_of(KOREAN)[0] == "README.md"
    assert links_of(ENGLISH)[1:] == links_of(KOREAN)[1:]


def test_lists_are_equally_long():
    def count(text):
        return [line[:2] for line in text.splitlines() if line.startswith("- ")]

    assert count(ENGLISH) == count(KOREAN)


def test_the_korean_one_is_korean():
    hangul = sum("가" <= letter <= "힣" for letter in KOREAN)
    assert hangul > 400
    assert not any("가" <= letter <= "힣" for letter in ENGLISH.replace("한국어", ""))
