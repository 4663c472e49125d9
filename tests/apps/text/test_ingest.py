"""A load may be repeated, interrupted and killed: each document stands once and whole."""

from __future__ import annotations

import pytest

from milvuslab.apps.text.document import add_document, collect_text_stats, delete_document, get_document
from milvuslab.apps.text.ingest import IngestReport, ingest_documents
from milvuslab.apps.text.passages import compute_document_id
from milvuslab.data.document import Item
from milvuslab.model.errors import NotFoundError

LONG = " ".join(f"Sentence number {n} says something about topic {n % 7}." for n in range(30))


def items(documents):
    return [Item(document, resume_token=str(n)) for n, document in enumerate(documents, 1)]


def counts(report: IngestReport) -> tuple[int, int, int]:
    return report.added_count, report.replaced_count, report.unchanged_count


def test_the_same_load_twice_changes_nothing(collection, make_document) -> None:
    documents = [make_document(f"d{n}", f"{LONG} And {n}.") for n in range(5)]
    first = ingest_documents(collection, items(documents))
    assert counts(first) == (5, 0, 0)
    assert collect_text_stats(collection).passage_count == first.passage_count > 20
    second = ingest_documents(collection, items(documents))
    assert counts(second) == (0, 0, 5)
    assert second.passage_count == 0
    stats = collect_text_stats(collection)
    assert (stats.document_count, stats.passage_count) == (5, first.passage_count)


def test_a_document_that_grew_shorter_leaves_no_old_passage(collection, make_document) -> None:
    ingest_documents(collection, items([make_document("d", LONG, url="https://example.org/1")]))
    report = ingest_documents(collection, items([make_document("d", "Short now.", url="https://example.org/2")]))
    assert counts(report) == (0, 1, 0)
    stored = get_document(collection, compute_document_id("tests", "d"))
    assert (stored.text, stored.passage_count, stored.url) == ("Short now.", 1, "https://example.org/2")
    assert collect_text_stats(collection).passage_count == 1


def test_a_new_address_of_the_same_text_is_a_change(collection, make_document) -> None:
    ingest_documents(collection, items([make_document("d", "Text.", published_at_s=5)]))
    assert counts(ingest_documents(collection, items([make_document("d", "Text.", published_at_s=6)]))) == (0, 1, 0)
    assert get_document(collection, compute_document_id("tests", "d")).published_at_s == 6


def test_equal_content_under_two_ids_is_kept_and_reported(collection, make_document) -> None:
    twins = [make_document("a", LONG, title="t"), make_document("b", LONG, title="t"), make_document("c", "Other.")]
    report = ingest_documents(collection, items(twins))
    a, b = (compute_document_id("tests", name) for name in "ab")
    assert (report.duplicate_count, report.duplicates) == (1, ((b, a),))
    later = ingest_documents(collection, items([make_document("z", LONG, title="t")]))
    assert later.duplicate_count == 1
    assert collect_text_stats(collection).document_count == 4


def test_an_id_that_comes_twice_in_a_load_stands_once_with_the_last_content(collection, make_document) -> None:
    report = ingest_documents(collection, items([make_document("a", "First."), make_document("a", "Second.")]))
    assert (report.document_count, report.added_count, report.repeated_id_count) == (2, 1, 1)
    assert get_document(collection, compute_document_id("tests", "a")).text == "Second."


def test_an_interrupted_load_goes_on_from_its_checkpoint(collection, make_document) -> None:
    documents = [make_document(f"d{n}", f"{LONG} And {n}.") for n in range(9)]
    reached: list[tuple[str, IngestReport]] = []

    def stop_after_two_batches(token: str, report: IngestReport) -> None:
        reached.append((token, report))
        if len(reached) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_documents(collection, items(documents), batch_documents=2, on_checkpoint=stop_after_two_batches)
    token, before = reached[-1]
    assert (token, before.document_count) == ("4", 4)
    report = ingest_documents(collection, items(documents)[int(token) :], batch_documents=2, before=before)
    assert (report.document_count, report.added_count) == (9, 9)
    assert collect_text_stats(collection).passage_count == report.passage_count


def test_a_document_is_read_back_as_it_was(collection, make_document) -> None:
    text = "첫 문장입니다. 두 번째 문장입니다.\n\nAn English paragraph follows here. " * 6
    document = make_document("mixed", text, title="섞인 글", language="ko", url="https://example.org/a?b=1&c=2")
    key = add_document(collection, document)
    stored = get_document(collection, key)
    assert stored.passage_count > 3
    assert " ".join(stored.text.split()) == " ".join(document.text.split())
    assert (stored.title, stored.language, stored.origin_id) == ("섞인 글", "ko", "mixed")


def test_a_deleted_document_is_gone_and_only_it(collection, make_document) -> None:
    keep, drop = (add_document(collection, make_document(name, f"{LONG} {name}")) for name in ("keep", "drop"))
    passages = get_document(collection, drop).passage_count
    assert delete_document(collection, drop) == passages
    with pytest.raises(NotFoundError):
        get_document(collection, drop)
    with pytest.raises(NotFoundError):
        delete_document(collection, drop)
    assert get_document(collection, keep).passage_count > 1
    assert collect_text_stats(collection).document_count == 1


def test_a_deleted_document_can_come_back(collection, make_document) -> None:
    document = make_document("d", LONG)
    key = add_document(collection, document)
    delete_document(collection, key)
    assert add_document(collection, document) == key
    assert get_document(collection, key).passage_count > 1
