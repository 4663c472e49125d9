"""What we set in the configuration of one role of a cluster, each row with its reason.

Everything else keeps the value of the template that came with the build, less the sections of message queues that a
cluster does not use: Milvus takes the first one it finds (milvus.yaml 2.3, `mq.type`).
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from milvuslab.runtime.cluster.layout import Cluster
from milvuslab.runtime.cluster.roles import role_of
from milvuslab.runtime.options import Option, log_options, timing_options

__all__ = ["DROPPED_SECTIONS", "etcd_addresses", "kafka_addresses", "milvus_rows"]

DROPPED_SECTIONS = ("pulsar", "rocksmq", "natsmq")
_LOOPBACK = "127.0.0.1"
_SECTIONS = ("rootCoord", "queryCoord", "dataCoord", "indexCoord", "queryNode", "dataNode", "indexNode", "proxy")
_HANDOVER_S = 30
"""How long a query node that is told to end may wait until others have taken its segments."""


def milvus_rows(cluster: Cluster, instance: str, *, session_ttl_s: int, index_build_parallel: int) -> list[Option]:
    """Rows of the `milvus.yaml` of one instance."""
    return [
        *_address_rows(cluster, instance),
        *_state_rows(cluster),
        *_storage_rows(cluster, instance),
        *log_options(cluster.folder_of(instance)),
        *timing_options(session_ttl_s, index_build_parallel),
        *_handover_rows(),
    ]


def _address_rows(cluster: Cluster, instance: str) -> list[Option]:
    role = role_of(instance)
    advertised = "what the role tells the others; without it the machine's address, which changes with the network"
    pinned = "chosen once, written to the profile"
    rows = [Option(path=f"{section}.ip", value=_LOOPBACK, reason=advertised) for section in _SECTIONS]
    rows.append(Option(path=f"{role.section}.port", value=cluster.port_of(instance), reason=pinned))
    if role.name == "proxy":
        rows.append(
            Option(path="proxy.internalPort", value=cluster.port_of(instance, "internal"), reason=pinned),
        )
        rows.append(
            Option(path="proxy.http.enabled", value=False, reason="nothing of ours speaks HTTP to a proxy"),
        )
    if role.is_coordinator:
        rows.append(
            Option(
                path=f"{role.section}.enableActiveStandby",
                value=True,
                reason="a twin that is started later waits and takes over; without it, it would refuse to start",
            )
        )
    return rows


def _state_rows(cluster: Cluster) -> list[Option]:
    own = "several clusters may share what runs elsewhere"
    none = "no authentication; a missing key is refused"
    return [
        Option(path="etcd.use.embed", value=False, reason="etcd runs beside the roles, which all need it"),
        Option(path="etcd.endpoints", value=etcd_addresses(cluster), reason="where etcd listens"),
        Option(path="etcd.rootPath", value=f"milvuslab-{cluster.name}", reason=own),
        Option(path="mq.type", value="kafka", reason="a cluster refuses RocksMQ and NATS"),
        Option(path="kafka.brokerList", value=kafka_addresses(cluster), reason="where the brokers listen"),
        Option(path="kafka.saslUsername", value="", reason=none),
        Option(path="kafka.saslPassword", value="", reason=none),
        Option(path="kafka.saslMechanisms", value="", reason=none),
        Option(path="kafka.securityProtocol", value="", reason=none),
        Option(path="kafka.readTimeout", value=10, reason="seconds, as the template of later versions says"),
        Option(path="common.chanNamePrefix.cluster", value=f"milvuslab-{cluster.name}", reason=own),
    ]


def etcd_addresses(cluster: Cluster) -> str:
    """`HOST:PORT,HOST:PORT` of etcd."""
    members = (f"{_LOOPBACK}:{cluster.port_of(name)}" for name in cluster.instances_of("etcd"))
    return cluster.spec.etcd_endpoints or ",".join(members)


def kafka_addresses(cluster: Cluster) -> str:
    """`HOST:PORT,HOST:PORT` of the brokers."""
    brokers = (f"{_LOOPBACK}:{cluster.port_of(name)}" for name in cluster.instances_of("kafka"))
    return cluster.spec.kafka_addresses or ",".join(brokers)


def _storage_rows(cluster: Cluster, instance: str) -> list[Option]:
    spec = cluster.spec
    if spec.storage == "local":
        shared = cluster.profile.folder / "data"
        return [
            Option(path="common.storageType", value="local", reason="a folder that all roles of one machine share"),
            Option(path="localStorage.path", value=str(shared), reason="below the server's folder"),
        ]
    keys = cluster.read_keys()
    url = urlsplit(spec.s3_endpoint or f"http://{_LOOPBACK}:{cluster.port_of('s3-1')}")
    cache: Path = cluster.folder_of(instance) / "local"
    where = "where the object storage listens"
    return [
        Option(path="common.storageType", value="minio", reason="Milvus's word for anything that speaks S3"),
        Option(path="localStorage.path", value=str(cache), reason="each role's own copies"),
        Option(path="minio.address", value=url.hostname or "", reason=where),
        Option(path="minio.port", value=url.port or (443 if url.scheme == "https" else 80), reason=where),
        Option(path="minio.useSSL", value=url.scheme == "https", reason=where),
        Option(path="minio.bucketName", value=spec.s3_bucket, reason="made before the first start"),
        Option(path="minio.rootPath", value=f"milvuslab-{cluster.name}", reason="clusters may share a bucket"),
        Option(path="minio.accessKeyID", value=keys.access_key.reveal(), reason="out of s3.json"),
        Option(path="minio.secretAccessKey", value=keys.secret_key.reveal(), reason="out of s3.json"),
    ]


def _handover_rows() -> list[Option]:
    handover = "seconds; a node that is removed or restarted hands over first, and is killed when nobody takes it"
    return [
        Option(path="common.gracefulStopTimeout", value=_HANDOVER_S, reason=handover),
        Option(path="queryNode.gracefulStopTimeout", value=_HANDOVER_S, reason=handover),
    ]
