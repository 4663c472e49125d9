import pytest

from milvuslab.apps.text.search import TextAnswer, TextHit
from milvuslab.cli.output import cell_width
from milvuslab.cli.text.view import answer_lines, snippet


def make_hit(text, highlights=(), title="제목"):
    return TextHit(
        document_id="d1",
        passage_id="d1-0",
        ordinal=0,
        start=0,
        title=title,
        text=text,
        language="ko",
        source="help",
        url="https://example.org/a",
        published_at_s=86_400,
        score=0.8125,
        highlights=highlights,
    )


def make_answer(*hits):
    return TextAnswer(collection="text_ko", encoder="e5-small", hits=hits, embed_ms=5.2, milvus_ms=3.1, total_ms=9.0)


def test_a_hit_shows_number_title_score_passage_and_source():
    lines = list(answer_lines(make_answer(make_hit("벡터를 찾는 법", ((0, 2),))), width=80, is_color=False))
    assert lines[0] == " 1. 제목  (0.812)"
    assert lines[1] == "    [벡터]를 찾는 법"
    assert lines[2] == "    ko | help | 1970-01-02 | https://example.org/a | d1"
    assert lines[-1] == "1 from text_ko (e5-small): 9 ms = embed 5 + Milvus 3 + the rest"


@pytest.mark.parametrize("width", [30, 44, 80])
def test_passages_fold_within_the_columns(width):
    text = "데이터베이스는 벡터를 빠르게 찾는다 and mixes English words into it " * 4
    lines = list(answer_lines(make_answer(make_hit(text, ((8, 10), (70, 77)))), width=width, is_color=False))
    passage = [line for line in lines[1:-3] if line]
    assert len(passage) > 2
    assert all(cell_width(line) <= width for line in passage)


def test_marks_are_colours_at_a_terminal():
    line = list(answer_lines(make_answer(make_hit("a vector b", ((2, 8),))), width=80, is_color=True))[1]
    assert line == "    a \x1b[1;33mvector\x1b[0m b"


def test_a_long_passage_begins_near_its_first_mark():
    text = "word " * 200 + "needle " + "word " * 200
    at = text.index("needle")
    pieces = snippet(text, ((at, at + 6),), limit_chars=100)
    assert pieces[0][0].startswith("… ")
    assert ("needle", True) in pieces
    assert pieces[-1][0].endswith(" …")
    assert sum(len(piece) for piece, _ in pieces) <= 110


def test_every_mark_that_is_shown_is_whole():
    text = "alpha beta gamma delta"
    pieces = snippet(text, ((0, 5), (11, 16)))
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_marked in pieces if is_marked] == ["alpha", "gamma"]


def test_nothing_found_is_said():
    assert next(answer_lines(make_answer(), width=80, is_color=False)) == "nothing found in text_ko"
