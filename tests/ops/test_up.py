"""Everything up and down again, on real servers with the real studio, from start to end."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import psutil
import pytest

from milvuslab.machine.lock import hold_lock
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.ops import servers
from milvuslab.ops.up import stop_all
from tests.ops.conftest import make_place, processes_below, wait_until


@pytest.fixture(scope="module")
def used(tmp_path_factory, server_settings):
    """A place whose servers have been up before, which makes every later start quick."""
    yield from make_place(tmp_path_factory.mktemp("used"), server_settings.cache_dir)


@pytest.fixture
def place(used):
    """The same place for each test, left with nothing running."""
    yield used
    stop_all(used.workspace())
    assert processes_below(used.home) == []


def fill(workspace, name):
    key = FieldSpec(name="id", data_type=DataType.INT64, is_primary=True)
    vector = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4)
    with workspace.connect("standalone") as gateway:
        if not gateway.collections.exists(name):
            index = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2)
            gateway.collections.create(CollectionSpec(name=name, fields=(key, vector)), [index])
            gateway.collections.load(name)
            gateway.rows.insert(name, {"id": np.arange(7), "vector": np.zeros((7, 4), dtype=np.float32)})


KEPT = [{"name": "kept", "row_count": 7, "is_exact": True}]


def of_server(status, name):
    return next(server for server in status["servers"] if server["name"] == name)


def states(status):
    return {server["name"]: server["state"] for server in status["servers"]}


def pids(status):
    return {server["name"]: server["pid"] for server in status["servers"]} | {"studio": status["studio"]["pid"]}


def wait_for_url(process):
    for line in process.stdout:
        if line.startswith("http://"):
            return line.strip()
    raise AssertionError(f"no address came: {process.stderr.read()}")


def test_up_again_down_and_up_in_the_foreground_until_its_starter_is_killed(place):
    first = place.run("up", "--no-samples", "--json")
    assert sorted(first["started"]) == ["lite", "standalone", "studio"]
    assert first["missing"] == []
    with urllib.request.urlopen(f"{first['url']}/api/v1/health", timeout=10) as answer:
        assert answer.status == 200
    fill(place.workspace(), "kept")

    status = place.run("status", "--json")
    assert states(status) == {"lite": "running", "standalone": "running"}
    standalone = of_server(status, "standalone")
    assert standalone["collections"] == KEPT
    assert standalone["ports"]["proxy"] and standalone["rss_bytes"] > 50_000_000 and standalone["uptime_s"] > 0
    shown = place.run("status")
    assert all(part in shown for part in (first["url"], "kept", "standalone", "studio: running"))

    again = place.run("up", "--no-samples", "--json")
    assert (again["started"], again["url"]) == ([], first["url"])
    assert pids(place.run("status", "--json")) == pids(status), "what runs is left as it is"

    assert sorted(place.run("down", "--json")["stopped"]) == ["lite", "standalone", "studio"]
    assert processes_below(place.home) == []
    assert place.run("down") == "nothing was running\n"

    began_s = time.monotonic()
    starter = place.start("up", "--foreground", "--no-samples")
    url = wait_for_url(starter)
    assert time.monotonic() - began_s < 30, "a second start is quick"
    assert of_server(place.run("status", "--json"), "standalone")["collections"] == KEPT

    psutil.Process(of_server(place.run("status", "--json"), "lite")["pid"]).kill()
    told = next(line for line in starter.stderr if "by itself" in line)
    assert told.startswith("lite ")

    starter.kill()
    starter.communicate(timeout=30)
    status = place.run("status", "--json")
    assert (status["url"], states(status)) == (url, {"lite": "stopped", "standalone": "running"})
    for record in place.home.glob("**/process.json"):
        record.unlink()  # programs are found by their mark even without a record
    assert sorted(place.run("down", "--json")["stopped"]) == ["standalone", "studio"]
    assert processes_below(place.home) == []


def test_a_foreground_up_that_is_ended_stops_what_it_started_and_only_that(place):
    place.run("server", "start", "lite")
    process = place.start("up", "--foreground", "--no-samples")
    wait_for_url(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 143, err
    assert "Traceback" not in err
    status = place.run("status", "--json")
    assert states(status) == {"lite": "running", "standalone": "stopped"}
    assert status["studio"] is None


@pytest.mark.parametrize("begun", ["studio", "standalone"])
def test_ctrl_c_in_the_middle_leaves_nothing(place, begun):
    process = place.start("up", "--no-samples")
    record = place.home / ("studio/program.json" if begun == "studio" else "servers/standalone/process.json")
    wait_until(lambda: record.exists() or process.poll() is not None, what=f"{begun} begins")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "http://" not in out
    assert processes_below(place.home) == []


def test_a_taken_port_is_named_and_nothing_is_left(place):
    port = servers.open_profile(place.workspace(), "standalone").ports["proxy"]
    with socket.create_server(("127.0.0.1", port)):
        said = place.run("up", "--no-samples", code=2)
    assert f"port {port} (proxy of server standalone) is taken" in said
    assert "next: stop that program, or give the server other ports" in said
    assert processes_below(place.home) == []


def test_two_at_once_do_not_meet(place):
    with hold_lock(place.home / "up.lock", timeout_s=1, doing="testing"):
        process = place.start("down")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_without_the_extras_the_servers_are_up_and_what_is_missing_is_told(place):
    # A Python that cannot find the packages of the extras, as after a plain install.
    code = (
        "import importlib.metadata, importlib.util, sys\n"
        "find, version_of = importlib.util.find_spec, importlib.metadata.version\n"
        "gone = ('nicegui', 'onnxruntime', 'milvus-lite')\n"
        "def version(name):\n"
        "    if name in gone: raise importlib.metadata.PackageNotFoundError(name)\n"
        "    return version_of(name)\n"
        "importlib.metadata.version = version\n"
        "importlib.util.find_spec = lambda name, package=None: None if name == 'milvus_lite' else find(name, package)\n"
        "from milvuslab.cli.main import main\n"
        "sys.exit(main(['up']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=place.environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    for extra in ("lite", "text", "studio"):
        assert f"pip install 'milvuslab[{extra}]'" in done.stdout
    assert "standalone: Milvus" in done.stdout
    assert "http://127.0.0.1:8" not in done.stdout.splitlines()[-1]
