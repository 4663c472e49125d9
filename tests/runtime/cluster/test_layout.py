"""Where the parts of a cluster lie and listen."""

import pytest

from milvuslab.model.errors import ConfigError, ConflictError, NotFoundError
from milvuslab.model.settings import Secret
from milvuslab.runtime import add_lite, add_standalone, endpoints_of, list_profiles, read_profile, renew_ports
from milvuslab.runtime.cluster import StorageKeys, pick_instance, read_cluster
from milvuslab.runtime.cluster.layout import drop_instance, reserve_instance

KEYS = StorageKeys(access_key=Secret("somebody"), secret_key=Secret("something"))


def test_a_cluster_is_read_as_it_was_made(home, make):
    made = make(query_nodes=3, storage="s3")
    assert read_cluster(home, "cluster") == made
    assert made.instances_of("query-node") == ["query-node-1", "query-node-2", "query-node-3"]


def test_every_port_of_every_server_is_its_own(home, make):
    make("one", proxies=4, query_nodes=4)
    make("two", kafka_brokers=3, etcd_members=3, storage="s3")
    add_standalone(home, "three", version="2.3.5")
    ports = [port for profile in list_profiles(home) for port in profile.ports.values()]
    assert len(ports) == len(set(ports)) > 80


def test_clients_connect_to_each_proxy(make):
    made = make(proxies=3)
    uris = [endpoint.uri for endpoint in endpoints_of(made.profile)]
    assert uris == [f"http://127.0.0.1:{made.port_of(name)}" for name in ("proxy-1", "proxy-2", "proxy-3")]


def test_each_process_has_a_record_of_its_own(make):
    profile = make().profile
    assert len(set(profile.record_paths)) == len(profile.instances) == 14


def test_an_instance_is_added_with_ports_and_dropped_again(home, make):
    before = make()
    grown, instance = reserve_instance(home, before, "querynode")
    assert instance == "query-node-3"
    assert read_cluster(home, "cluster") == grown
    shrunk = drop_instance(home, grown, "query-node-1")
    assert shrunk.instances_of("query-node") == ["query-node-2", "query-node-3"]
    assert reserve_instance(home, shrunk, "query-node")[1] == "query-node-1"
    assert all(grown.profile.ports[name] == port for name, port in before.profile.ports.items())


@pytest.mark.parametrize("role", ["etcd", "kafka"])
def test_members_that_elect_a_leader_are_not_added(home, make, role):
    with pytest.raises(ConflictError, match="fixed when a cluster is made") as caught:
        reserve_instance(home, make(), role)
    assert "query-node" in caught.value.hint


def test_a_word_names_an_instance_or_a_whole_role(make):
    made = make()
    assert pick_instance(made, "query-node-2") == ["query-node-2"]
    assert pick_instance(made, "querynode") == ["query-node-1", "query-node-2"]


def test_what_a_cluster_does_not_have_is_told(make):
    made = make()
    with pytest.raises(NotFoundError, match="has no query-node-7") as caught:
        pick_instance(made, "query-node-7")
    assert "query-node-" in caught.value.hint
    with pytest.raises(NotFoundError, match="has no s3"):
        pick_instance(made, "s3")
    with pytest.raises(ConfigError, match="no role"):
        pick_instance(made, "nothing")


def test_keys_of_the_storage_are_made_once_and_for_the_owner_only(home, make):
    made = make(storage="s3")
    assert read_cluster(home, "cluster").read_keys() == made.read_keys()
    assert len(made.read_keys().secret_key.reveal()) == 40
    assert (made.profile.folder / "s3.json").stat().st_mode & 0o077 == 0


def test_keys_of_a_storage_elsewhere_are_kept(make):
    made = make(storage="s3", s3_endpoint="http://127.0.0.1:9", keys=KEYS)
    assert made.read_keys() == KEYS


def test_a_storage_elsewhere_needs_keys_and_nothing_is_made_without(home, make):
    with pytest.raises(ConfigError, match="comes without keys") as caught:
        make(storage="s3", s3_endpoint="http://127.0.0.1:9")
    assert "MILVUSLAB_S3_ACCESS_KEY" in caught.value.hint
    assert list_profiles(home) == []


def test_a_second_cluster_of_one_name_is_refused(make):
    make()
    with pytest.raises(ConflictError, match="there is a server cluster already"):
        make()


def test_another_kind_of_server_is_no_cluster(home):
    add_lite(home, "lite")
    with pytest.raises(ConflictError, match="is a lite server"):
        read_cluster(home, "lite")


def test_a_cluster_that_was_not_made_to_the_end_says_what_to_do(home, make):
    (make().profile.folder / "cluster.json").unlink()
    with pytest.raises(ConfigError, match=r"no cluster\.json") as caught:
        read_cluster(home, "cluster")
    assert caught.value.hint.endswith("milvuslab server remove cluster --yes")


def test_all_ports_can_be_renewed(home, make):
    before = make().profile
    after = renew_ports(home, read_profile(home, "cluster"))
    assert list(after.ports) == list(before.ports)
    assert set(after.ports.values()).isdisjoint(before.ports.values())
