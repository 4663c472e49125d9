"""Addresses, names and capabilities of servers."""

import json

import pytest

from milvuslab.model.errors import ConfigError, UnsupportedError
from milvuslab.model.server import Capabilities, Endpoint, ServerKind, check_server_name
from milvuslab.model.settings import Secret


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:19530", "https://milvus.example:443", "http://[::1]:19530", "https://host"]
)
def test_addresses_that_are_taken(uri):
    endpoint = Endpoint(uri=uri)
    assert not endpoint.is_embedded
    assert endpoint.safe_uri == uri


@pytest.mark.parametrize("uri", ["./milvus.db", "/data/a@b/lite.db"])
def test_a_lite_file_is_embedded(uri):
    assert Endpoint(uri=uri).is_embedded
    assert Endpoint(uri=uri).safe_uri == uri


@pytest.mark.parametrize(
    "uri",
    ["", "localhost:19530", "ftp://host:1", "http://", "http://:19530", "http://host:port", "http://[::1", "http://host:0",
     "http://host:99999", "tcp://host:19530", "https://host.db.:x"],
)  # fmt: skip
def test_addresses_that_are_refused(uri):
    with pytest.raises(ConfigError, match="no server address") as caught:
        Endpoint(uri=uri)
    assert "http://HOST:PORT" in caught.value.hint


@pytest.mark.parametrize(
    "uri", ["http://root:geheim@host:19530", "https://geheim@host", "http://a:geh/eim@host", "root:geheim@host:1"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(uri):
    with pytest.raises(ConfigError, match="carries a password") as caught:
        Endpoint(uri=uri)
    assert "geh" not in str(caught.value.as_dict())


def test_the_token_is_not_shown():
    assert "geheim" not in repr(Endpoint(uri="http://host:1", token=Secret("root:geheim")))


@pytest.mark.parametrize("name", ["a", "lite", "standalone-2", "a" * 32])
def test_server_names_that_are_taken(name):
    assert check_server_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "2a", "a_b", "a b", "../a", "a/b", "a" * 33, "lite\n", "서버"])
def test_server_names_that_are_refused(name):
    with pytest.raises(ConfigError, match="no server name"):
        check_server_name(name)


CAPABILITIES = Capabilities(
    server_version="2.3.5",
    index_types={"FLOAT_VECTOR": frozenset({"HNSW", "FLAT"})},
    data_types=frozenset({"JSON", "INT8"}),
    features=frozenset({"upsert"}),
    notes={"replicas": "nodes not enough"},
)


def test_features_are_asked_for():
    assert CAPABILITIES.has("upsert") and not CAPABILITIES.has("replicas")
    CAPABILITIES.require("upsert", needs="Milvus 2.3")
    with pytest.raises(UnsupportedError, match=r"needs a cluster, there is Milvus 2\.3\.5") as caught:
        CAPABILITIES.require("replicas", needs="a cluster")
    assert caught.value.hint == "nodes not enough"


def test_capabilities_go_into_json_in_one_order():
    printed = json.loads(json.dumps(CAPABILITIES.as_dict()))
    assert printed["index_types"] == {"FLOAT_VECTOR": ["FLAT", "HNSW"]}
    assert printed["data_types"] == ["INT8", "JSON"]
    assert printed["server_build"] == ""


def test_kinds_print_as_their_words():
    assert f"{ServerKind.LITE} {ServerKind('remote')}" == "lite remote"
