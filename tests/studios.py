"""A real studio in a process of its own, over a real server of its own that holds a few real documents."""

import contextlib
import dataclasses
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from milvuslab.journal.job import Job
from milvuslab.machine import write_record
from milvuslab.model.errors import UnsupportedError
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace
from milvuslab.studio.lab.order import job_id_of
from tests.servers import KEPT_NAMES

ENGLISH = {
    "Snow": "Fresh snow is bright because its many small crystals scatter nearly all of the sunlight that falls on them.",
    "Bread": "Yeast eats the sugar in the dough and gives off gas, so the bread rises before it is baked in a hot oven.",
    "Volcano": "A volcano erupts when molten rock, pushed up by hot gas, finds a way through the crust of the earth.",
    "Chess": "The king may castle only when neither he nor the rook has moved and no square between them is attacked.",
    "Bees": "Honey bees dance in the dark hive to tell the others in which direction flowers with nectar can be found.",
    "Tides": "The moon pulls the water of the seas towards it, and so the tide rises and falls about twice a day.",
}
KOREAN = {
    "김치": "김치는 소금에 절인 배추에 고춧가루와 마늘, 젓갈을 버무려 발효시킨 음식이다. 겨울을 나려고 한꺼번에 담근다.",
    "한글": "한글은 세종대왕이 백성이 쉽게 글을 읽고 쓸 수 있도록 만든 문자이다. 소리 내는 입 모양을 본떠 글자를 만들었다.",
    "표 계산": "표에서 여러 칸을 하나로 합치려면 칸을 고른 다음 메뉴에서 셀 병합을 누른다. 다시 나누려면 셀 분할을 누른다.",
    "지진": "지진은 땅속의 단층이 갑자기 어긋나면서 쌓여 있던 힘이 풀려 땅이 흔들리는 현상이다.",
    "자전거": "자전거 바퀴에 바람이 빠지면 튜브를 꺼내 구멍을 찾고, 그 자리를 사포로 문지른 뒤 패치를 붙인다.",
}


@dataclasses.dataclass(frozen=True)
class RunningStudio:
    """A studio that answers.

    Attributes:
        url: its address.
        process: it.
        workspace: the servers it shows.
        server: the one that holds its documents.
        log: the lines it wrote so far.
    """

    url: str
    process: subprocess.Popen
    workspace: object
    server: str
    log: list

    def client(self, **options):
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    """The studio that most tests look at; nobody stops its server."""
    workspace = make_workspace(tmp_path_factory.mktemp("studio"), server="standalone")
    try:
        start(workspace, "standalone")
    except UnsupportedError:  # no build for this platform: Lite serves as well
        workspace = make_workspace(tmp_path_factory.mktemp("studio"), server="lite")
        start(workspace, "lite")
    try:
        with run_studio(workspace) as running:
            wait_until_ready(running)
            fill(running)
            yield running
    finally:
        stop(workspace, workspace.server_name())


@pytest.fixture(scope="session")
def http(studio):
    """Asks the studio."""
    with studio.client() as client:
        yield client


def make_workspace(folder, *, server, **flags):
    """A workspace in a folder of its own, with the person's own cache."""
    environment = {name: os.environ[name] for name in KEPT_NAMES if name in os.environ}
    if "MILVUSLAB_TEST_CACHE_DIR" in os.environ:
        environment["MILVUSLAB_CACHE_DIR"] = os.environ["MILVUSLAB_TEST_CACHE_DIR"]
    given = {"home_dir": str(folder / "home"), "server": server, "start_timeout_s": "180", "studio_port": "0", **flags}
    return open_workspace(flags=given, environment=environment, folder=folder)


@contextlib.contextmanager
def run_studio(workspace):
    """A studio of the workspace, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "milvuslab.studio"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**workspace.child_environment(), "PYTHONUNBUFFERED": "1"},
        cwd=workspace.folder,
    )
    lines, log = queue.Queue(), []
    reader = threading.Thread(target=_read, args=(process.stdout, lines, log), daemon=True)
    reader.start()
    try:
        yield RunningStudio(_wait_for_url(lines, log), process, workspace, workspace.server_name(), log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        reader.join(5)
        process.stdout.close()


def wait_until_ready(running, *, timeout_s=180):
    """Until the server answers and the encoders are open."""

    def is_ready():
        return client.get("/api/v1/health").json()["is_ready"]

    with running.client() as client:
        wait_for(is_ready, what=lambda: client.get("/api/v1/health").text, timeout_s=timeout_s)


def wait_for(holds, *, timeout_s=30, what=lambda: "it did not happen"):
    """Until `holds()` is true; fails with `what()` after the deadline."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while time.monotonic() < deadline_s:
        found = holds()
        if found:
            return found
        pause.wait(0.1)
    return pytest.fail(f"not within {timeout_s} s: {what()}")


def fill(running):
    """The documents above; the last of each language is waited for."""
    with running.client() as client:
        for texts, language in ((ENGLISH, "en"), (KOREAN, "ko")):
            for title, text in texts.items():
                body = {
                    "title": title, "text": text, "language": language, "source": "encyclopedia",
                    "published_at": "2001-05-17", "url": "https://example.org/article", "document_id": f"{language}-{len(title)}-{ord(title[0])}",
                }  # fmt: skip
                answer = client.post("/api/v1/text/documents", json=body, params={"wait": title == list(texts)[-1]})
                assert answer.status_code == 201, answer.text


def keep_comparison(home_dir, comparison_id="20250102-030405-ab12"):
    """A comparison that really ran on Lite (3,000 x 16: FLAT, HNSW, IVF_FLAT), laid where a studio finds it."""
    folder = Path(home_dir) / "comparisons" / comparison_id
    shutil.copytree(Path(__file__).parent / "studio" / "cases" / "comparison", folder)
    write_record(
        Path(home_dir) / "jobs" / f"{job_id_of(comparison_id)}.json",
        Job(job_id=job_id_of(comparison_id), title="3,000 x 16", state="done").as_dict(),
        version=1,
    )
    return folder


def _wait_for_url(lines, log):
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            continue
        if line is None:
            break
        found = re.search(r"studio: (http://\S+)", line)
        if found:
            return found.group(1)
    return pytest.fail(f"the studio did not say its address: {log}")


def _read(stream, lines, log):
    for line in stream:
        log.append(line)
        lines.put(line)
    lines.put(None)
