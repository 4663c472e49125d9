"""Judged queries: each form is read, what is wrong in one is said with its line."""

import pytest

from milvuslab.data.judgements import Judgements, read_judgements, write_beir
from milvuslab.model.errors import NotFoundError, SchemaError, UsageError

JUDGED = Judgements(queries={"q1": "표 만들기", "q2": "volcano"}, relevant={"q1": {"a": 1}, "q2": {"b": 2, "c": 0}})


def test_a_beir_folder_comes_back_as_it_was_written(tmp_path):
    write_beir(tmp_path / "set", JUDGED, corpus={"a": {"title": "", "text": "표"}})
    assert read_judgements(tmp_path / "set") == JUDGED
    with pytest.raises(NotFoundError, match=r"qrels/dev\.tsv"):
        read_judgements(tmp_path / "set", split="dev")


@pytest.mark.parametrize(
    "topics",
    [
        "q1\t표 만들기\nq2\tvolcano\n",
        '<topics>\n<topic number="q1"><query>표 만들기</query></topic>\n<topic number="q2"><query>volcano</query></topic></topics>',
        "<top>\n<num> Number: q1\n<title> 표\n 만들기\n<desc> Description:\nx\n</top>\n<top>\n<num>q2<title>Topic: volcano</top>",
    ],
    ids=["tsv", "xml", "old xml"],
)
def test_trec_files_are_read_with_their_topics(tmp_path, topics):
    (tmp_path / "qrels").write_text("q1 0 a 1\nq2 0 b 2\nq2 Q0 c 0\n", "utf-8")
    (tmp_path / "topics").write_text(topics, "utf-8")
    assert read_judgements(tmp_path / "qrels", topics=tmp_path / "topics") == JUDGED
    with pytest.raises(UsageError, match="not what was asked"):
        read_judgements(tmp_path / "qrels")


def test_a_file_of_ones_own_holds_a_query_on_each_line(tmp_path):
    lines = '{"query": "표 만들기", "relevant": ["a"], "query_id": "q1"}\n\n{"query": "volcano", "relevant": {"b": 2, "c": 0}}\n'
    (tmp_path / "mine.jsonl").write_text(lines, "utf-8")
    found = read_judgements(tmp_path / "mine.jsonl")
    assert found.queries == {"q1": "표 만들기", "3": "volcano"} and found.relevant["3"] == {"b": 2, "c": 0}


def test_queries_without_anything_relevant_are_left_out_and_counted():
    found = Judgements(
        queries={"a": "x", "b": "y", "c": "z"}, relevant={"a": {"d": 1}, "b": {"d": 0}, "gone": {"d": 1}}
    )
    assert (set(found.queries), found.unjudged_count) == ({"a"}, 3)
    with pytest.raises(UsageError, match="no query"):
        Judgements(queries={"a": "x"}, relevant={"b": {"d": 1}})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mine.jsonl", '{"query": "a", "relevant": ["d"]}\n{"query": 1}\n', "mine.jsonl:2: write it as"),
        ("mine.jsonl", '{"query": "a", "relevant": {"d": 0.5}}\n', "mine.jsonl:1: `relevant`"),
        ("mine.jsonl", "\n[1]\n", "mine.jsonl:2: each line is a JSON object"),
        ("mine.jsonl", "{\n", "mine.jsonl:1: no JSON"),
        ("set/queries.jsonl", '{"_id": "q1", "text": "a"}\n{"_id": "q1", "text": "b"}\n', "queries.jsonl:2: query q1 comes twice"),
        ("set/queries.jsonl", '{"_id": 7, "text": "a"}\n', "queries.jsonl:1: a query needs"),
        ("set/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\ta\t1\n", r"test.tsv:3: document a is judged twice"),
        ("set/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\ta\n", "test.tsv:2: 'q1.*is not"),
        ("qrels", "q1 0 a 1\nq1 0 b high\n", "qrels:2: 'q1 0 b high' is not"),
        ("topics", "q1\tx\nq2\n", "topics:2: 'q2' is not"),
        ("topics", "<topics>\n<topic number='1'>\n</topics>", "topics:3: no XML"),
        ("topics", "<topics>\n<topic number='1'></topic>\n</topics>", "topics:2: a topic has no number"),
        ("topics", "<!DOCTYPE x><topics></topics>", "declares a document type"),
        ("topics", "<topics></topics>", "holds no topic"),
        ("topics", b"q1\tx\nq2\t\xff\n", "topics:2: it is no UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path, name, content, words):
    write_beir(tmp_path / "set", JUDGED, corpus={})
    (tmp_path / "qrels").write_text("q1 0 a 1\n", "utf-8")
    (tmp_path / "topics").write_text("q1\tx\n", "utf-8")
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    path = {"mine.jsonl": "mine.jsonl", "set": "set"}.get(name.split("/")[0], "qrels")
    with pytest.raises(SchemaError, match=words):
        read_judgements(tmp_path / path, topics=tmp_path / "topics")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"no file .*gone\.jsonl"):
        read_judgements(tmp_path / "gone.jsonl")
