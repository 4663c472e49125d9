import dataclasses

import pytest

from milvuslab.apps.text.search import HitExplanation, TextAnswer, TextHit
from milvuslab.apps.text.similar import SameDocument, SimilarAnswer
from milvuslab.cli.output import cell_width
from milvuslab.cli.text.view import answer_lines, similar_lines, snippet


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
    assert lines[-1] == "1 from text_ko (e5-small), by meaning: 9 ms = embed 5 + Milvus 3 + the rest"


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


def explained(hit, **values):
    given = {
        "dense_rank": 3, "lexical_rank": 1, "dense_score": 0.61, "lexical_score": 7.5, "dense_share": 0.4,
        "lexical_share": 0.6, "matched_terms": ("피벗", "표"), "final_rank": 1, **values,
    }  # fmt: skip
    return dataclasses.replace(hit, explanation=HitExplanation(**given))


def test_an_explained_hit_says_what_each_channel_gave_and_how_it_moved():
    answer = make_answer(
        explained(make_hit("a")),
        explained(make_hit("b"), dense_rank=2, lexical_rank=None, lexical_score=None, final_rank=2, matched_terms=()),
        explained(make_hit("c"), dense_rank=None, dense_score=None, final_rank=3, matched_terms=()),
        explained(make_hit("d"), dense_rank=1, final_rank=4, matched_terms=()),
    )
    answer = dataclasses.replace(answer, channel="hybrid", lexical_ms=2.2, fuse_ms=1.0)
    lines = [line.strip() for line in answer_lines(answer, width=100, is_color=False, is_explained=True)]
    first = lines.index("by meaning: place 3, cosine 0.610, gave 40% of the score")
    assert lines[first + 1 : first + 4] == [
        "by words: place 1, BM25 7.500, gave 60% of the score",
        "place 1, words moved it up by 2",
        "words: 피벗, 표",
    ]
    assert "by words: not among the candidates" in lines
    assert "place 2, where meaning alone puts it" in lines
    assert "place 3, by words alone" in lines
    assert "place 4, words moved it down by 3" in lines
    assert lines[-1] == (
        "4 from text_ko (e5-small), by meaning and words: "
        "9 ms = embed 5 + Milvus 3, meanwhile words 2, then merge 1 + the rest"
    )
    assert not any("place" in line for line in answer_lines(answer, width=100, is_color=False))


def test_an_answer_says_why_words_were_not_searched():
    answer = dataclasses.replace(make_answer(), note="this server makes no vectors of words")
    lines = list(answer_lines(answer, width=80, is_color=False, is_explained=True))
    assert lines[-1] == "not searched by words: this server makes no vectors of words"
    assert "by meaning" in list(answer_lines(answer, width=80, is_color=False))[-1]


def test_a_search_by_words_alone_tells_its_own_times():
    answer = dataclasses.replace(make_answer(explained(make_hit("a"))), channel="lexical", lexical_ms=4.0)
    lines = [line.strip() for line in answer_lines(answer, width=100, is_color=False, is_explained=True)]
    assert lines[-1] == "1 from text_ko (e5-small), by words: 9 ms = words 4 (of them Milvus 3) + the rest"
    assert not any(line.startswith("by meaning") for line in lines)


def test_similar_documents_name_their_copies():
    copy = SameDocument(document_id="d2", title="사본", source="mirror", url="", overlap=0.914)
    answer = SimilarAnswer(
        collection="text_ko", encoder="e5-small", document_id="d0", hits=(make_hit("벡터"),), diversity=0.0,
        also_at={"d0": (copy,), "d1": (copy,)}, embed_ms=2.0, milvus_ms=3.0, total_ms=6.0,
    )  # fmt: skip
    lines = list(similar_lines(answer, width=80, is_color=False))
    assert lines[0] == "copies of it: 사본 | mirror | d2 (91% of the words)"
    assert lines[1] == " 1. 제목  (0.812)"
    assert "    also at: 사본 | mirror | d2 (91% of the words)" in lines
    assert lines[-1] == "1 from text_ko (e5-small): 6 ms = read 2 + Milvus 3 + the rest"
    nothing = dataclasses.replace(answer, hits=(), also_at={})
    assert next(iter(similar_lines(nothing))) == "nothing similar in text_ko"
