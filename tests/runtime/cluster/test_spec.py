"""What a cluster consists of, read from a file."""

import re
from pathlib import Path

import pytest

from milvuslab.model.errors import ConfigError, NotFoundError
from milvuslab.runtime.cluster import ClusterSpec, make_spec, read_cluster_file

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "cluster.md"


def write(tmp_path, text):
    path = tmp_path / "cluster.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_the_usual_cluster(tmp_path):
    assert read_cluster_file(write(tmp_path, "")) == ClusterSpec()


def test_a_file_changes_what_it_names(tmp_path):
    spec = read_cluster_file(write(tmp_path, 'query_nodes = 3\nkafka_brokers = 3\nstorage = "s3"\n'))
    assert (spec.query_nodes, spec.kafka_brokers, spec.storage, spec.proxies) == (3, 3, "s3", 2)


def test_a_spec_survives_its_form_for_json():
    spec = ClusterSpec(etcd_members=3, storage="s3", s3_endpoint="http://storage:9000")
    assert make_spec(spec.as_dict(), source="x") == spec


@pytest.mark.parametrize(
    "text, message",
    [
        ("query_node = 2", "query_node, which no cluster has"),
        ("proxies = 0", "proxies is 0"),
        ("proxies = 17", "proxies is 17"),
        ("proxies = true", "proxies is True"),
        ('proxies = "two"', "proxies is 'two'"),
        ("standbys = 3", "standbys is 3"),
        ("kafka_brokers = 2", "kafka_brokers is 2"),
        ("etcd_members = 5", "etcd_members is 5"),
        ('storage = "disk"', "storage is 'disk'"),
        ("storage = 3", "storage is 3"),
        ('kafka_addresses = "broker"', "kafka_addresses is 'broker'"),
        ('etcd_endpoints = "http://h:1"', "etcd_endpoints is"),
        ('s3_endpoint = "http://h:1"', "local storage names an s3_endpoint"),
        ('storage = "s3"\ns3_endpoint = "h:1"', "s3_endpoint is 'h:1'"),
        ('storage = "s3"\ns3_bucket = "A B"', "s3_bucket is 'A B'"),
        ("proxies = = 2", "cannot be read"),
    ],
)
def test_a_bad_file_is_told_with_its_path(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read_cluster_file(write(tmp_path, text))
    assert "cluster.toml" in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(NotFoundError, match=r"no cluster file"):
        read_cluster_file(tmp_path / "cluster.toml")


def test_the_page_shows_a_file_with_every_value(tmp_path):
    (example,) = re.findall(r"```toml\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert read_cluster_file(write(tmp_path, example)) == ClusterSpec()
    assert all(name in example for name in ClusterSpec().as_dict())
