"""Starting and ending, without and with what goes wrong; the whole cluster is in tests/contract/test_cluster.py."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from milvuslab.machine.lock import hold_lock
from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import ConflictError, StartError, UnreachableError
from milvuslab.runtime import find_program
from milvuslab.runtime.cluster import (
    add_instance,
    cluster_status,
    remove_instance,
    restart_instances,
    start_cluster,
    stop_cluster,
)
from milvuslab.runtime.ports import check_ports


def never_asked(endpoint, timeout_s):
    raise UnreachableError("nothing is up yet")


def test_a_taken_port_is_named_and_nothing_is_left_running(make, kit):
    made = make()
    with (
        socket.create_server(("127.0.0.1", made.port_of("proxy-2", "metrics"))),
        pytest.raises(ConflictError, match=r"proxy-2/metrics of server cluster"),
    ):
        start_cluster(made, kit=kit, is_ready=never_asked)
    assert cluster_status(made, settings=kit.settings).state == "stopped"


def test_a_part_that_dies_is_named_with_its_last_words(make, kit, home):
    made = make()
    (made.folder_of("kafka-1") / "data").mkdir(parents=True)
    (made.folder_of("kafka-1") / "data" / "meta.properties").write_text("version=1\nbroken", encoding="utf-8")
    with pytest.raises(StartError, match="kafka-1 of cluster cluster died") as caught:
        start_cluster(made, kit=kit, is_ready=never_asked)
    assert caught.value.context["log"]
    assert cluster_status(made, settings=kit.settings).state == "stopped"


def test_what_a_killed_starter_left_is_ended(make, kit, home):
    made = make()
    program = (sys.executable, "-m", "milvuslab.cli", "cluster", "up")
    folders = {
        "MILVUSLAB_HOME_DIR": str(home),
        "MILVUSLAB_CACHE_DIR": str(kit.settings.cache_dir),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
    }
    starter = subprocess.Popen(program, env=folders, stderr=subprocess.DEVNULL)
    assert poll_until(lambda: find_program(made.record_of("root-coord-1")), timeout_s=120), "it never came so far"
    starter.send_signal(signal.SIGKILL)
    starter.wait(10)

    assert stop_cluster(made.profile, settings=kit.settings).was_running
    assert [name for name in made.profile.instances if find_program(made.record_of(name))] == []
    check_ports(made.profile.ports, server_name="cluster")
    with hold_lock(made.lock_path, timeout_s=0.1, doing="looking"):
        pass


def test_stopping_what_does_not_run_is_fine(make, settings):
    assert not stop_cluster(make().profile, settings=settings).was_running


def test_a_stopped_cluster_is_not_changed_role_by_role(home, make, kit):
    made = make()
    with pytest.raises(ConflictError, match="is not running") as caught:
        add_instance(home, made, "query-node", kit=kit, is_ready=never_asked)
    assert caught.value.hint == "milvuslab cluster up cluster"
    with pytest.raises(ConflictError, match="is not running"):
        restart_instances(made, ["proxy"], kit=kit, is_ready=never_asked)


@pytest.mark.parametrize("role, message", [("data-node", "is the last data-node"), ("etcd", "fixed")])
def test_the_last_of_a_role_stays(home, make, settings, role, message):
    made = make()
    with pytest.raises(ConflictError, match=message):
        remove_instance(home, made, role, settings=settings)


def test_a_stopped_instance_is_removed_with_its_folder(home, make, settings):
    made = make()
    made.folder_of("query-node-2").mkdir(parents=True)
    shrunk, instance = remove_instance(home, made, "query-node", settings=settings)
    assert instance == "query-node-2" and "query-node-2" not in shrunk.profile.instances
    assert not made.folder_of("query-node-2").exists()
