"""A distributed Milvus: roles change and die while it serves; objects lie in a real S3 storage."""

import random
import signal
import threading

import numpy as np
import psutil
import pytest

from milvuslab.gateway import RetryPolicy, connect, connect_any
from milvuslab.gateway.readiness import check_ready
from milvuslab.machine.polling import poll_until
from milvuslab.model.collection import CollectionSpec, Consistency
from milvuslab.model.errors import MilvusLabError, UnsupportedError
from milvuslab.ops.placement import balance
from milvuslab.runtime import endpoints_of, find_program, read_profile
from milvuslab.runtime.cluster import (
    ClusterSpec,
    add_instance,
    cluster_status,
    make_cluster,
    make_kit,
    open_cluster,
    remove_instance,
    restart_instances,
    start_cluster,
    stop_cluster,
)
from tests.contract.conftest import FLAT, KEY, PREFIX, VECTOR, drop_all, make_filled, vectors
from tests.servers import skip_or_fail


@pytest.fixture
def cluster(cluster_profile, server_settings):
    """The cluster as it is now, on disk; whatever a test ended is started again."""
    found = open_cluster(read_profile(server_settings.home_dir, "cluster"))
    yield found
    kit = make_kit(found.spec, settings=server_settings)
    left = open_cluster(read_profile(server_settings.home_dir, "cluster"))
    start_cluster(left, kit=kit, is_ready=check_ready)


@pytest.fixture
def filled_on_cluster(cluster_endpoint):
    """A loaded collection of 200 rows."""
    name = f"{PREFIX}routed"
    with connect(cluster_endpoint, call_timeout_s=60) as gateway:
        columns = {"id": np.arange(200), "vector": vectors(200)}
        yield make_filled(gateway, name, (KEY, VECTOR), columns, (FLAT,))
        drop_all(gateway, name)


def test_every_process_is_there_with_its_memory(cluster, server_settings):
    status = cluster_status(cluster, settings=server_settings, is_ready=check_ready)
    assert status.state == "running"
    assert status.answering == status.uris and len(status.uris) == 2
    assert all(role.rss_bytes > 10_000_000 for role in status.roles)
    leaders = [role.role for role in status.roles if role.is_active]
    assert sorted(leaders) == ["data-coord", "query-coord", "root-coord"]


def test_a_query_node_comes_and_goes_while_others_search(cluster, filled_on_cluster, server_settings):
    kit = make_kit(cluster.spec, settings=server_settings)
    home_dir = server_settings.home_dir
    with connect_any(endpoints_of(cluster.profile)) as gateway, Searcher(gateway, filled_on_cluster) as searcher:
        grown, instance = add_instance(home_dir, cluster, "query-node", kit=kit, is_ready=check_ready)
        assert find_program(grown.record_of(instance)) is not None
        shrunk, removed = remove_instance(home_dir, grown, "query-node", settings=server_settings)
    assert removed == instance == "query-node-3"
    assert shrunk.profile.ports == cluster.profile.ports
    assert searcher.failures == [] and searcher.done_count > 0


def test_segments_on_one_node_are_spread_over_both(cluster, cluster_endpoint):
    name = f"{PREFIX}placed"
    with connect(cluster_endpoint, call_timeout_s=60) as gateway:
        spec = CollectionSpec(name=name, fields=(KEY, VECTOR))
        gateway.collections.create(spec, (FLAT,))
        for begin in (0, 100, 200, 300):  # each flush seals a segment
            gateway.rows.insert(name, {"id": np.arange(begin, begin + 100), "vector": vectors(100, seed=begin)})
            gateway.collections.flush(name)
        gateway.collections.load(name)
        placed = gateway.placements.fetch(name)
        (replica,) = placed.replicas
        source, target = replica.node_ids
        held = [one.segment_id for one in placed.segments if target in one.node_ids]
        if held:
            gateway.placements.move(name, source_id=target, target_ids=[source], segment_ids=held)
        poll_until(lambda: gateway.placements.fetch(name).rows_of_node(target) == 0, timeout_s=30, interval_s=0.2)
        uneven = gateway.placements.fetch(name)
        assert uneven.rows_of_node(source) == 400 and uneven.skew_ratio(uneven.replicas[0]) == 2.0
        report = balance(gateway, name)
        assert report.after.skew_ratio(report.after.replicas[0]) == 1.0
        assert {node: report.after.rows_of_node(node) for node in (source, target)} == {source: 200, target: 200}
        assert gateway.rows.count(name, consistency=Consistency.STRONG) == 400
        drop_all(gateway, name)


def test_nodes_are_given_to_a_resource_group_and_back(cluster, cluster_endpoint):
    with connect(cluster_endpoint, call_timeout_s=60) as gateway:
        (default,) = gateway.placements.list_groups()
        gateway.placements.create_group("apart")
        gateway.placements.transfer_nodes(default.name, "apart", node_count=1)
        counts = {one.name: one.node_count for one in gateway.placements.list_groups()}
        assert counts == {default.name: default.node_count - 1, "apart": 1}
        gateway.placements.transfer_nodes("apart", default.name, node_count=1)
        gateway.placements.drop_group("apart")
        assert [one.node_count for one in gateway.placements.list_groups()] == [default.node_count]


def test_a_waiting_coordinator_is_restarted_without_a_failed_search(cluster, filled_on_cluster, server_settings):
    status = cluster_status(cluster, settings=server_settings)
    waiting = next(role.instance for role in status.roles if role.is_active is False)
    before = find_program(cluster.record_of(waiting)).pid
    kit = make_kit(cluster.spec, settings=server_settings)
    with connect_any(endpoints_of(cluster.profile)) as gateway, Searcher(gateway, filled_on_cluster) as searcher:
        assert restart_instances(cluster, [waiting], kit=kit, is_ready=check_ready) == [waiting]
    assert find_program(cluster.record_of(waiting)).pid != before
    assert searcher.failures == [] and searcher.done_count > 0


def test_the_death_of_a_proxy_is_not_seen_by_clients_of_the_router(cluster, filled_on_cluster, server_settings):
    endpoints = endpoints_of(cluster.profile)
    with connect_any(endpoints, retry=RetryPolicy.never(), dice=random.Random(0)) as gateway:
        victim = f"proxy-{gateway.session.caller.current + 1}"
        with Searcher(gateway, filled_on_cluster) as searcher:
            assert poll_until(lambda: searcher.done_count >= 10, timeout_s=60)
            psutil.Process(find_program(cluster.record_of(victim)).pid).send_signal(signal.SIGKILL)
            seen = searcher.done_count
            assert poll_until(lambda: searcher.done_count >= seen + 20, timeout_s=60)
        assert searcher.failures == []
        assert gateway.session.caller.moved_count == 1
    assert cluster_status(cluster, settings=server_settings, is_ready=check_ready).state == "degraded"


def test_objects_lie_in_a_real_s3_storage(server_settings):
    spec = ClusterSpec(storage="s3", proxies=1, query_nodes=1, standbys=0)
    try:
        kit = make_kit(spec, settings=server_settings)
    except UnsupportedError as error:
        skip_or_fail(f"{error.message}: {error.hint}")
    made = make_cluster(server_settings.home_dir, "cluster-s3", spec=spec)
    bucket = made.profile.folder / "data" / spec.s3_bucket
    try:
        start_cluster(made, kit=kit, is_ready=check_ready)
        with connect(endpoints_of(made.profile)[0], call_timeout_s=60) as gateway:
            name = make_filled(gateway, f"{PREFIX}s3", (KEY, VECTOR), {"id": [1, 2], "vector": vectors(2)}, (FLAT,))
            gateway.collections.flush(name)
            files = [path for path in bucket.rglob("insert_log/**/*") if path.is_file()]
            assert files, "the flushed rows lie below the bucket"
            gateway.collections.release(name)
            gateway.collections.load(name)
            hits = gateway.search(name, vectors(2), limit=1, consistency=Consistency.STRONG)
            assert hits.ids.reshape(-1).tolist() == [1, 2]
    finally:
        stop_cluster(made.profile, settings=server_settings)


class Searcher:
    """A client that searches as fast as it is answered until the block ends, and keeps what failed."""

    def __init__(self, gateway, name):
        self._gateway, self._name = gateway, name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done_count = 0
        self.failures = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *raised):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            self._search()

    def _search(self):
        try:
            self._gateway.search(self._name, vectors(1), limit=3, timeout_s=20)
        except MilvusLabError as error:
            self.failures.append(error)
        else:
            self.done_count += 1
