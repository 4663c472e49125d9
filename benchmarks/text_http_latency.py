"""How long a search over HTTP takes, one at a time and at a steady rate, and after how long a posted document is found.

A real studio over a real Milvus, started for this run and stopped after it. Passages are those of `large_corpus.py`: real,
distinct English, encoded with MiniLM; vectors that the cache of embeddings holds are taken from it. With `--home` the
server of `large_collection.py` is used as it was left.

Questions are sentences of passages of the collection with a third of their words dropped, all distinct. The first
`--warm-up` of them are asked before and not counted. First they are asked over one kept connection, the next when the
answer to the last is there (closed loop, service time); then at `--rate` a second, whether or not answers are there (open
loop): latency counts from the moment a question was due, so a stall is seen by all that were due in it. Recall compares
the documents of an answer with those that exact inner products over all stored vectors give by the same rule: the best
40 passages, one hit per document, the first 10.

    python -m benchmarks.text_http_latency --passages 100000 --name text_http_latency_100k
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from benchmarks.large_corpus import CORPUS_CUT, write_corpus
from benchmarks.manifest import collect_manifest, write_result
from milvuslab.apps.text.collection import PassageCut, create_text_collection
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.data.readers import read_documents
from milvuslab.embed.cache import open_embedding_cache
from milvuslab.embed.catalog import open_encoder
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.ops.workspace import Workspace

SEED = 20_240_601
COLLECTION = "text_en"
LIMIT = 10
DEPTH = 4 * LIMIT
"""Passages that the application asks the server for, so that enough documents remain (apps/text/search.py)."""


def main() -> None:
    """Runs the case and writes `benchmarks/results/NAME.json`."""
    given = read_arguments()
    with tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder:
        home = given.home or Path(folder) / "home"
        with running(Path(folder), home, given.server) as (workspace, url), workspace.connect(given.server) as gateway:
            encoder = open_encoder("minilm", settings=workspace.settings)
            cut = PassageCut(**CORPUS_CUT)
            collection = create_text_collection(gateway, COLLECTION, encoder=encoder, cut=cut, language="en")
            fill(collection, workspace, passage_count=given.passages)
            gateway.collections.settle(COLLECTION)
            row_count = gateway.rows.count(COLLECTION)
            asked_count = given.warm_up + given.questions + given.open_questions
            questions = make_questions(collection, count=asked_count, choice=random.Random(SEED + 1))
            closed, opened = questions[given.warm_up :][: given.questions], questions[given.warm_up + given.questions :]
            exact = find_exactly(collection, closed)
            wait_until_ready(url)
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
                raw = [ask(http, question) for question in questions[: given.warm_up + given.questions]][
                    given.warm_up :
                ]
                load_before = os.getloadavg()[0]
                due = ask_on_time(http, opened, rate_per_s=given.rate)
                posts = [post(http, number) for number in range(given.posts)]
            recalls = [len(best & set(one["document_ids"])) / len(best) for best, one in zip(exact, raw, strict=True)]
            facts = {
                "server_version": gateway.server_version,
                "index": [
                    {"index_type": report.spec.index_type, "metric": str(report.spec.metric), "params": dict(report.spec.params)}
                    for report in gateway.indexes.list(collection.name)
                ],
                "encoder": collection.encoder.fingerprint.as_dict(),
                "cut": CORPUS_CUT,
                "seed": SEED,
                "warm_up": f"{given.warm_up} questions of the same kind, not counted",
                "load_1min_before_open_loop": round(load_before, 2),
                "loops": f"searches: closed, one at a time, one kept connection: service time; due: open, {given.rate:g} a second",
            }  # fmt: skip
    metrics = {
        "request_ms": percentiles([one["request_ms"] for one in raw]),
        "embed_ms": percentiles([one["embed_ms"] for one in raw]),
        "milvus_ms": percentiles([one["milvus_ms"] for one in raw]),
        "studio_total_ms": percentiles([one["total_ms"] for one in raw]),
        "open_loop_ms": percentiles([one["late_ms"] for one in due]),
        "open_loop_embed_ms": percentiles([one["embed_ms"] for one in due]),
        "open_loop_milvus_ms": percentiles([one["milvus_ms"] for one in due]),
        "send_lateness_ms": percentiles([one["send_late_ms"] for one in due]),
        "failed_count": sum(one["status"] != 200 for one in [*raw, *due]),
        f"recall_at_{LIMIT}": round(float(np.mean(recalls)), 4),
        "post_stored_after_ms": percentiles([one["stored_after_ms"] for one in posts]),
        "post_found_after_ms": percentiles([one["found_after_ms"] for one in posts]),
    }
    case = {
        "passages": row_count,
        "questions": len(raw),
        "open_questions": len(due),
        "rate_per_s": given.rate,
        "posts": len(posts),
        "limit": LIMIT,
    }
    manifest = collect_manifest(packages=["fastapi", "nicegui", "onnxruntime", "pymilvus", "uvicorn"], extra=facts)
    kept = {
        "searches": {**as_columns(raw, without="document_ids"), "recall": recalls},
        "due": as_columns(due, without="document_ids"),
        "posts": as_columns(posts),
    }
    path = write_result(given.name, manifest=manifest, case=case, raw=kept, metrics=metrics)
    print(f"{path}\n" + "\n".join(f"{name}: {value}" for name, value in metrics.items()))


def read_arguments() -> argparse.Namespace:
    """Sizes of the case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--open-questions", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=20.0, help="questions a second of the open loop")
    parser.add_argument("--home", type=Path, help="use the server data that large_collection.py left there")
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--posts", type=int, default=50)
    parser.add_argument("--server", default="standalone")
    parser.add_argument("--name", default="text_http_latency")
    return parser.parse_args()


@contextlib.contextmanager
def running(folder: Path, home: Path, server: str) -> Iterator[tuple[Workspace, str]]:
    """A server and a studio of this run's own."""
    flags = {"home_dir": str(home), "server": server, "studio_port": "0"}
    workspace = open_workspace(flags=flags, environment=os.environ, folder=folder)
    start(workspace, server)
    process = subprocess.Popen(
        [sys.executable, "-m", "milvuslab.studio"], env=workspace.child_environment(), cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the studio did not start"
        yield workspace, found.group()
    finally:
        process.terminate()
        process.wait(15)
        stop(workspace, server)


def wait_until_ready(url: str, *, timeout_s: float = 120) -> None:
    """Until the studio sees the server and has its encoders."""
    deadline_s = time.monotonic() + timeout_s
    while not httpx.get(f"{url}/api/v1/health", trust_env=False).json()["is_ready"]:
        assert time.monotonic() < deadline_s, "the studio did not become ready"
        time.sleep(0.2)


def fill(collection: TextCollection, workspace: Workspace, *, passage_count: int) -> None:
    """Ingests the corpus until the count is reached, give or take a batch."""
    stored = collection.gateway.rows.count(collection.name)
    corpus = read_documents(write_corpus(workspace.settings), source="corpus", language="en")
    cache = open_embedding_cache(workspace.settings)
    while stored < passage_count:
        batch = list(itertools.islice(corpus, 64))
        assert batch, f"the corpus gives {stored:,} passages"
        stored += ingest_documents(collection, batch, encode=cache.encode_passages).passage_count


def make_questions(collection: TextCollection, *, count: int, choice: random.Random) -> list[str]:
    """Distinct questions: sentences of stored passages with a third of their words dropped."""
    texts = collection.gateway.rows.query(collection.name, fields=["text"])["text"]
    questions: dict[str, None] = {}
    while len(questions) < count:
        sentences = [part for part in re.split(r"(?<=[.!?])\s+", choice.choice(texts)) if 5 <= len(part.split()) <= 40]
        if sentences:
            words = [word for word in choice.choice(sentences).split() if choice.random() > 1 / 3]
            if len(words) >= 3:
                questions[" ".join(words)] = None
    return list(questions)


def ask_on_time(http: httpx.Client, questions: Sequence[str], *, rate_per_s: float) -> list[dict[str, Any]]:
    """One search per tick, on threads enough that none waits for another; `late_ms` counts from the tick."""
    began_s = time.perf_counter() + 0.5
    clock = threading.Event()

    def ask_due(number: int) -> dict[str, Any]:
        due_s = began_s + number / rate_per_s
        sent_s = time.perf_counter()
        answer = ask(http, questions[number])
        return {
            **answer,
            "send_late_ms": round((sent_s - due_s) * 1e3, 3),
            "late_ms": round((time.perf_counter() - due_s) * 1e3, 3),
        }

    with ThreadPoolExecutor(64) as threads:
        waiting = []
        for number in range(len(questions)):
            clock.wait(max(0.0, began_s + number / rate_per_s - time.perf_counter()))
            waiting.append(threads.submit(ask_due, number))
        return [each.result() for each in waiting]


def ask(http: httpx.Client, question: str) -> dict[str, Any]:
    """One search, timed from before the request to after the parsed answer."""
    began_s = time.perf_counter()
    answer = http.get("/api/v1/text/search", params={"q": question, "limit": LIMIT, "collection": "text_en"})
    body = answer.json()
    request_ms = (time.perf_counter() - began_s) * 1e3
    timing = body.get("timing", {})
    return {
        "status": answer.status_code,
        "request_ms": round(request_ms, 3),
        **{name: timing.get(name) for name in ("embed_ms", "milvus_ms", "total_ms")},
        "document_ids": [hit["document_id"] for hit in body.get("hits", ())],
    }


def post(http: httpx.Client, number: int) -> dict[str, Any]:
    """One document, posted and searched for until found."""
    choice = random.Random(SEED + 2 + number)
    words = ["granite", "harbour", "violin", "orchard", "lantern", "glacier", "saddle", "copper", "meadow", "compass"]
    text = f"Note {number}. " + " ".join(choice.choices(words, k=60)) + "."
    answer = http.post(
        "/api/v1/text/documents?wait=true", json={"title": f"Note {number}", "text": text, "language": "en"}
    )
    body = answer.json()
    return {
        "status": answer.status_code,
        "stored_after_ms": body["stored_after_ms"],
        "found_after_ms": body["found_after_ms"],
    }


def find_exactly(collection: TextCollection, questions: Sequence[str]) -> list[set[str]]:
    """For each question the documents that exact search over all vectors finds, outside of any timing."""
    rows = collection.gateway.rows.query(collection.name, fields=["document_id", "vector"])
    vectors = np.asarray(rows["vector"], dtype=np.float32)
    owners = np.asarray(rows["document_id"], dtype=object)
    found = []
    for question in questions:
        scores = vectors @ collection.encoder.encode_queries([question])[0]
        nearest = np.argpartition(-scores, DEPTH)[:DEPTH]
        nearest = nearest[np.argsort(-scores[nearest], kind="stable")]
        found.append(set(list(dict.fromkeys(owners[nearest]))[:LIMIT]))
    return found


def as_columns(rows: Sequence[dict[str, Any]], *, without: str = "") -> dict[str, list[Any]]:
    """The same measurements by name: a third of the size on disk."""
    return {name: [row[name] for row in rows] for name in rows[0] if name != without}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """P50, P95, P99 and the largest, by the nearest rank."""
    ordered = sorted(values)
    found = {f"p{rank}": ordered[max(0, -(-rank * len(ordered) // 100) - 1)] for rank in (50, 95, 99)}
    return {**{name: round(value, 2) for name, value in found.items()}, "max": round(ordered[-1], 2)}


if __name__ == "__main__":
    main()
