"""Connections: embedded files, TLS and tokens, on the real service of Milvus Lite."""

import base64
import concurrent.futures
import subprocess

import grpc
import pytest

from milvuslab.gateway import RetryPolicy, connect
from milvuslab.gateway.readiness import check_ready
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import ConfigError, ConflictError, MilvusLabError, RejectedError, UnreachableError
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import Secret

SPEC = CollectionSpec(
    name="docs",
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=2),
    ),
)


def test_an_embedded_file_keeps_its_rows(tmp_path):
    endpoint = Endpoint(uri=str(tmp_path / "notes.db"))
    with connect(endpoint) as gateway:
        gateway.collections.create(SPEC)
        gateway.rows.insert("docs", {"id": [1, 2], "vector": [[0.0, 1.0], [1.0, 0.0]]})
        gateway.collections.flush("docs")
    with connect(endpoint) as gateway:
        gateway.collections.load("docs")
        assert gateway.rows.query("docs", fields=["vector"])["vector"].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_two_gateways_share_an_embedded_file(tmp_path):
    endpoint = Endpoint(uri=str(tmp_path / "notes.db"))
    with connect(endpoint) as one:
        one.collections.create(SPEC)
        with connect(endpoint) as other:
            assert other.collections.list() == ["docs"]
        assert one.collections.list() == ["docs"]


def test_a_file_that_another_server_holds_is_a_conflict(tmp_path):
    from milvus_lite.db import MilvusLite

    path = tmp_path / "notes.db"
    holder = MilvusLite(str(path))
    try:
        with pytest.raises(ConflictError, match=r"notes\.db"):
            connect(Endpoint(uri=str(path)))
    finally:
        holder.close()


def test_nobody_there(tmp_path):
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        connect(Endpoint(uri="http://127.0.0.1:1"), retry=RetryPolicy.never())
    with pytest.raises(UnreachableError):
        check_ready(Endpoint(uri="http://127.0.0.1:1"), 2.0)


def test_a_closed_gateway_says_so(tmp_path):
    gateway = connect(Endpoint(uri=str(tmp_path / "notes.db")))
    gateway.close()
    with pytest.raises(RejectedError, match="closed"):
        gateway.collections.list()


class Listener(grpc.ServerInterceptor):
    """Notes the headers that come in."""

    def __init__(self):
        self.headers = []

    def intercept_service(self, continuation, handler_call_details):
        self.headers.append(dict(handler_call_details.invocation_metadata))
        return continuation(handler_call_details)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate authority and a certificate of its for `localhost`."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "names").write_text("subjectAltName=DNS:localhost")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=tests")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "server.pem", "-days", "2", "-extfile", "names",
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(certificates, tmp_path):
    """Milvus Lite's service behind TLS: its address, and the headers it saw."""
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from milvus_lite.db import MilvusLite
    from pymilvus.grpc_gen import milvus_pb2_grpc

    listener, database = Listener(), MilvusLite(str(tmp_path / "secure.db"))
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), interceptors=[listener])
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    pair = ((certificates / "server.key").read_bytes(), (certificates / "server.pem").read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield port, listener.headers
    server.stop(grace=1).wait()
    database.close()


@pytest.mark.needs("openssl")
def test_tls_and_token(secure, certificates):
    port, headers = secure
    endpoint = Endpoint(
        uri=f"https://127.0.0.1:{port}",
        ca_pem_path=str(certificates / "ca.pem"),
        server_name="localhost",
        token=Secret("reader:a-secret-of-this-test"),
    )
    with connect(endpoint, retry=RetryPolicy.never()) as gateway:
        assert gateway.collections.list() == []
    sent = base64.b64encode(b"reader:a-secret-of-this-test").decode()
    assert {header.get("authorization") for header in headers} == {sent}
    assert "a-secret-of-this-test" not in repr(endpoint)


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ca_pem_path": ""}, ConfigError),
        ({"server_name": "another.example"}, ConfigError),
        ({"ca_pem_path": "missing.pem"}, ConfigError),
        ({"uri": "http://127.0.0.1:{port}"}, UnreachableError),
    ],
)
def test_tls_that_does_not_fit_is_named(secure, certificates, change, expected):
    port, _ = secure
    values = {
        "uri": "https://127.0.0.1:{port}",
        "ca_pem_path": str(certificates / "ca.pem"),
        "server_name": "localhost",
        **change,
    }
    values["uri"] = values["uri"].format(port=port)
    with pytest.raises(expected) as caught:
        connect(Endpoint(**values), retry=RetryPolicy.never(), call_timeout_s=5)
    assert caught.value.hint


def test_tls_to_a_server_without_it_is_named(tmp_path):
    with connect(Endpoint(uri=str(tmp_path / "plain.db"))) as gateway:
        port = plain_port(gateway)
        with pytest.raises(ConfigError, match="TLS"):
            connect(Endpoint(uri=f"https://127.0.0.1:{port}"), retry=RetryPolicy.never(), call_timeout_s=5)


def plain_port(gateway):
    """The port on which an embedded file is served."""
    from milvuslab.gateway.wire.channel import embedded_ports

    return embedded_ports()[gateway.endpoint.uri]


def test_an_error_is_one_of_ours(tmp_path):
    with connect(Endpoint(uri=str(tmp_path / "notes.db"))) as gateway, pytest.raises(MilvusLabError):
        gateway.collections.describe("missing")
