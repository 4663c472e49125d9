"""How long a search over HTTP takes, one at a time, and after how long a posted document is found.

A real studio over a real Milvus, started for this run and stopped after it. Passages are those of the sample documents in
English (Wikipedia excerpt, news, help pages), encoded once with MiniLM. Where a case asks for more passages than the samples
give, further ones are made by dropping words of real passages at random (seeded), are written as documents of their
own, and the case says how many: they keep the density of real text, which is what the index sees.

Questions are sentences of passages of the collection with a third of their words dropped, all distinct. They are asked over
one kept connection, the next when the answer to the last is there (closed loop, service time). The first `--warm-up` of them
are asked before and not counted. Recall compares the documents of an answer with those that exact inner products over all
stored vectors give by the same rule: the best 40 passages, one hit per document, the first 10.

    python -m benchmarks.text_http_latency --passages 20000
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.shelf import open_shelf
from milvuslab.data.document import Document, Item
from milvuslab.data.samples import SAMPLES, fetch_sample, read_sample
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.ops.workspace import Workspace

SEED = 20_240_601
LIMIT = 10
DEPTH = 4 * LIMIT
"""Passages that the application asks the server for, so that enough documents remain (apps/text/search.py)."""


def main() -> None:
    """Runs the case and writes `benchmarks/results/NAME.json`."""
    given = read_arguments()
    with tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder, running(Path(folder), given.server) as place:
        workspace, url = place
        with workspace.connect(given.server) as gateway:
            shelf = open_shelf(gateway, settings=workspace.settings)
            collection = shelf.create_for_language("en")
            made_count = fill(collection, workspace, passage_count=given.passages)
            gateway.collections.settle(collection.name)
            questions = make_questions(collection, count=given.questions + given.warm_up)
            wait_until_ready(url)
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
                raw = [ask(http, question) for question in questions][given.warm_up :]
                posts = [post(http, number) for number in range(given.posts)]
            recalls = compute_recalls(collection, raw, questions[given.warm_up :])
            facts = {
                "server_version": gateway.server_version,
                "index": [
                    {"index_type": report.spec.index_type, "metric": str(report.spec.metric), "params": dict(report.spec.params)}
                    for report in gateway.indexes.list(collection.name)
                ],
                "encoder": collection.encoder.fingerprint.as_dict(),
                "seed": SEED,
                "warm_up": f"{given.warm_up} questions of the same kind, not counted",
                "loop": "closed, one at a time, one kept connection: service time",
            }  # fmt: skip
            row_count = gateway.rows.count(collection.name)
    metrics = {
        "request_ms": percentiles([one["request_ms"] for one in raw]),
        "embed_ms": percentiles([one["embed_ms"] for one in raw]),
        "milvus_ms": percentiles([one["milvus_ms"] for one in raw]),
        "studio_total_ms": percentiles([one["total_ms"] for one in raw]),
        "failed_count": sum(one["status"] != 200 for one in raw),
        f"recall_at_{LIMIT}": round(float(np.mean(recalls)), 4),
        "post_stored_after_ms": percentiles([one["stored_after_ms"] for one in posts]),
        "post_found_after_ms": percentiles([one["found_after_ms"] for one in posts]),
    }
    case = {
        "passages": row_count,
        "made_passages": made_count,
        "questions": len(raw),
        "posts": len(posts),
        "limit": LIMIT,
    }
    manifest = collect_manifest(packages=["fastapi", "nicegui", "onnxruntime", "pymilvus", "uvicorn"], extra=facts)
    kept = {"searches": {**as_columns(raw, without="document_ids"), "recall": recalls}, "posts": as_columns(posts)}
    path = write_result(given.name, manifest=manifest, case=case, raw=kept, metrics=metrics)
    print(f"{path}\n" + "\n".join(f"{name}: {value}" for name, value in metrics.items()))


def read_arguments() -> argparse.Namespace:
    """Sizes of the case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--posts", type=int, default=50)
    parser.add_argument("--server", default="standalone")
    parser.add_argument("--name", default="text_http_latency")
    return parser.parse_args()


@contextlib.contextmanager
def running(folder: Path, server: str) -> Iterator[tuple[Workspace, str]]:
    """A server and a studio of this run's own."""
    flags = {"home_dir": str(folder / "home"), "server": server, "studio_port": "0"}
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


def fill(collection: TextCollection, workspace: Workspace, *, passage_count: int) -> int:
    """Ingests the samples, then made documents until the count is reached; returns how many passages were made."""
    choice = random.Random(SEED)
    documents = [document for document in read_samples(workspace) if document.language == "en"]
    stored = 0
    for document in documents:
        if stored >= passage_count:
            return 0
        stored += write(collection, [document])
    real, number = stored, 0
    while stored < passage_count:
        batch = [perturb(document, number + offset, choice) for offset, document in enumerate(documents[:16])]
        choice.shuffle(documents)
        number += len(batch)
        stored += write(collection, batch)
    return stored - real


def read_samples(workspace: Workspace) -> Iterator[Document]:
    """All documents of the samples, in order."""
    for name in SAMPLES:
        fetch_sample(name, settings=workspace.settings)
        yield from (item.document for item in read_sample(name, settings=workspace.settings))


def write(collection: TextCollection, documents: Sequence[Document]) -> int:
    """Passages written."""
    items = [Item(document=document, resume_token="") for document in documents]
    return ingest_documents(collection, items).passage_count


def perturb(document: Document, number: int, choice: random.Random) -> Document:
    """Another document with a tenth of the words dropped."""
    words = [word for word in re.split(r"(?<=\s)", document.text) if choice.random() > 0.1]
    return Document(
        document_id=f"made-{number}", title=document.title, text="".join(words).strip() or document.title,
        language="en", source="made", published_at_s=document.published_at_s,
    )  # fmt: skip


def make_questions(collection: TextCollection, *, count: int) -> list[str]:
    """Distinct questions: sentences of stored passages with a third of their words dropped."""
    choice = random.Random(SEED + 1)
    texts = collection.gateway.rows.query(collection.name, fields=["text"])["text"]
    questions: dict[str, None] = {}
    while len(questions) < count:
        sentences = [part for part in re.split(r"(?<=[.!?])\s+", choice.choice(texts)) if 5 <= len(part.split()) <= 40]
        if sentences:
            words = [word for word in choice.choice(sentences).split() if choice.random() > 1 / 3]
            if len(words) >= 3:
                questions[" ".join(words)] = None
    return list(questions)


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


def compute_recalls(collection: TextCollection, raw: Sequence[dict[str, Any]], questions: Sequence[str]) -> list[float]:
    """Share of each answer's documents that exact search over all vectors finds too, outside of any timing."""
    rows = collection.gateway.rows.query(collection.name, fields=["document_id", "vector", "source"])
    keep = [row for row, source in enumerate(rows["source"]) if source != "studio"]
    vectors = np.asarray(rows["vector"], dtype=np.float32)[keep]
    owners = np.asarray(rows["document_id"], dtype=object)[keep]
    recalls = []
    for one, question in zip(raw, questions, strict=True):
        scores = vectors @ collection.encoder.encode_queries([question])[0]
        best = list(dict.fromkeys(owners[np.argsort(-scores)[:DEPTH]]))[:LIMIT]
        recalls.append(len(set(best) & set(one["document_ids"])) / len(best))
    return recalls


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
