"""A dump of a hundred thousand passages into a real server: memory, speed, a kill on the way, the index, its recall.

`milvuslab text ingest` runs as a process of its own, as a person runs it, and reads the corpus of `large_corpus.py` from
a JSONL file. It is killed with SIGKILL once a third of the documents are acknowledged and started again with the same
command. Then everything is counted, and the index is built to its end (flush, build, load).

Vectors come from the cache of embeddings where a text was embedded before; the case says how many did. A run with an empty
cache measures embedding (`embed_speed.py` tells its rate alone), one with a full cache everything else. Memory is the
highest resident size of the loading process, sampled and as the kernel kept it. Recall compares the documents of
searches with those of exact inner products over all stored vectors, as `text_http_latency.py` does.

    python -m benchmarks.large_collection --home /tmp/large     keeps the server's data for text_http_latency.py
    python -m benchmarks.large_collection --documents 300 --smoke    a minute, writes nothing
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.large_corpus import CORPUS_CUT, write_corpus
from benchmarks.manifest import collect_manifest, write_result
from benchmarks.text_http_latency import LIMIT, find_exactly, make_questions
from milvuslab.apps.text.collection import PassageCut, create_text_collection
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.embed.catalog import open_encoder
from milvuslab.journal.job import list_jobs
from milvuslab.model.collection import Consistency
from milvuslab.model.filter import where
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.ops.workspace import Workspace

COLLECTION = "text_en"
"""The default collection of English, so that the studio's own searches go to it."""
SEED = 20_261_123


class MemoryWatch(threading.Thread):
    """Highest resident size of a process, looked at every tenth of a second and once more as the kernel tells it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.rss_bytes_max = 0
        self._process = psutil.Process(pid)
        self._pid = pid
        self._has_ended = threading.Event()

    def run(self) -> None:
        """Looks until told to end."""
        while not self._has_ended.wait(0.1):
            with contextlib.suppress(psutil.Error, OSError, StopIteration, ValueError, IndexError):
                status = Path(f"/proc/{self._pid}/status").read_text()
                line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                self.rss_bytes_max = max(self.rss_bytes_max, int(line.split()[1]) * 1024)

    def end(self) -> int:
        """The highest size seen."""
        self._has_ended.set()
        self.join()
        return self.rss_bytes_max


def main() -> None:
    """Runs the case and writes `benchmarks/results/large_collection.json`."""
    given = read_arguments()
    with tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder:
        home = given.home or Path(folder) / "home"
        flags = {"home_dir": str(home), "server": given.server}
        workspace = open_workspace(flags=flags, environment=os.environ, folder=Path(folder))
        corpus = shorten(write_corpus(workspace.settings), Path(folder), document_count=given.documents)
        start(workspace, given.server)
        try:
            facts, case, raw, metrics = measure(workspace, corpus, given)
        finally:
            stop(workspace, given.server)
    print("\n".join(f"{name}: {value}" for name, value in {**case, **metrics}.items()))
    if not given.smoke:
        manifest = collect_manifest(packages=["milvuslab", "numpy", "onnxruntime", "pymilvus"], extra=facts)
        print(write_result("large_collection", manifest=manifest, case=case, raw=raw, metrics=metrics))


def read_arguments() -> argparse.Namespace:
    """Sizes of the case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=0, help="first documents of the corpus; 0 takes all")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--server", default="standalone")
    parser.add_argument("--home", type=Path, help="keep profiles and server data there")
    parser.add_argument("--smoke", action="store_true", help="write nothing")
    return parser.parse_args()


def shorten(corpus: Path, folder: Path, *, document_count: int) -> Path:
    """The corpus, or its first documents as a file of their own."""
    if not document_count:
        return corpus
    short = folder / "corpus.jsonl"
    with corpus.open(encoding="utf-8") as source, short.open("w", encoding="utf-8") as target:
        target.writelines(itertools.islice(source, document_count))
    return short


def measure(workspace: Workspace, corpus: Path, given: argparse.Namespace) -> tuple[dict[str, Any], ...]:
    """Facts, case, raw record and metrics."""
    with corpus.open(encoding="utf-8") as file:
        document_count = sum(1 for _ in file)
    with workspace.connect(given.server) as gateway:
        encoder = open_encoder("minilm", settings=workspace.settings)
        collection = create_text_collection(
            gateway, COLLECTION, encoder=encoder, cut=PassageCut(**CORPUS_CUT), language="en"
        )
        assert gateway.rows.count(COLLECTION) == 0, f"{COLLECTION} holds something: take another home"
        known_before = count_cached(workspace)
        runs = [load(workspace, corpus, kill_at=document_count // 3), load(workspace, corpus, kill_at=None)]
        known_after = count_cached(workspace)
        passage_count = gateway.rows.count(COLLECTION, consistency=Consistency.STRONG)
        stored_count = gateway.rows.count(COLLECTION, where("ordinal") == 0, consistency=Consistency.STRONG)
        assert stored_count == document_count, f"{stored_count} of {document_count} documents are there"
        began_s = time.monotonic()
        gateway.collections.settle(COLLECTION)
        settle_s = time.monotonic() - began_s
        (index,) = [report for report in gateway.indexes.list(COLLECTION) if report.spec.field_name == "vector"]
        recalls = measure_recall(collection, question_count=given.questions)
        facts = {
            "server_version": gateway.server_version,
            "index": {"index_type": index.spec.index_type, "metric": str(index.spec.metric), "params": dict(index.spec.params)},
            "encoder": encoder.fingerprint.as_dict(),
            "seed": SEED,
        }  # fmt: skip
    load_s = sum(run["duration_s"] for run in runs)
    embedded_count = known_after - known_before
    case = {
        "documents": document_count,
        "passages": passage_count,
        "cut": CORPUS_CUT,
        "embedded_in_this_run": embedded_count,
        "texts": "real and distinct: see benchmarks/large_corpus.py",
        "killed_at_documents": runs[0]["documents_at_end"],
    }
    metrics = {
        "load_passages_per_s": round(passage_count / load_s, 1),
        "load_s": round(load_s, 1),
        "settle_s": round(settle_s, 1),
        "passages_per_s_with_index": round(passage_count / (load_s + settle_s), 1),
        "loader_rss_bytes_max": max(run["rss_bytes_max"] for run in runs),
        "documents_read_again_after_kill": runs[1]["unchanged_count"],
        "indexed_row_count": index.indexed_row_count,
        "index_total_row_count": index.total_row_count,
        f"recall_at_{LIMIT}": round(float(np.mean(recalls)), 4),
    }
    return facts, case, {"runs": runs, "recall": recalls}, metrics


def load(workspace: Workspace, corpus: Path, *, kill_at: int | None) -> dict[str, Any]:
    """One run of the command; killed once that many documents are acknowledged, where `kill_at` is given."""
    arguments = ["text", "ingest", str(corpus), "--collection", COLLECTION, "--language", "en", "--source", "corpus"]
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "milvuslab.cli", *arguments], env=workspace.child_environment(), cwd=corpus.parent,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watch = MemoryWatch(process.pid)
    watch.start()
    reached: list[tuple[float, int]] = []
    for done_count in watch_progress(process, workspace):
        reached.append((round(time.monotonic() - began_s, 2), done_count))
        if kill_at is not None and done_count >= kill_at:
            process.kill()
            break
    _, complaints = process.communicate()
    assert kill_at is not None or process.returncode == 0, complaints[-2_000:]
    job = list_jobs(workspace.settings.home_dir / "jobs")[-1]
    ingest = job.report["ingest"]
    return {
        "duration_s": round(time.monotonic() - began_s, 2),
        "exit_status": process.returncode,
        "documents_at_end": ingest["document_count"],
        "unchanged_count": ingest["unchanged_count"],
        "rss_bytes_max": watch.end(),
        "progress": reached[:: max(1, len(reached) // 100)],
    }


def watch_progress(process: subprocess.Popen[str], workspace: Workspace) -> Iterator[int]:
    """Documents acknowledged so far, looked up four times a second until the process ends."""
    while process.poll() is None:
        time.sleep(0.25)
        jobs = [job for job in list_jobs(workspace.settings.home_dir / "jobs") if job.pid == process.pid]
        if jobs and jobs[0].report:
            yield int(jobs[0].report["ingest"]["document_count"])


def count_cached(workspace: Workspace) -> int:
    """Vectors in the cache of embeddings."""
    path = workspace.settings.cache_dir / "embeddings" / "passages.sqlite"
    if not path.is_file():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM vectors").fetchone()[0])


def measure_recall(collection: Any, *, question_count: int) -> list[float]:
    """Share of each answer's documents that exact search finds too."""
    questions = make_questions(collection, count=question_count, choice=random.Random(SEED))
    exact = find_exactly(collection, questions)
    recalls = []
    for question, best in zip(questions, exact, strict=True):
        answer = search_text(collection, TextQuery(text=question, limit=LIMIT))
        recalls.append(len(best & {hit.document_id for hit in answer.hits}) / len(best))
    return recalls


if __name__ == "__main__":
    main()
