"""The programs beside Milvus: found, or named with what provides them."""

import pytest

from milvuslab.model.errors import UnsupportedError
from milvuslab.runtime.cluster import ClusterSpec, Tools, check_tools, find_tools

NOTHING = Tools(etcd_path=None, java_path=None, kafka_home=None, s3proxy_home=None)


def test_everything_that_lacks_is_named_at_once():
    with pytest.raises(UnsupportedError) as caught:
        check_tools(ClusterSpec(storage="s3"), NOTHING)
    assert caught.value.needs == "etcd and Java 17 and Kafka 3.9.1 and S3Proxy 2.6.0"
    for step in ("make tools", "etcd-server", "MILVUSLAB_KAFKA_HOME", "MILVUSLAB_S3_ENDPOINT"):
        assert step in caught.value.hint


def test_what_runs_elsewhere_needs_no_program():
    spec = ClusterSpec(storage="s3", s3_endpoint="http://h:1", kafka_addresses="h:2", etcd_endpoints="h:3")
    check_tools(spec, NOTHING)


def test_local_storage_needs_no_object_storage():
    with pytest.raises(UnsupportedError) as caught:
        check_tools(ClusterSpec(), NOTHING)
    assert "S3Proxy" not in caught.value.needs


def test_a_given_folder_and_program_are_taken(tmp_path):
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-3.9.1.jar").touch()
    etcd = tmp_path / "etcd"
    etcd.write_text("#!/bin/sh\n", encoding="utf-8")
    etcd.chmod(0o755)
    found = find_tools(tmp_path / "cache", etcd_path=etcd, kafka_home=tmp_path)
    assert (found.etcd_path, found.kafka_home, found.s3proxy_home) == (etcd, tmp_path, None)


def test_a_folder_without_jars_and_a_program_that_is_none_are_not_taken(tmp_path):
    found = find_tools(tmp_path, etcd_path=tmp_path / "etcd", java_path=tmp_path / "java", kafka_home=tmp_path)
    assert found == NOTHING
