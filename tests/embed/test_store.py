"""Models on disk: whole or absent, whoever builds and whatever breaks."""

import hashlib
import json
import multiprocessing
import os

import pytest

from milvuslab.embed.store import open_model
from milvuslab.model.errors import CheckFailedError

FILES = {"model.onnx": b"weights", "tokenizer.json": b"{}"}
PINS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


class Builder:
    def __init__(self, files=FILES):
        self.files = files
        self.call_count = 0

    def __call__(self, folder):
        self.call_count += 1
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def open_it(cache_dir, build, **more):
    return open_model("tiny", cache_dir=cache_dir, build=build, expected_sha256=PINS, **more)


def test_a_model_is_built_once_and_has_a_manifest(tmp_path):
    build = Builder()
    first, second = open_it(tmp_path, build), open_it(tmp_path, build)
    assert build.call_count == 1 and first == second
    assert json.loads((first.path / "manifest.json").read_text())["files"] == PINS
    assert {path.name for path in first.path.parent.iterdir()} == {"tiny", "tiny.lock"}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_built_again(tmp_path, name):
    folder = open_it(tmp_path, Builder()).path
    (folder / name).write_bytes(b"rotten!"[: len(FILES[name])])
    events = []
    open_it(tmp_path, Builder(), observer=events.append)
    assert f"{name} is damaged" in events[0].message
    assert {each: (folder / each).read_bytes() for each in FILES} == FILES


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("model.onnx", None, "model.onnx is missing"),
        ("manifest.json", None, "manifest.json is missing"),
        ("manifest.json", b"{", "manifest.json is damaged"),
        ("manifest.json", b'{"format": 99}', "another version"),
    ],
)
def test_other_damage_is_named_and_built_again(tmp_path, name, content, word):
    folder = open_it(tmp_path, Builder()).path
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    events = []
    open_it(tmp_path, Builder(), observer=events.append)
    assert word in events[0].message and (folder / "model.onnx").read_bytes() == b"weights"


def test_a_build_that_gives_other_bytes_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(CheckFailedError) as caught:
        open_it(tmp_path, Builder({**FILES, "model.onnx": b"other"}))
    assert len(caught.value.findings) == 1 and PINS["model.onnx"] in caught.value.findings[0]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny.lock"]


def test_a_build_that_fails_leaves_the_way_free(tmp_path):
    def fail(folder):
        (folder / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_it(tmp_path, fail)
    assert open_it(tmp_path, Builder()).path.is_dir()


def test_what_a_killed_build_left_is_removed(tmp_path):
    left = tmp_path / "models" / ".build-tiny-x1" / "model"
    left.mkdir(parents=True)
    open_it(tmp_path, Builder())
    assert not left.parent.exists()


def build_in_process(cache_dir, barrier, log):
    def build(folder):
        log.put(os.getpid())
        Builder()(folder)

    barrier.wait(timeout=30)
    open_it(cache_dir, build)


def test_two_processes_build_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, log = context.Barrier(2), context.Queue()
    workers = [context.Process(target=build_in_process, args=(tmp_path, barrier, log)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert log.get(timeout=5) and log.empty()
