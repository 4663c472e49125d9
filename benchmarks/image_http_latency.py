"""How long a search by upload takes over HTTP, decoding and embedding included, in a collection of 50,000 vectors.

A real studio over a real Milvus 2.3.5, started for this run and stopped after it. The pictures of the questions are drawn
(seeded: shapes on gradients with noise, 480 x 360, as JPEG of 25 to 60 kB), all distinct; each is posted as a part of a form.
The collection has the schema, index and encoder of the application. Embedding 50,000 pictures would take minutes and tell
nothing of a search, so its rows are vectors: those of 200 drawn pictures, and around each, seeded, others of cosine 0.6 to 0.95.

Open loop: a question leaves at its time whether or not earlier answers are there, and its latency counts from that time.
`--warm-up` questions come before and are not counted.

    python -m benchmarks.image_http_latency --rate 5
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
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
from PIL import Image, ImageDraw

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.apps.image.shelf import open_image_shelf
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.ops.workspace import Workspace

SEED = 20_240_602
LIMIT = 20
SEED_PICTURES = 200


def main() -> None:
    """Runs the case and writes `benchmarks/results/NAME.json`."""
    given = read_arguments()
    with tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder, running(Path(folder)) as place:
        workspace, url, _ = place
        with workspace.connect("standalone") as gateway:
            collection = open_image_shelf(gateway, settings=workspace.settings).create("images")
            fill(collection, row_count=given.vectors)
            gateway.collections.settle("images")
            questions = [draw_picture(SEED_PICTURES + number) for number in range(given.questions + given.warm_up)]
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
                search_until_ready(http, questions[0])
                raw = ask_on_time(http, questions, rate_per_s=given.rate)[given.warm_up :]
            facts = {
                "server_version": gateway.server_version,
                "index": [
                    {"index_type": report.spec.index_type, "metric": str(report.spec.metric), "params": dict(report.spec.params)}
                    for report in gateway.indexes.list("images")
                ],
                "encoder": collection.encoder.fingerprint.as_dict(),
                "seed": SEED,
                "warm_up": f"{given.warm_up} questions of the same kind at the same rate, not counted",
                "loop": f"open, {given.rate:g} a second, latency from the time the question was due",
            }  # fmt: skip
            row_count = gateway.rows.count("images")
    metrics: dict[str, Any] = {
        name: percentiles([one[name] for one in raw if one[name] is not None])
        for name in ("latency_ms", "send_late_ms", "decode_ms", "embed_ms", "milvus_ms", "total_ms")
    }
    metrics["failed_count"] = sum(one["status"] != 200 for one in raw)
    case = {"vectors": row_count, "questions": len(raw), "rate_per_s": given.rate, "limit": LIMIT}
    case["question_bytes"] = percentiles([float(len(question)) for question in questions])
    manifest = collect_manifest(packages=["fastapi", "onnxruntime", "Pillow", "pymilvus", "uvicorn"], extra=facts)
    kept = {name: [one[name] for one in raw] for name in raw[0]}
    path = write_result(given.name, manifest=manifest, case=case, raw=kept, metrics=metrics)
    print(f"{path}\n" + "\n".join(f"{name}: {value}" for name, value in metrics.items()))


def read_arguments() -> argparse.Namespace:
    """Sizes of the case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=50_000)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=50)
    parser.add_argument("--rate", type=float, default=5.0, help="questions a second")
    parser.add_argument("--name", default="image_http_latency")
    return parser.parse_args()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Workspace, str, subprocess.Popen[str]]]:
    """A server and a studio of this run's own."""
    flags = {"home_dir": str(folder / "home"), "server": "standalone", "studio_port": "0"}
    workspace = open_workspace(flags=flags, environment=os.environ, folder=folder)
    start(workspace, "standalone")
    process = subprocess.Popen(
        [sys.executable, "-m", "milvuslab.studio"], env=workspace.child_environment(), cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the studio did not start"
        wait_for_server(found.group())
        yield workspace, found.group(), process
    finally:
        process.terminate()
        process.wait(15)
        stop(workspace, "standalone")


def wait_for_server(url: str, *, timeout_s: float = 180) -> None:
    """Until the studio sees the server, has its encoders of text open, and opens that of pictures."""
    deadline_s, pause = time.monotonic() + timeout_s, threading.Event()
    good = {"picture": ("good.png", draw_picture(0))}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        while not http.get("/api/v1/health").json()["is_ready"]:
            assert time.monotonic() < deadline_s, "the studio did not become ready"
            pause.wait(0.2)
        # Storing opens the encoder; the picture is taken out again.
        while (answer := http.post("/api/v1/images", files=good)).status_code == 503:
            assert time.monotonic() < deadline_s, answer.text
            pause.wait(0.2)
        http.delete(f"/api/v1/images/{answer.json()['image_id']}")


def search_until_ready(http: httpx.Client, picture: bytes, *, timeout_s: float = 60) -> int:
    """Status of a search that was answered."""
    deadline_s, pause = time.monotonic() + timeout_s, threading.Event()
    while True:
        status = http.post("/api/v1/images/search", files={"picture": ("good.jpg", picture)}).status_code
        if status == 200 or time.monotonic() > deadline_s:
            return status
        pause.wait(0.2)


def fill(collection: ImageCollection, *, row_count: int) -> None:
    """Rows of the application's schema: vectors of drawn pictures, and others around them."""
    choice = np.random.default_rng(SEED)
    drawn = [np.asarray(Image.open(io.BytesIO(draw_picture(number)))) for number in range(SEED_PICTURES)]
    centres = np.asarray(collection.encoder.encode_images(drawn), dtype=np.float32)
    for begin in range(0, row_count, 5_000):
        numbers = np.arange(begin, min(begin + 5_000, row_count))
        towards = centres[numbers % SEED_PICTURES]
        noise = choice.normal(size=towards.shape).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        cosine = choice.uniform(0.6, 0.95, size=(len(numbers), 1)).astype(np.float32)
        vectors = cosine * towards + np.sqrt(1 - cosine**2) * noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        names = [f"made-{number}" for number in numbers]
        collection.gateway.rows.insert(
            collection.name,
            {
                "image_id": [f"{number:016x}-{number:024x}" for number in numbers],
                "origin_id": names, "name": names, "label": [f"group-{number % 20}" for number in numbers],
                "source": ["made"] * len(numbers), "width": np.full(len(numbers), 480), "height": np.full(len(numbers), 360),
                "hash": choice.integers(-(2**62), 2**62, size=len(numbers)), "content_sha256": [f"{number:064x}" for number in numbers],
                "vector": vectors,
            },
        )  # fmt: skip


def draw_picture(number: int) -> bytes:
    """A JPEG of 480 x 360: a gradient, shapes and noise, another for each number."""
    choice = np.random.default_rng(SEED + number)
    low, high = choice.integers(0, 255, size=(2, 3))
    slope = np.linspace(0, 1, 360)[:, None, None]
    pixels = low * (1 - slope) + high * slope + choice.normal(scale=12, size=(360, 480, 3))
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(choice.integers(2, 9))):
        x, y, side = (int(value) for value in choice.integers((0, 0, 30), (400, 300, 200)))
        shape = pen.ellipse if choice.random() < 0.5 else pen.rectangle
        shape((x, y, x + side, y + side), fill=tuple(int(value) for value in choice.integers(0, 255, size=3)))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=85)
    return written.getvalue()


def ask_on_time(http: httpx.Client, questions: Sequence[bytes], *, rate_per_s: float) -> list[dict[str, Any]]:
    """One search per tick, on threads enough that none waits for another; latency counts from the tick."""
    clock = threading.Event()
    began_s = time.perf_counter() + 0.5

    def ask(number: int) -> dict[str, Any]:
        due_s = began_s + number / rate_per_s
        sent_s = time.perf_counter()
        files = {"picture": ("question.jpg", questions[number], "image/jpeg")}
        answer = http.post("/api/v1/images/search", files=files, data={"limit": str(LIMIT), "collection": "images"})
        timing = answer.json().get("timing", {})
        latency_s = time.perf_counter() - due_s
        return {
            "status": answer.status_code,
            "latency_ms": round(latency_s * 1e3, 3),
            "send_late_ms": round((sent_s - due_s) * 1e3, 3),
            **{name: timing.get(name) for name in ("decode_ms", "embed_ms", "milvus_ms", "total_ms")},
        }

    with ThreadPoolExecutor(32) as threads:
        waiting = []
        for number in range(len(questions)):
            clock.wait(max(0.0, began_s + number / rate_per_s - time.perf_counter()))
            waiting.append(threads.submit(ask, number))
        return [each.result() for each in waiting]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """P50, P95, P99 and the largest, by the nearest rank."""
    ordered = sorted(values)
    found = {f"p{rank}": ordered[max(0, -(-rank * len(ordered) // 100) - 1)] for rank in (50, 95, 99)}
    return {**{name: round(value, 2) for name, value in found.items()}, "max": round(ordered[-1], 2)}


if __name__ == "__main__":
    main()
