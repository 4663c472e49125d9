"""Reading in two halves gives what reading once gives, for every reader and every place to stop."""

import bz2
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milvuslab.data.readers import read_documents
from milvuslab.model.errors import UsageError

from .dumps import dump, multistream, page


def _jsonl(path):
    rows = [json.dumps({"text": f"문서 {i}", "id": i}, ensure_ascii=False) for i in range(7)]
    rows[2:2] = ["{broken", "", "[1]"]
    path.write_text("\n".join(rows), "utf-8")


def _csv(path):
    rows = [f'"line one\r\nline ""two"" {i}",title {i}' for i in range(7)]
    rows[3:3] = ["too,many,cells", "", '"unfinished ""'.replace('""', "") + '",ok']
    path.write_bytes(("﻿text,title\r\n" + "\r\n".join(rows)).encode("utf-8"))


def _parquet(path):
    table = pa.table({"body": [f"text {i}" if i != 4 else None for i in range(150)]})
    pq.write_table(table, path, row_group_size=40)


def _folder(path):
    path.mkdir()
    for i in range(3):
        (path / f"{i}.md").write_text(f"# Page {i}\n\nText.", "utf-8")
    (path / "b").mkdir()
    _jsonl(path / "b" / "rows.jsonl")
    (path / "bad.parquet").write_bytes(b"no parquet")
    _parquet(path / "z.parquet")


PAGES = [page(i, redirect=i % 3 == 0, namespace=1 if i == 4 else 0) for i in range(1, 12)]

MAKERS = {
    "rows.jsonl": _jsonl,
    "rows.csv": _csv,
    "rows.parquet": _parquet,
    "one.txt": lambda path: path.write_text("A title\n\nText.", "utf-8"),
    "one.md": lambda path: path.write_text("# A title\n\nText.", "utf-8"),
    "one.html": lambda path: path.write_text("<title>T</title><p>Text.", "utf-8"),
    "news.cor": lambda path: path.write_bytes("one\n\ntwo é\n".encode() + "three é\nfour".encode("latin-1")),
    "dump.xml": lambda path: path.write_bytes(dump(PAGES)),
    "dump.xml.bz2": lambda path: path.write_bytes(bz2.compress(dump(PAGES))),
    "dump.xml.gz": lambda path: path.write_bytes(gzip.compress(dump(PAGES))),
    "multistream.xml.bz2": lambda path: path.write_bytes(multistream(PAGES, pages_per_stream=4)),
    "folder": _folder,
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    for name, make in MAKERS.items():
        make(folder / name)
    return folder


def _read(path, token=""):
    return list(read_documents(path, language="en", source="s", resume_token=token, on_skip=lambda _: None))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_going_on_from_any_item_gives_exactly_the_rest(sources, name, data):
    path = sources / name
    everything = _read(path)
    assert everything
    assert len({item.document.document_id for item in everything}) == len(everything)
    taken = data.draw(st.integers(1, len(everything)))
    assert _read(path, everything[taken - 1].resume_token) == everything[taken:]


@pytest.mark.parametrize("name", MAKERS)
def test_a_token_of_another_source_is_refused(sources, name):
    # A folder goes on at the next name, since files may have been removed; a token without a place is refused.
    for token in ("nonsense", "12:3", "1:1@other.file", "99999999999:1@" + name, "@" + name):
        if name == "folder" and "@" in token and not token.startswith("@"):
            continue
        if name == "rows.parquet" and token.endswith("@" + name) and not token.startswith("@"):
            continue
        with pytest.raises(UsageError):
            _read(sources / name, token)


def test_ids_do_not_depend_on_where_the_folder_lies(sources, tmp_path):
    _folder(tmp_path / "elsewhere")
    there = [item.document.document_id for item in _read(sources / "folder")]
    assert [item.document.document_id for item in _read(tmp_path / "elsewhere")] == there
