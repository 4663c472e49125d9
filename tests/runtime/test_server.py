"""Real servers: started, stopped, killed, broken on purpose."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from pymilvus import DataType, MilvusClient

from milvuslab.gateway.readiness import check_ready
from milvuslab.machine.polling import poll_until
from milvuslab.machine.record import read_record, write_record
from milvuslab.model.errors import ConflictError, StartError, TimedOutError, UnreachableError, UnsupportedError
from milvuslab.runtime import server as server_module
from milvuslab.runtime.builds import choose_build, read_machine
from milvuslab.runtime.profile import add_lite, add_remote, add_standalone, endpoint_of, read_profile
from milvuslab.runtime.program import find_program
from milvuslab.runtime.server import (
    read_server_log,
    remove_server,
    restart_server,
    server_status,
    start_server,
    stop_server,
)
from tests.runtime.conftest import USER_CACHE_DIR, make_settings, processes_below

ROWS = [{"id": number, "vector": [number, 0.0, 0.0, 1.0]} for number in range(100)]


def insert_rows(profile, name):
    """Acknowledged rows that nobody flushed: what is there after a crash came from the log."""
    client = MilvusClient(uri=endpoint_of(profile).uri, timeout=20)
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_collection(name, schema=schema, consistency_level="Strong")
    assert client.insert(name, ROWS)["insert_count"] == len(ROWS)
    client.create_index(name, index)
    client.close()


def count_rows(profile, name) -> int:
    client = MilvusClient(uri=endpoint_of(profile).uri, timeout=20)
    client.load_collection(name)
    found = client.query(name, filter="id >= 0", output_fields=["id"], consistency_level="Strong")
    client.close()
    return len(found)


def test_three_servers_run_side_by_side(servers, shared_settings):
    found = [server_status(profile, settings=shared_settings, is_ready=check_ready) for profile in servers.values()]
    assert [status.state for status in found] == ["running"] * 3
    assert [status.version for status in found][1:] == ["2.3.5", "2.2.16"]
    assert len({status.pid for status in found}) == 3
    for status in found:
        assert status.rss_bytes > 50_000_000
        assert status.uptime_s > 0
        assert status.data_size_bytes > 0
        assert status.as_dict()["ports"]["proxy"] == int(status.uri.rsplit(":", 1)[1])


def test_the_metadata_store_and_lite_listen_on_loopback_only(servers):
    for name, expected in {
        "lite": {"proxy"},
        "standalone": {"etcd", "etcd_peer"},
        "annoy": {"etcd", "etcd_peer"},
    }.items():
        ports = {port: purpose for purpose, port in servers[name].ports.items()}
        process = psutil.Process(find_program(servers[name].record_path).pid)
        listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        silent = set(ports) - {c.laddr.port for c in listening}
        assert {ports[port] for port in silent} == ({"index_coord"} if name == "standalone" else set())
        assert {ports[c.laddr.port] for c in listening if c.laddr.ip.removeprefix("::ffff:") == "127.0.0.1"} == expected


def test_all_files_of_the_servers_lie_in_their_folders(servers):
    for profile in servers.values():
        process = psutil.Process(find_program(profile.record_path).pid)
        written = [f.path for f in process.open_files() if getattr(f, "mode", "r") != "r"]
        assert written
        outside = [path for path in written if not path.startswith(str(profile.folder.resolve()))]
        assert [path for path in outside if "memfd:" not in path] == []


def test_starting_a_running_server_changes_nothing(servers, shared_settings):
    before = find_program(servers["standalone"].record_path)
    status = start_server(servers["standalone"], settings=shared_settings, is_ready=check_ready)
    assert (status.state, status.pid) == ("running", before.pid)


def test_a_running_server_cannot_be_removed(servers):
    with pytest.raises(ConflictError, match="server lite is running"):
        remove_server(servers["lite"])
    assert (servers["lite"].folder / "profile.json").exists()


def test_the_log_of_a_standalone_is_milvus_own(servers):
    lines = read_server_log(servers["standalone"], line_count=50)
    assert len(lines) == 50
    assert any("[INFO]" in line for line in lines)


def test_lite_keeps_its_data_over_a_restart(servers, shared_settings):
    insert_rows(servers["lite"], "kept_over_restart")
    restart_server(servers["lite"], settings=shared_settings, is_ready=check_ready)
    assert count_rows(servers["lite"], "kept_over_restart") == len(ROWS)


def test_lite_keeps_what_it_acknowledged_over_a_kill(servers, shared_settings):
    insert_rows(servers["lite"], "kept_over_kill")
    kill(servers["lite"])
    assert server_status(servers["lite"], settings=shared_settings).state == "stopped"
    start_server(servers["lite"], settings=shared_settings, is_ready=check_ready)
    assert count_rows(servers["lite"], "kept_over_kill") == len(ROWS)


def test_a_standalone_stops_in_time_and_keeps_its_data(servers, shared_settings):
    insert_rows(servers["standalone"], "kept_over_stop")
    report = stop_server(servers["standalone"], settings=shared_settings)
    assert (report.was_running, report.was_killed) == (True, False)
    start_server(servers["standalone"], settings=shared_settings, is_ready=check_ready)
    assert count_rows(servers["standalone"], "kept_over_stop") == len(ROWS)


def test_2_2_is_killed_after_its_short_limit_and_keeps_its_data(servers, shared_settings):
    insert_rows(servers["annoy"], "kept_over_stop")
    report = stop_server(servers["annoy"], settings=shared_settings)
    assert report.was_running
    assert report.duration_s < 8
    start_server(servers["annoy"], settings=shared_settings, is_ready=check_ready)
    assert count_rows(servers["annoy"], "kept_over_stop") == len(ROWS)


def kill(profile):
    pid = find_program(profile.record_path).pid
    os.kill(pid, signal.SIGKILL)
    assert poll_until(lambda: find_program(profile.record_path) is None, timeout_s=10), f"process {pid} lives on"


def test_a_server_that_is_just_being_killed_is_started_again(servers, shared_settings):
    killed = find_program(servers["lite"].record_path)
    asked = []

    def kill_first(endpoint, timeout_s):
        asked.append(endpoint)
        if len(asked) == 1:
            os.kill(killed.pid, signal.SIGKILL)
            raise UnreachableError("it has just been killed")
        check_ready(endpoint, timeout_s)

    status = start_server(servers["lite"], settings=shared_settings, is_ready=kill_first)
    assert status.state == "running"
    assert status.pid != killed.pid


STARTER = """
import sys
from pathlib import Path
from milvuslab.gateway.readiness import check_ready
from milvuslab.model.settings import resolve
from milvuslab.runtime import read_profile, start_server
settings = resolve(flags={"home_dir": sys.argv[1], "cache_dir": sys.argv[2]}, environment={"HOME": "/none"})
start_server(read_profile(Path(sys.argv[1]), "lite"), settings=settings, is_ready=check_ready,
             observer=lambda progress: print(progress.step, flush=True))
"""


def test_a_starter_that_is_killed_while_waiting_leaves_a_server_that_is_found(home, settings):
    profile = add_lite(home, "lite")
    command = [sys.executable, "-c", STARTER, str(home), str(USER_CACHE_DIR)]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while starter.stdout.readline() != "wait for lite\n":
        assert starter.poll() is None
    starter.kill()
    starter.communicate()
    profile.record_path.unlink()  # as if it had been killed a moment earlier
    assert find_program(profile.record_path) is not None
    status = start_server(profile, settings=settings, is_ready=check_ready)
    assert status.state == "running"
    assert len(processes_below(home)) == 1
    assert stop_server(profile, settings=settings).was_running
    assert processes_below(home) == []


def test_a_starter_that_is_interrupted_stops_what_it_started(home, settings):
    profile = add_lite(home, "lite")

    def interrupt(endpoint, timeout_s):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_server(profile, settings=settings, is_ready=interrupt)
    assert processes_below(home) == []
    assert server_status(profile, settings=settings).state == "stopped"


def never_ready(endpoint, timeout_s):
    raise UnreachableError("the probe says no")


def test_a_server_that_is_not_ready_in_time_is_stopped_and_told(home):
    profile, settings = add_lite(home, "lite"), make_settings(home, start_timeout_s=5)
    with pytest.raises(StartError, match=r"answered no search within 5 s and was stopped: (the probe|port)") as raised:
        start_server(profile, settings=settings, is_ready=never_ready)
    assert "MILVUSLAB_START_TIMEOUT_S=10" in raised.value.hint
    assert processes_below(home) == []


def test_a_running_server_that_does_not_answer_is_left_running_and_told(servers, shared_home):
    settings = make_settings(shared_home, call_timeout_s=0.5, start_timeout_s=5)
    with pytest.raises(TimedOutError, match=r"runs as process .* but answers no search") as raised:
        start_server(servers["lite"], settings=settings, is_ready=never_ready)
    assert raised.value.hint == "milvuslab server restart lite"
    assert find_program(servers["lite"].record_path) is not None


def test_a_server_that_does_not_answer_is_starting_at_first_and_unresponsive_later(servers, shared_home):
    patient, impatient = (make_settings(shared_home, start_timeout_s=limit_s) for limit_s in (1_800, 5))
    assert server_status(servers["annoy"], settings=patient, is_ready=never_ready).state == "starting"
    grown = poll_until(lambda: find_program(servers["annoy"].record_path).uptime_s > 5, timeout_s=10)
    assert grown, "the server's uptime does not grow"
    assert server_status(servers["annoy"], settings=impatient, is_ready=never_ready).state == "unresponsive"


def test_a_taken_port_is_named_and_nothing_is_started(home, settings):
    profile = add_standalone(home, "x", version="2.3.5")
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", profile.ports["query_node"]))
        stranger.listen(1)
        with pytest.raises(ConflictError, match=rf"\(query_node of server x\) is taken by process {os.getpid()}"):
            start_server(profile, settings=settings, is_ready=check_ready)
    assert processes_below(home) == []
    assert read_profile(home, "x").ports == profile.ports


def test_a_home_on_a_full_disk_is_refused_before_anything_is_written(small_disk):
    profile = add_standalone(small_disk, "x", version="2.3.5")
    with pytest.raises(StartError, match=r"is full: .* server x takes 500 MB"):
        start_server(profile, settings=make_settings(small_disk), is_ready=check_ready)
    assert [path.name for path in profile.folder.iterdir()] == ["profile.json"]


@pytest.mark.parametrize("version", ["2.3.5", "2.2.16"])
def test_a_disk_that_fills_up_at_start_is_the_named_cause(small_disk, monkeypatch, version):
    monkeypatch.setattr(server_module, "_NEEDED_BYTES", dict.fromkeys(server_module._NEEDED_BYTES, 0))
    profile = add_standalone(small_disk, "x", version=version)
    with pytest.raises(StartError, match=r"died at start( \(.*\))?: the disk is full; its last words:") as raised:
        start_server(profile, settings=make_settings(small_disk), is_ready=check_ready)
    assert "no space left on device" in raised.value.message
    assert raised.value.context["exit"] in ("signal SIGABRT", "exit code 2")
    assert processes_below(small_disk) == []


def test_damaged_metadata_is_the_named_cause(home, settings):
    profile = add_standalone(home, "x", version="2.3.5")
    wal = profile.folder / "etcd" / "member" / "wal"
    wal.mkdir(parents=True)
    (profile.folder / "etcd" / "member" / "snap").mkdir()
    (wal / "0000000000000000-0000000000000000.wal").write_bytes(os.urandom(100_000))
    with pytest.raises(StartError, match=r"died at start( \(.*\))?: the data is damaged") as raised:
        start_server(profile, settings=settings, is_ready=check_ready)
    assert "milvuslab server remove x" in raised.value.hint


def test_a_missing_library_is_the_named_cause(home, tmp_path):
    build = choose_build(read_machine())
    real, broken = USER_CACHE_DIR / "milvus" / build.version, tmp_path / "cache" / "milvus" / build.version
    broken.mkdir(parents=True)
    record = read_record(real / "files.json", version=1)
    del record["files"]["librocksdb.so.6"]
    for name in [*record["files"], "config.yaml.template"]:
        (broken / name).symlink_to(real / name)
    write_record(broken / "files.json", record, version=1)
    settings = make_settings(home, cache_dir=tmp_path / "cache", offline=True)
    with pytest.raises(StartError, match=r"(?s)\(exit code 127\): a library is missing.*librocksdb\.so\.6") as raised:
        start_server(add_standalone(home, "x"), settings=settings, is_ready=check_ready)
    assert "milvuslab server install --repair" in raised.value.hint


def test_a_stopped_server_is_told_so_and_can_be_removed(home, settings):
    profile = add_lite(home, "lite")
    status = server_status(profile, settings=settings)
    assert (status.state, status.pid, status.uptime_s, status.rss_bytes) == ("stopped", None, None, None)
    assert not stop_server(profile, settings=settings).was_running
    assert read_server_log(profile) == ()
    remove_server(profile)
    assert not profile.folder.exists()


def test_a_remote_server_is_asked_but_never_started_or_stopped(home, settings, servers):
    profile = add_remote(home, "far", uri=endpoint_of(servers["lite"]).uri)
    status = start_server(profile, settings=settings, is_ready=check_ready)
    assert (status.state, status.pid, status.data_size_bytes) == ("running", None, 0)
    assert not stop_server(profile, settings=settings).was_running
    assert server_status(servers["lite"], settings=settings).state == "running"
    with pytest.raises(UnsupportedError, match="the log of a remote server"):
        read_server_log(profile)


def test_a_remote_server_that_is_away_is_unresponsive(home, settings):
    profile = add_remote(home, "far", uri="http://127.0.0.1:9")
    assert server_status(profile, settings=settings, is_ready=never_ready).state == "unresponsive"
    with pytest.raises(UnreachableError):
        start_server(profile, settings=settings, is_ready=never_ready)
