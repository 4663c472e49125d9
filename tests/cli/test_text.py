"""The commands that talk to a server, on a real Milvus Lite with the real English encoder."""

import io
import json
import sys

import pytest

NAME = "cli_notes"
NOTES = {
    "volcano.txt": "Volcanoes form where molten rock rises through the crust. Lava cools into new land.",
    "bread.txt": "Bread rises because yeast turns sugar into gas. The dough rests before it is baked.",
    "harbour.txt": "The harbour was closed after the storm. Ships waited outside until the wind fell.",
}


@pytest.fixture
def on_lite(run, monkeypatch, server_settings, lite_endpoint):
    """Commands on the shared Lite server."""
    monkeypatch.setenv("MILVUSLAB_HOME_DIR", str(server_settings.home_dir))
    monkeypatch.setenv("MILVUSLAB_CACHE_DIR", str(server_settings.cache_dir))
    monkeypatch.setenv("MILVUSLAB_SERVER", "lite")
    yield run
    run("collection", "drop", NAME, "--yes")


@pytest.fixture
def loaded(on_lite, tmp_path):
    """A collection of three notes."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text, encoding="utf-8")
    ran = on_lite(
        "text", "ingest", folder, "--language", "en", "--collection", NAME, "--encoder", "minilm", "--restart", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.value["ingest"]["added_count"] == 3
    return on_lite


def find(run, question, *options):
    return run("text", "search", question, "--collection", NAME, "--json", *options).value["hits"]


def test_a_question_finds_the_passage_that_answers_it(loaded):
    hits = find(loaded, "how does magma become land", "--limit", "2")
    assert "Volcanoes" in hits[0]["text"]
    assert len(hits) == 2
    assert hits[0]["score"] > hits[1]["score"]


def test_a_person_reads_numbered_hits_and_the_time(loaded):
    out = loaded("text", "search", "why does dough rise", "--collection", NAME).out
    assert out.startswith(" 1. Bread rises because yeast")
    assert out.splitlines()[-1].startswith(f"3 from {NAME} (minilm), by meaning and words: ")
    assert "embed" in out and "Milvus" in out


@pytest.mark.parametrize(
    "options, count",
    [(["--language", "ko"], 0), (["--min-score", "0.99"], 0), (["--source", "nothing"], 0), (["--language", "en"], 3)],
    ids=str,
)
def test_filters_hold(loaded, options, count):
    assert len(find(loaded, "ships", *options)) == count


def test_nothing_found_is_said(loaded):
    out = loaded("text", "search", "ships", "--collection", NAME, "--language", "ko").out
    assert out.startswith(f"nothing found in {NAME}\n")


def test_one_document_is_found_read_compared_and_deleted(loaded):
    document_id = find(loaded, "harbour storm")[0]["document_id"]
    got = loaded("text", "get", document_id)
    assert got.out.startswith("The harbour was closed")
    assert NOTES["harbour.txt"] in got.out
    assert loaded("text", "get", document_id, "--json").value["text"] == NOTES["harbour.txt"]
    similar = loaded("text", "similar", document_id, "--json").value["hits"]
    assert document_id not in {hit["document_id"] for hit in similar} and len(similar) == 2
    wide = loaded("text", "similar", document_id, "--diversity", "0.5", "--all-copies", "--limit", "1")
    assert " 1. " in wide.out and f"1 from {NAME}" in wide.out
    across = loaded("text", "search", "ships", "--across")
    assert across.code == 2 and "--multilingual" in across.err
    assert "harbour" in loaded("text", "delete", document_id).out
    gone = loaded("text", "get", document_id)
    assert gone.code == 2 and "no collection holds" in gone.err
    assert loaded("text", "delete", document_id, "--collection", NAME).code == 2


def test_an_added_document_is_found_at_once(loaded, tmp_path):
    path = tmp_path / "glacier.txt"
    path.write_text("Glaciers are rivers of ice that carve valleys.", encoding="utf-8")
    ran = loaded("text", "add", path, "--collection", NAME, "--language", "en", "--json")
    assert ran.code == 0, ran.err
    hit = find(loaded, "rivers of ice")[0]
    assert (hit["document_id"], hit["title"]) == (ran.value["document_id"], "glacier")
    again = loaded("text", "add", path, "--collection", NAME, "--language", "en", "--json")
    assert again.value["document_id"] == ran.value["document_id"]


def test_a_document_may_come_from_standard_input(loaded, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Foxes sleep in dens."), encoding="utf-8"))
    ran = loaded("text", "add", "-", "--collection", NAME, "--title", "Foxes", "--language", "en")
    assert ran.code == 0 and ran.out.startswith("added ")
    assert find(loaded, "where do foxes sleep")[0]["title"] == "Foxes"


@pytest.mark.parametrize(
    "content, said", [(b"", "holds no text"), (b"\xff\xfe\x00", "no UTF-8")], ids=["empty", "binary"]
)
def test_what_is_no_text_is_refused(loaded, tmp_path, content, said):
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    ran = loaded("text", "add", path, "--collection", NAME)
    assert ran.code == 2 and said in ran.err


def test_too_long_is_refused(loaded, tmp_path, monkeypatch):
    monkeypatch.setenv("MILVUSLAB_DOCUMENT_LIMIT_CHARS", "1000")
    monkeypatch.setenv("MILVUSLAB_QUERY_LIMIT_CHARS", "10")
    path = tmp_path / "long.txt"
    path.write_text("word " * 300, encoding="utf-8")
    for words in (["add", path], ["search", "a question that is long"]):
        ran = loaded("text", *words, "--collection", NAME)
        assert ran.code == 2 and "MILVUSLAB_" in ran.err


@pytest.mark.parametrize("day", ["yesterday", "2024-13-01"])
def test_a_wrong_day_is_refused(on_lite, day):
    ran = on_lite("text", "search", "x", "--after", day)
    assert ran.code == 2 and "2024-01-31" in ran.err


def test_a_second_load_writes_nothing_new(loaded, tmp_path):
    ran = loaded("text", "ingest", tmp_path / "notes", "--language", "en", "--collection", NAME, "--json")
    assert (ran.value["ingest"]["added_count"], ran.value["ingest"]["unchanged_count"]) == (0, 3)
    assert ran.out.startswith("{") and "embed" in ran.err, "progress goes to stderr"


def test_stats_count_documents_and_passages(loaded):
    (stats,) = loaded("text", "stats", "--collection", NAME, "--json").value["collections"]
    assert (stats["document_count"], stats["passage_count"], stats["encoder"]) == (3, 3, "minilm")
    assert NAME in loaded("text", "stats").out


def test_collections_are_listed_described_counted_and_dropped(loaded):
    listed = {one["name"]: one["row_count"] for one in loaded("collection", "list", "--json").value["collections"]}
    assert listed[NAME] == 3
    assert NAME in loaded("collection", "list").out
    described = loaded("collection", "describe", NAME)
    assert "FLOAT_VECTOR" in described.out and "dim 384" in described.out and "key" in described.out
    fields = {field["name"] for field in loaded("collection", "describe", NAME, "--json").value["fields"]}
    assert {"passage_id", "text", "vector"} <= fields
    assert loaded("collection", "count", NAME).out == "3\n"
    refused = loaded("collection", "drop", NAME)
    assert refused.code == 2 and "3 rows" in refused.err and "--yes" in refused.err
    assert loaded("collection", "drop", NAME, "--yes").code == 0
    gone = loaded("collection", "count", NAME)
    assert gone.code == 2 and NAME in gone.err


def test_a_missing_collection_is_a_clear_error(on_lite):
    for words in (["collection", "describe", "cli_none"], ["text", "search", "x", "--collection", "cli_none"]):
        ran = on_lite(*words)
        assert ran.code == 2 and "cli_none" in ran.err and "\nnext: " in ran.err


def test_a_server_that_is_down_is_exit_code_3(run):
    assert run("server", "add", "scratch", "--kind", "lite").code == 0
    ran = run("collection", "list", "--server", "scratch", "--json")
    assert ran.code == 3
    assert json.loads(ran.err)["hint"] == "milvuslab server start scratch"
