"""Which instances there are, and in which order they start, end and restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.model.errors import ConfigError
from milvuslab.runtime.cluster import ROLES, ClusterSpec
from milvuslab.runtime.cluster.roles import find_role, name_instances, order_restart, order_start, order_stop, role_of

SPECS = st.builds(
    ClusterSpec,
    proxies=st.integers(1, 16),
    query_nodes=st.integers(1, 16),
    data_nodes=st.integers(1, 3),
    index_nodes=st.integers(1, 3),
    standbys=st.integers(0, 2),
    kafka_brokers=st.sampled_from([1, 3]),
    etcd_members=st.sampled_from([1, 3]),
    storage=st.sampled_from(["local", "s3"]),
)


def test_the_usual_cluster():
    assert name_instances(ClusterSpec()) == [
        "etcd-1", "kafka-1", "root-coord-1", "root-coord-2", "data-coord-1", "data-coord-2", "query-coord-1",
        "query-coord-2", "index-node-1", "data-node-1", "query-node-1", "query-node-2", "proxy-1", "proxy-2",
    ]  # fmt: skip


def test_what_runs_elsewhere_is_not_started():
    spec = ClusterSpec(
        storage="s3", s3_endpoint="http://h:1", kafka_addresses="h:2", etcd_endpoints="h:3,h:4", standbys=0
    )
    roles = {role_of(name).name for name in name_instances(spec)}
    assert roles.isdisjoint({"etcd", "kafka", "s3"})


@given(SPECS)
def test_every_order_holds_every_instance_once(spec):
    instances = name_instances(spec)
    for groups in (order_start(instances), order_stop(instances)):
        assert sorted(name for group in groups for name in group) == sorted(instances)
    assert sorted(order_restart(instances)) == sorted(instances)


def test_state_comes_first_and_goes_last():
    instances = name_instances(ClusterSpec(storage="s3"))
    assert order_start(instances)[0] == ["etcd-1", "kafka-1", "s3-1"]
    assert order_stop(instances)[-1] == ["etcd-1", "kafka-1", "s3-1"]


def test_a_rolling_restart_goes_from_the_coordinators_to_what_clients_see():
    instances = [name for name in name_instances(ClusterSpec(standbys=0)) if role_of(name).word]
    assert order_restart(instances[::-1]) == [
        "root-coord-1", "data-coord-1", "query-coord-1", "index-node-1", "data-node-1",
        "query-node-1", "query-node-2", "proxy-1", "proxy-2",
    ]  # fmt: skip


def test_a_waiting_twin_is_restarted_before_the_one_that_leads():
    names = ["root-coord-1", "root-coord-2", "query-node-10", "query-node-9"]
    assert order_restart(names, active=["root-coord-1"]) == [
        "root-coord-2", "root-coord-1", "query-node-9", "query-node-10",
    ]  # fmt: skip


def test_roles_are_found_in_both_spellings():
    assert find_role("querynode") is find_role("query-node") is ROLES["query-node"]


def test_an_unknown_role_is_suggested():
    with pytest.raises(ConfigError, match="no role") as caught:
        find_role("query-nod")
    assert caught.value.hint == "did you mean query-node?"
