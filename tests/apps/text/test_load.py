"""Whole sources: a repeated command goes on, and what was done stays done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from milvuslab.apps.text.document import collect_text_stats
from milvuslab.apps.text.load import load_samples, load_source
from milvuslab.apps.text.shelf import Shelf
from milvuslab.data.samples import fetch_sample
from milvuslab.journal.job import list_jobs
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import ConflictError, NotFoundError, PartialError, UsageError
from milvuslab.model.settings import resolve


@pytest.fixture
def gateway(lite_gateway):
    """What is tested here does not depend on the kind of server."""
    return lite_gateway


@pytest.fixture
def shelf(gateway, minilm) -> Shelf:
    return Shelf(gateway, open_encoder=lambda _: minilm)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"id": f"r{n}", "title": f"Row {n}", "text": f"Text of row {n}. " * 8}) for n in range(40)]
    lines[7] = "{broken"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_file_is_loaded_with_its_bad_rows_named(shelf, unique_name, home_settings, rows) -> None:
    report = load_source(
        shelf, str(rows), settings=home_settings, collection=unique_name, encoder="minilm", language="en"
    )
    assert (report.ingest.added_count, report.skipped_counts) == (39, {"row": 1})
    assert ":8: " in report.faults[0]
    (job,) = list_jobs(home_settings.home_dir / "jobs")
    assert (job.state, job.job_id, job.report["skipped_counts"]) == ("done", report.job_id, {"row": 1})
    again = load_source(shelf, str(rows), settings=home_settings, collection=unique_name)
    assert (again.ingest.added_count, again.ingest.unchanged_count) == (0, 39)
    shelf.gateway.collections.drop(unique_name)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"source_path": "none.jsonl", "language": "en"}, NotFoundError),
        ({"source_path": "rows.jsonl"}, UsageError),
        ({"source_path": "rows.jsonl", "language": "en", "format": "parquet"}, UsageError),
        ({"source_path": "rows.jsonl", "language": "fr"}, UsageError),
    ],
)
def test_a_wrong_source_leaves_nothing_behind(shelf, unique_name, home_settings, rows, values, error) -> None:
    values = {**values, "source_path": str(rows.with_name(values["source_path"]))}
    before = shelf.gateway.collections.list()
    with pytest.raises(error) as caught:
        load_source(shelf, settings=home_settings, collection=unique_name, **values)
    assert caught.value.hint
    assert shelf.gateway.collections.list() == before
    assert list_jobs(home_settings.home_dir / "jobs") == []


def test_a_collection_keeps_its_encoder(shelf, collection, home_settings, rows) -> None:
    with pytest.raises(ConflictError, match="minilm"):
        load_source(shelf, str(rows), settings=home_settings, collection=collection.name, encoder="e5-small")


def test_a_sample_that_is_not_there_is_named(shelf, home_settings) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_samples(shelf, ["wikipedai"], settings=home_settings)
    assert "wikipedia" in caught.value.hint


def test_a_sample_that_cannot_be_fetched_does_not_keep_the_others_away(
    shelf, clean_defaults, server_settings, home_settings, tmp_path
) -> None:
    cache = tmp_path / "cache"
    news = Path(shutil.copytree(fetch_sample("news", settings=server_settings), cache / "samples" / "news"))
    for path in news.rglob("*.cor"):  # a few documents tell as much as all of them
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:6]))
    flags = {"home_dir": str(home_settings.home_dir), "cache_dir": str(cache), "offline": "true"}
    offline = resolve(flags=flags, environment={"HOME": str(tmp_path)})
    with pytest.raises(PartialError) as caught:
        load_samples(shelf, ["wikipedia", "news"], settings=offline)
    assert caught.value.failed_ids == ("wikipedia",)
    assert collect_text_stats(shelf.open("text_en")).document_count > 5
    with pytest.raises(PartialError):
        load_samples(shelf, ["wikipedia", "news"], settings=offline)
    assert [job.state for job in list_jobs(home_settings.home_dir / "jobs")] == ["done"]


KILLED = """
import contextlib, os, sys
from milvuslab.apps.text import engine, load
from milvuslab.apps.text.load import load_source
from milvuslab.apps.text.shelf import open_shelf
from milvuslab.gateway.client import connect
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import resolve
uri, home, cache, path, collection = sys.argv[1:]
settings = resolve(environment=dict(os.environ), flags={"home_dir": home, "cache_dir": cache, "embed_cache_bytes": "0"})
shelf = open_shelf(connect(Endpoint(uri=uri)), settings=settings)
small = engine.LoadEngine(encode=lambda encoder, texts: encoder.encode_passages(texts), batch_chars=3_000)
load.open_engine = lambda *_, **__: contextlib.nullcontext(small)  # a batch is what a kill can lose
load_source(shelf, path, settings=settings, collection=collection, encoder="minilm", language="en",
            observer=lambda progress: print(progress.done_count, flush=True))
"""


def test_a_load_that_is_killed_again_and_again_ends_with_every_document_once(
    shelf, unique_name, home_settings, tmp_path
) -> None:
    path = tmp_path / "many.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(96):
            file.write(json.dumps({"id": f"r{n}", "title": f"Row {n}", "text": f"Sentence {n} of many. " * 8}) + "\n")
    command = [
        sys.executable, "-c", KILLED, shelf.gateway.endpoint.uri, str(home_settings.home_dir),
        str(home_settings.cache_dir), str(path), unique_name,
    ]  # fmt: skip
    reached = []
    for batches in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loader:
            assert loader.stdout is not None
            for _ in range(batches):
                line = loader.stdout.readline()
                reached.append(int(line))
            os.kill(loader.pid, signal.SIGKILL)
    assert reached == sorted(reached) and reached[-1] < 96
    (job,) = list_jobs(home_settings.home_dir / "jobs")
    assert job.state == "interrupted"
    began_s = time.monotonic()
    report = load_source(shelf, str(path), settings=home_settings, collection=unique_name)
    assert report.ingest.document_count == 96, f"after {time.monotonic() - began_s:.1f} s"
    stats = collect_text_stats(shelf.open(unique_name))
    whole = load_source(shelf, str(path), settings=home_settings, collection=unique_name)
    assert (whole.ingest.unchanged_count, whole.ingest.added_count, stats.document_count) == (96, 0, 96)
    shelf.gateway.collections.drop(unique_name)


def test_the_same_texts_in_another_collection_embed_nothing(gateway, minilm, unique_name, tmp_path, rows) -> None:
    settings = resolve(
        flags={"home_dir": str(tmp_path / "home"), "cache_dir": str(tmp_path / "cache")},
        environment={"HOME": str(tmp_path)},
    )
    asked: list[str] = []

    class Counting:
        def __getattr__(self, name):
            return getattr(minilm, name)

        def encode_passages(self, texts):
            asked.extend(texts)
            return minilm.encode_passages(texts)

    shelf = Shelf(gateway, open_encoder=lambda _: Counting())
    vectors = []
    for name in (unique_name, f"{unique_name}_again"):
        load_source(shelf, str(rows), settings=settings, collection=name, encoder="minilm", language="en")
        found = gateway.rows.query(name, fields=["origin_id", "ordinal", "vector"], consistency=Consistency.STRONG)
        order = sorted(range(len(found["ordinal"])), key=lambda row: (found["origin_id"][row], found["ordinal"][row]))
        vectors.append(found["vector"][order])
        gateway.collections.drop(name)
    assert len(asked) == len(vectors[0]) == 39
    assert np.array_equal(vectors[0], vectors[1])
