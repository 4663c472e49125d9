"""A document is replaced at once: whoever reads meanwhile sees the old one or the new one, whole."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
import sys
import threading

import pytest

from milvuslab.apps.text.collection import (
    PassageCut,
    create_text_collection,
    open_text_collection,
    text_collection_spec,
)
from milvuslab.apps.text.document import add_document, collect_text_stats, delete_document, get_document
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.passages import compute_document_id
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.data.document import Item
from milvuslab.gateway import connect
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import LimitError, NotFoundError
from milvuslab.model.filter import where
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

EDITION_COUNT = 32
KEY = compute_document_id("tests", "notice")


def write_edition(collection, make_document, edition: int) -> None:
    # Editions differ in length, so a mixture shows in the count of passages too.
    text = " ".join(f"Edition {edition} says that part {part} opens." for part in range(4 + edition % 5))
    add_document(collection, make_document("notice", text))


def editions_in(texts) -> set[str]:
    return set(re.findall(r"Edition (\d+)", " ".join(texts)))


def fetch_rows(collection, *, consistency=None):
    """Revision, passage count and text of every row of the document that a reader sees."""
    found = collection.gateway.rows.query(
        collection.name,
        where=where("document_id") == KEY,
        fields=["revision", "passage_count", "text"],
        consistency=consistency,
    )
    return list(zip(found["revision"].tolist(), found["passage_count"].tolist(), found["text"], strict=True))


class Reader(threading.Thread):
    """Reads the document in every way until told to stop; keeps what it saw that nobody may see."""

    def __init__(self, collection) -> None:
        super().__init__(daemon=True)
        self.collection = collection
        self.has_ended = threading.Event()
        self.faults: list[object] = []
        self.read_count = 0
        self.seen: set[str] = set()

    def run(self) -> None:
        try:
            while not self.has_ended.is_set():
                self._look_at_rows()
                if self.seen:
                    self._look_at_document()
                    self._look_at_answer()
                self.read_count += 1
        except Exception as error:  # noqa: BLE001  a fault of the reader is a fault of the test
            self.faults.append(error)

    def _look_at_rows(self) -> None:
        # Lite answers a query part by part and no lock holds both: a row that moves meanwhile may be in neither.
        rows = fetch_rows(self.collection) or fetch_rows(self.collection)
        if not rows:
            if self.seen:
                self.faults.append("no row of the document")
            return
        newest = max(revision for revision, _, _ in rows)
        mine = [(count, text) for revision, count, text in rows if revision == newest]
        self._check([text for _, text in mine], expected_count=mine[0][0])

    def _look_at_document(self) -> None:
        stored = get_document(self.collection, KEY)
        self._check([stored.text])

    def _look_at_answer(self) -> None:
        answer = search_text(self.collection, TextQuery(text="which part opens", is_grouped=False))
        self._check([hit.text for hit in answer.hits])

    def _check(self, texts, *, expected_count=None) -> None:
        editions = editions_in(texts)
        self.seen |= editions
        if len(editions) != 1 or (expected_count is not None and len(texts) != expected_count):
            self.faults.append((editions, len(texts), expected_count))


def test_readers_never_see_a_mixture_or_a_gap_while_a_document_is_replaced(collection, make_document) -> None:
    reader = Reader(collection)
    reader.start()
    # Each row would travel alone, was a document not written with one call.
    with connect(collection.gateway.endpoint, chunk_bytes=1) as gateway:
        writing = dataclasses.replace(collection, gateway=gateway)
        for edition in range(EDITION_COUNT):
            write_edition(writing, make_document, edition)
    reader.has_ended.set()
    reader.join(30)
    assert reader.faults == []
    assert reader.read_count > 5 and len(reader.seen) > 3, (reader.read_count, reader.seen)
    rows = fetch_rows(collection, consistency=Consistency.STRONG)
    assert editions_in(text for _, _, text in rows) == {str(EDITION_COUNT - 1)}
    assert len({revision for revision, _, _ in rows}) == 1


KILLED = """
import os, signal, sys
from milvuslab.apps.text import document, ingest
from milvuslab.apps.text.collection import open_text_collection
from milvuslab.data.document import Document
from milvuslab.embed.catalog import open_encoder
from milvuslab.gateway import connect
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import resolve
uri, cache, name = sys.argv[1:]
settings = resolve(environment=dict(os.environ), flags={"cache_dir": cache})
ingest._delete = lambda collection, revisions: os.kill(os.getpid(), signal.SIGKILL)
with connect(Endpoint(uri=uri)) as gateway:
    collection = open_text_collection(gateway, name, open_encoder=lambda name: open_encoder(name, settings=settings))
    text = " ".join(f"Edition 8 says that part {part} opens." for part in range(5))
    document.add_document(
        collection, Document(document_id="notice", title="notice", text=text, language="en", source="tests")
    )
"""


def test_a_writer_killed_between_insert_and_delete_leaves_nothing_wrong(
    collection, make_document, server_settings
) -> None:
    write_edition(collection, make_document, 7)
    add_document(collection, make_document("other", "Another document stays."))
    command = [sys.executable, "-c", KILLED, collection.gateway.endpoint.uri, str(server_settings.cache_dir)]
    for clean_up in ("replaced", "deleted"):
        assert subprocess.run([*command, collection.name], check=False, timeout=120).returncode == -signal.SIGKILL
        rows = fetch_rows(collection, consistency=Consistency.STRONG)
        assert editions_in(text for _, _, text in rows) == {"7", "8"}
        assert editions_in([get_document(collection, KEY).text]) == {"8"}
        if clean_up == "deleted":
            assert delete_document(collection, KEY) > 0
            assert fetch_rows(collection, consistency=Consistency.STRONG) == []
            break
        write_edition(collection, make_document, 7)
        rows = fetch_rows(collection, consistency=Consistency.STRONG)
        assert editions_in(text for _, _, text in rows) == {"7"}
        assert len({revision for revision, _, _ in rows}) == 1
    assert collect_text_stats(collection).document_count == 1


def test_what_a_broken_replacement_left_goes_with_the_next_load_though_nothing_differs(
    collection, make_document, monkeypatch
) -> None:
    write_edition(collection, make_document, 1)
    with monkeypatch.context() as patched:
        patched.setattr("milvuslab.apps.text.ingest._delete", lambda collection, revisions: None)
        write_edition(collection, make_document, 2)
    assert len({revision for revision, _, _ in fetch_rows(collection, consistency=Consistency.STRONG)}) == 2
    write_edition(collection, make_document, 2)
    rows = fetch_rows(collection, consistency=Consistency.STRONG)
    assert (editions_in(text for _, _, text in rows), len({revision for revision, _, _ in rows})) == ({"2"}, 1)


def test_a_document_too_large_for_one_call_is_refused_before_it_is_embedded(
    lite_gateway, minilm, unique_name, make_document, monkeypatch
) -> None:
    collection = create_text_collection(lite_gateway, unique_name, encoder=minilm)
    monkeypatch.setattr("milvuslab.apps.text.ingest._DOCUMENT_BYTES_MAX", 10_000)
    large = make_document("large", "A sentence of some length stands here again. " * 300)
    with pytest.raises(LimitError, match="'large' has") as caught:
        ingest_documents(collection, [Item(large, "1")], encode=None)
    assert "document_limit_chars" in caught.value.hint
    assert collect_text_stats(collection).passage_count == 0
    lite_gateway.collections.drop(unique_name)


def test_a_collection_of_the_first_format_is_written_as_before(
    lite_gateway, minilm, unique_name, make_document
) -> None:
    spec = text_collection_spec(unique_name, fingerprint=minilm.fingerprint, cut=PassageCut(limit_tokens=24))
    stored = {**json.loads(spec.description), "version": 1}
    fields = tuple(field for field in spec.fields if field.name != "revision")
    old = dataclasses.replace(spec, description=json.dumps(stored), fields=fields)
    index = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.IP)
    lite_gateway.collections.create(old, [index])
    collection = open_text_collection(lite_gateway, unique_name, open_encoder=lambda _: minilm)
    assert not collection.has_revision
    for edition in (5, 6):
        write_edition(collection, make_document, edition)
    stored_document = get_document(collection, KEY)
    assert editions_in([stored_document.text]) == {"6"}
    assert collect_text_stats(collection).passage_count == stored_document.passage_count
    assert delete_document(collection, KEY) == stored_document.passage_count
    with pytest.raises(NotFoundError):
        get_document(collection, KEY)
    lite_gateway.collections.drop(unique_name)
