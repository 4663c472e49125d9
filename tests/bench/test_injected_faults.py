"""Faults put in on purpose: each ends the command with an exit code above zero and its cause, within ten seconds.

All run through the command line on real servers. Only a server that fails one search in three, and one that ignores its
search parameters, are scripted: no real one does either on demand.
"""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from milvuslab.bench.collection import BUCKET_FIELD, ID_FIELD
from milvuslab.bench.run_folder import create_run
from milvuslab.cli.main import main
from milvuslab.data.truth import find_truth
from milvuslab.data.vectors import make_clustered
from milvuslab.gateway import connect
from milvuslab.machine import poll_until
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import PartialError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.runtime import add_lite, find_program, read_profile
from tests.bench.cases import with_file, write_case, write_fvecs, write_rows
from tests.bench.pretending import pretend
from tests.scripted_server import Reply

LIMIT_S = 10.0
DIM = 16
LONG = (("duration_s = 0.3", "duration_s = 40"), ("warm_up_count = 5", "warm_up_count = 5\ntimeout_s = 2"))


@dataclasses.dataclass
class Ended:
    """How a command ended."""

    code: int
    error: str
    took_s: float


@pytest.fixture
def bench(monkeypatch, tmp_path, capfd, server_settings):
    """`milvuslab bench run CASE` on the servers of the test run; more settings by environment name."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MILVUSLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILVUSLAB_HOME_DIR", str(server_settings.home_dir))
    monkeypatch.setenv("MILVUSLAB_CACHE_DIR", str(server_settings.cache_dir))
    monkeypatch.setenv("MILVUSLAB_START_TIMEOUT_S", "180")

    def run(case, *, server="lite", folder="run"):
        capfd.readouterr()
        begun_s = time.monotonic()
        code = main(["bench", "run", str(case), "--server", server, "--folder", str(tmp_path / folder)])
        return Ended(code, capfd.readouterr().err, time.monotonic() - begun_s)

    return run


@pytest.fixture(scope="session")
def lite(lite_endpoint, server_settings):
    """A gateway to Lite whose capabilities are known, so that no test waits for the probe."""
    with connect(lite_endpoint, cache_dir=server_settings.cache_dir, probe_timeout_s=20) as gateway:
        assert gateway.capabilities.index_types
        yield gateway


@pytest.fixture(scope="session")
def standalone(standalone_endpoint, server_settings):
    with connect(standalone_endpoint, cache_dir=server_settings.cache_dir, probe_timeout_s=20) as gateway:
        assert gateway.capabilities.index_types
        yield gateway


@pytest.fixture
def own_lite(tmp_path, monkeypatch, bench):
    """A home of its own with a Lite server that nobody else needs."""
    home_dir = tmp_path / "home"
    monkeypatch.setenv("MILVUSLAB_HOME_DIR", str(home_dir))
    add_lite(home_dir, "lite")
    yield home_dir
    main(["down"])


@pytest.fixture
def existing():
    """Makes a collection as the case's data set would fill it, but for what the test changes."""
    made = []

    def make(gateway, *, metric=Metric.L2, dim=DIM, times=1):
        name = f"faults_{len(made)}_{os.getpid()}"
        made.append((gateway, name))
        vectors = make_clustered(row_count=1_200, dim=dim, query_count=120)
        fields = (
            FieldSpec(name=ID_FIELD, data_type=DataType.INT64, is_primary=True),
            FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=dim),
            FieldSpec(name=BUCKET_FIELD, data_type=DataType.INT32),
        )
        gateway.collections.create(CollectionSpec(name=name, fields=fields, consistency=Consistency.STRONG))
        for _ in range(times):
            gateway.rows.insert(
                name,
                {
                    ID_FIELD: np.arange(1_200),
                    "vector": vectors.read_rows(0, 1_200),
                    BUCKET_FIELD: vectors.buckets(0, 1_200),
                },
            )
        gateway.collections.flush(name)
        params = {"M": 8, "efConstruction": 60}
        gateway.indexes.build(name, IndexSpec(field_name="vector", index_type="HNSW", metric=metric, params=params))
        gateway.collections.load(name)
        return name

    yield make
    for gateway, name in made:
        gateway.collections.drop(name)


def assert_refused(ended, *words, code):
    assert ended.code == code, ended
    assert ended.took_s < LIMIT_S, ended
    (line,) = [line for line in ended.error.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in line, ended.error
    assert [line for line in ended.error.splitlines() if line.startswith("next: ")]


def collections_of(gateway):
    return set(gateway.collections.list())


def test_a_server_of_another_version(bench, lite, tmp_path):
    case = write_case(tmp_path, replaced=[("[run]", '[server]\nversion = "2.3"\n\n[run]')])
    assert_refused(bench(case), "wrong version", "Milvus 2.3", "3.2", code=2)


def test_an_index_that_the_server_does_not_build(bench, standalone, tmp_path):
    before = collections_of(standalone)
    case = write_case(
        tmp_path,
        replaced=[
            ('type = "HNSW"', 'type = "ANNOY"'),
            ("{ M = 8, efConstruction = 60 }", "{ n_trees = 8 }"),
            ("{ ef = 20 }", "{ search_k = 100 }"),
        ],
    )
    assert_refused(bench(case, server="standalone"), "ANNOY", "2.3.5", code=2)
    assert collections_of(standalone) == before, "nothing was made"


def test_what_lite_cannot_do(bench, lite, tmp_path):
    before = collections_of(lite)
    replaced = [('type = "HNSW"', 'type = "IVF_PQ"'), ("{ M = 8, efConstruction = 60 }", "{ nlist = 8, m = 4 }")]
    case = write_case(tmp_path, replaced=[*replaced, ("{ ef = 20 }", "{ nprobe = 4 }")])
    assert_refused(bench(case), "IVF_PQ", "lite", code=2)
    assert collections_of(lite) == before


def test_bits_on_lite(bench, lite, tmp_path):
    replaced = [
        ('"clustered"', '"binary"'),
        ('metric = "L2"', 'metric = "HAMMING"'),
        ('type = "HNSW"', 'type = "BIN_FLAT"'),
        ("{ M = 8, efConstruction = 60 }", "{}"),
        ("{ ef = 20 }", "{}"),
    ]
    assert_refused(bench(write_case(tmp_path, replaced=replaced)), "BINARY_VECTOR", "lite", code=2)


@pytest.mark.parametrize(
    "old, new, wrong, right",
    [
        pytest.param("efConstruction = 60", "efConstrution = 60", "efConstrution", "efConstruction", id="build"),
        pytest.param("{ ef = 20 }", "{ eff = 20 }", "eff", "ef", id="search"),
        pytest.param("in_flight = 1", "in_fligth = 1", "in_fligth", "in_flight", id="load"),
    ],
)
def test_a_misspelt_parameter(bench, lite, tmp_path, old, new, wrong, right):
    ended = bench(write_case(tmp_path, replaced=[(old, new)]))
    assert_refused(ended, wrong, code=2)
    assert right in ended.error.split("next: ")[1]


def test_rows_that_are_there_twice(bench, existing, standalone, tmp_path):
    """On a real server: Lite keeps one row a key."""
    name = existing(standalone, times=2)
    case = write_case(tmp_path, replaced=[('metric = "L2"', f'name = "{name}"\nmetric = "L2"')])
    assert_refused(bench(case, server="standalone"), "duplicate keys", "2,400", code=1)


def test_an_index_with_another_metric(bench, existing, lite, tmp_path):
    name = existing(lite, metric=Metric.IP)
    case = write_case(tmp_path, replaced=[('metric = "L2"', f'name = "{name}"\nmetric = "L2"')])
    assert_refused(bench(case), "wrong metric", "IP", "L2", code=1)


def test_a_collection_of_another_dimension(bench, existing, lite, tmp_path):
    name = existing(lite, dim=8)
    case = write_case(tmp_path, replaced=[('metric = "L2"', f'name = "{name}"\nmetric = "L2"')])
    assert_refused(bench(case), "dimension mismatch", "8", "16", code=2)


def test_a_file_of_another_dimension(bench, lite, tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((50, 8), dtype=np.float32))
    case = write_case(tmp_path, replaced=[with_file("rows.npy", extra="dim = 16")])
    assert_refused(bench(case), "dimension mismatch", "8", "16", code=2)


def test_vectors_with_nan(bench, lite, tmp_path):
    before = collections_of(lite)
    rows = np.random.default_rng(0).normal(size=(400, DIM)).astype(np.float32)
    rows[137, 3] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    ended = bench(write_case(tmp_path, replaced=[with_file("rows.npy")]))
    assert_refused(ended, "137", code=2)
    assert "nan" in ended.error.lower()
    assert collections_of(lite) == before, "nothing half-made is left"


@pytest.mark.parametrize("kind, word", [("stale", "stale truth"), ("empty", "no row"), ("far", "no row")])
def test_true_neighbours_of_other_data(bench, lite, tmp_path, kind, word):
    dice = np.random.default_rng(1)
    write_fvecs(tmp_path / "set_base.fvecs", dice.normal(size=(400, DIM)))
    write_fvecs(tmp_path / "set_query.fvecs", dice.normal(size=(20, DIM)))
    truth = tmp_path / "set_groundtruth.ivecs"
    if kind == "empty":
        truth.write_bytes(b"")
    else:
        write_rows(truth, dice.integers(0, 400 if kind == "stale" else 4_000, (20, 10)).astype("<i4"))
    ended = bench(write_case(tmp_path, replaced=[with_file("set_base.fvecs")]))
    assert_refused(ended, word, code=1 if kind == "stale" else 2)


def test_a_port_that_is_taken(bench, own_lite, tmp_path):
    port = read_profile(own_lite, "lite").ports["proxy"]
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", port))
        taker.listen()
        assert_refused(bench(write_case(tmp_path)), f"port {port}", "taken", code=2)


def test_a_disk_without_room_for_the_records(bench, lite, tmp_path):
    replaced = [("duration_s = 0.3", "duration_s = 86400"), ("repeats = 1", "repeats = 1000")]
    case = write_case(tmp_path, replaced=replaced)
    assert_refused(bench(case), "disk", "full", code=3)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_disk_that_fills_up_during_the_run(tmp_path):
    """The kernel's own refusal, from /dev/full, on the way that every file of a run takes."""
    from milvuslab.bench.case_file import read_case

    run = create_run(tmp_path / "run", read_case(write_case(tmp_path)))
    run.note_phase("upload", {"wall_s": 1.0})
    said = pytest.raises(PartialError, match=r"the disk of .* is full: 1 phases")
    with said as caught, run.guard_disk(), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert caught.value.exit_code == 4 and "--folder" in caught.value.hint


def test_a_server_that_hangs_and_then_dies(bench, own_lite, tmp_path):
    """First it is frozen, which is a timeout; going on and killed, its process is missing."""
    assert main(["server", "start", "lite"]) == 0
    pid = find_program(read_profile(own_lite, "lite").record_path).pid
    case = write_case(tmp_path, replaced=LONG)
    for number, word in ((signal.SIGSTOP, "timeout"), (signal.SIGKILL, f"process {pid} ended")):
        hit_s, thread = strike(pid, number, tmp_path / number.name / "run.json")
        ended = bench(case, folder=number.name)
        thread.join()
        since_s = time.monotonic() - hit_s[0]
        assert since_s < LIMIT_S
        assert_refused(dataclasses.replace(ended, took_s=since_s), word, code=3)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def strike(pid, number, journal):
    """Sends the signal once the run of that journal searches."""
    hit_s = []

    def wait_and_hit():
        def is_searching():
            with contextlib.suppress(OSError, ValueError):
                return "build and load" in json.loads(journal.read_text())["phases"]
            return False

        poll_until(is_searching, timeout_s=30)
        threading.Event().wait(1.0)  # the phase is in the journal a moment before the first search is sent
        os.kill(pid, number)
        hit_s.append(time.monotonic())

    thread = threading.Thread(target=wait_and_hit)
    thread.start()
    return hit_s, thread


def test_a_third_of_the_searches_fails(bench, lite, tmp_path, monkeypatch):
    def script(number):
        return Reply(error_code=65_535, reason="node is overloaded") if number % 10 in (2, 5, 8) else Reply()

    ended = on_pretender(bench, tmp_path, monkeypatch, script, [])
    assert_refused(ended, "errors: 30", "node is overloaded", code=1)


def test_search_parameters_that_do_not_arrive(bench, lite, tmp_path, monkeypatch):
    ladder = [("params = { ef = 20 }", "params = [{ ef = 8 }, { ef = 64 }]")]
    ended = on_pretender(bench, tmp_path, monkeypatch, None, ladder)
    assert_refused(ended, "parameters never reach the server", "ef=8", "ef=64", code=1)


def on_pretender(bench, tmp_path, monkeypatch, script, replaced):
    """The command on a scripted server that answers four of five neighbours right whatever it is asked."""
    vectors = make_clustered(row_count=1_200, dim=DIM, query_count=120)
    truth = find_truth(vectors, metric=Metric.L2, k=6, cache_dir=None)
    # The server shares our process: without a pause it is our own speed that would be measured.
    with pretend(script or (lambda number: Reply(after_s=0.005)), vectors, truth) as endpoint:
        monkeypatch.setenv("MILVUSLAB_HOME_DIR", str(tmp_path / "pretender"))
        assert main(["server", "add", "pretender", "--uri", endpoint.uri]) == 0
        monkeypatch.setenv("MILVUSLAB_RETRY_COUNT", "0")
        case = write_case(tmp_path, replaced=[('metric = "L2"', 'name = "scripted"\nmetric = "L2"'), *replaced])
        return bench(case, server="pretender")
