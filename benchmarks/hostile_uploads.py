"""Every hostile file to every route that takes pictures: what is answered, and what memory the studio takes.

A real studio over a real Milvus, started for this run and stopped after it. The files are those of `tests/hostile_pictures.py`;
each is sent as a part of a form and as the whole body, to search, classification, comparison and storing, one at a time and
then eight at a time. Memory is the resident size of the studio's process, sampled 50 times a second; the growth is
against the size after the encoder was open and a good picture was searched for. In the end a good picture is asked again.

    python -m benchmarks.hostile_uploads
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.image_http_latency import running, search_until_ready
from benchmarks.manifest import collect_manifest, write_result
from tests.hostile_pictures import HOSTILE_PICTURES, make_picture, save_picture

ROUTES = ("search", "classify", "compare", "")
EXPECTED = {"limit": {413}, "media": {415}}
"""Files that are pictures after all may be taken, or refused for another reason (no second picture to compare with)."""


def main() -> None:
    """Runs the case and writes `benchmarks/results/NAME.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="hostile_uploads")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder, running(Path(folder)) as place:
        _, url, process = place
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
            good = save_picture(make_picture(), "PNG")
            http.post("/api/v1/images", files={"picture": ("good.png", good)})
            search_until_ready(http, good)
            with sampled(process.pid) as sizes:
                before = sizes[-1]
                rows = [send(http, *one) for one in cases()]
                with ThreadPoolExecutor(8) as threads:
                    for _ in range(given.rounds):
                        rows += threads.map(lambda one: send(http, *one), list(cases()))
            after = search_until_ready(http, good)
    wrong = [row for row in rows if not row["is_expected"]]
    metrics = {
        "requests": len(rows),
        "hostile_files": sum(picture.outcome != "decoded" for picture in HOSTILE_PICTURES),
        "odd_but_good_files": sum(picture.outcome == "decoded" for picture in HOSTILE_PICTURES),
        "answers_by_status": dict(sorted(collections.Counter(str(row["status"]) for row in rows).items())),
        "unexpected": len(wrong),
        "server_errors": sum(row["status"] >= 500 for row in rows),
        "resident_before_bytes": before,
        "resident_peak_bytes": max(sizes),
        "resident_growth_peak_bytes": max(sizes) - before,
        "resident_after_bytes": sizes[-1],
        "answered_afterwards": after == 200,
        "longest_answer_ms": max(row["request_ms"] for row in rows),
    }
    manifest = collect_manifest(packages=["fastapi", "nicegui", "Pillow", "uvicorn"], extra={"rounds": given.rounds})
    raw = {"wrong": wrong, "columns": {name: [row[name] for row in rows[: len(list(cases()))]] for name in rows[0]}}
    path = write_result(given.name, manifest=manifest, case={"routes": list(ROUTES)}, raw=raw, metrics=metrics)
    print(f"{path}\n" + "\n".join(f"{name}: {value}" for name, value in metrics.items()))


def cases() -> Iterator[tuple[Any, str, bool]]:
    """File, route, and whether it is a part of a form."""
    for picture in HOSTILE_PICTURES:
        for route in ROUTES:
            # Odd but good pictures are not stored: every run asks the same collection.
            if route or picture.outcome != "decoded":
                yield picture, route, True
                yield picture, route, False


def send(http: httpx.Client, picture: Any, route: str, is_form: bool) -> dict[str, Any]:  # noqa: FBT001
    """One upload: its status, and whether that is right for the file."""
    path = f"/api/v1/images/{route}".rstrip("/")
    began_s = time.perf_counter()
    if is_form:
        files = [("picture", (picture.name, picture.content, picture.media_type))] * (2 if route == "compare" else 1)
        answer = http.post(path, files=files)
    else:
        answer = http.post(path, content=picture.content, headers={"Content-Type": "image/png"})
    status = answer.status_code
    expected = EXPECTED.get(picture.outcome, {200, 400})
    # One picture alone cannot be compared, which is told before it is decoded.
    is_expected = status in expected or (route == "compare" and not is_form and status == 400)
    return {
        "file": ascii(picture.name)[:60], "route": route, "is_form": is_form, "status": status,
        "is_expected": is_expected, "request_ms": round((time.perf_counter() - began_s) * 1e3, 1),
    }  # fmt: skip


@contextmanager
def sampled(pid: int) -> Iterator[list[int]]:
    """Resident sizes of a process, 50 a second, until the block ends."""
    process, stop = psutil.Process(pid), threading.Event()
    sizes = [process.memory_info().rss]

    def sample() -> None:
        while not stop.wait(0.02):
            sizes.append(process.memory_info().rss)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield sizes
    finally:
        stop.set()
        sampler.join()


if __name__ == "__main__":
    main()
