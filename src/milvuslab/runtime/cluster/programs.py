"""The programs of a cluster's instances, with their configuration files written."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from milvuslab.machine.record import write_text
from milvuslab.model.errors import StartError
from milvuslab.runtime.cluster.layout import Cluster
from milvuslab.runtime.cluster.options import DROPPED_SECTIONS, milvus_rows
from milvuslab.runtime.cluster.roles import role_of
from milvuslab.runtime.cluster.tools import Kit
from milvuslab.runtime.program import Program
from milvuslab.runtime.standalone import glog_conf, lay_over, read_template

__all__ = ["prepare_program", "render_kafka", "render_s3proxy"]

_LOOPBACK = "127.0.0.1"
_HEADING = "# Written at each start of the role; changes made here are lost.\n"
_FORMAT_TIMEOUT_S = 60.0
_LOG_PATTERNS = ("*-*.log", "*.log.INFO.*", "*.log.WARNING.*", "*.log.ERROR.*")
_LOG_KEPT_COUNT = 4
_KAFKA_HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC")
"""A broker rests at 310 MB with it; the serial collector takes the fewest threads and the least memory."""


def prepare_program(cluster: Cluster, instance: str, *, kit: Kit) -> Program:
    """The instance as a program; its folders and configuration are written.

    Raises:
        StartError: Kafka's folder cannot be laid out.
        ConfigError: the template of the build is damaged.
    """
    folder = cluster.folder_of(instance)
    for name in ("config", "logs", "run"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    make = {"etcd": _etcd, "kafka": _kafka, "s3": _s3proxy}.get(role_of(instance).name, _milvus)
    argv, environment = make(cluster, instance, kit)
    return Program(
        name=f"{instance} of cluster {cluster.name}",
        argv=tuple(argv),
        environment=environment,
        working_dir=folder / "logs",
        log_path=folder / "logs" / "program.log",
        record_path=cluster.record_of(instance),
    )


def _milvus(cluster: Cluster, instance: str, kit: Kit) -> tuple[list[str], dict[str, str]]:
    folder = cluster.folder_of(instance)
    config = read_template(kit.install.template_path)
    for section in DROPPED_SECTIONS:
        config.pop(section, None)
    for row in milvus_rows(
        cluster,
        instance,
        session_ttl_s=kit.settings.session_ttl_s,
        index_build_parallel=kit.settings.index_build_parallel,
    ):
        lay_over(config, row)
    write_text(folder / "config" / "milvus.yaml", _HEADING + yaml.safe_dump(config))
    write_text(folder / "config" / "glog.conf", glog_conf(folder))
    _remove_old_logs(folder)
    library_variable = "DYLD_LIBRARY_PATH" if kit.install.build.system == "Darwin" else "LD_LIBRARY_PATH"
    return [str(kit.install.binary_path), "run", role_of(instance).word], {
        library_variable: str(kit.install.path),
        "MILVUSCONF": str(folder / "config"),
        "METRICS_PORT": str(cluster.port_of(instance, "metrics")),
        "MILVUS_RUN_DIR": str(folder / "run"),
        "TMPDIR": str(folder / "run"),
        "HOME": str(folder / "run"),
    }


def _etcd(cluster: Cluster, instance: str, kit: Kit) -> tuple[list[str], dict[str, str]]:
    assert kit.tools.etcd_path is not None, "check_tools was asked before"
    members = cluster.instances_of("etcd")
    peers = {name: f"http://{_LOOPBACK}:{cluster.port_of(name, 'peer')}" for name in members}
    client = f"http://{_LOOPBACK}:{cluster.port_of(instance)}"
    # A cluster of one has nobody to wait for; members of several must not take a busy moment for a death.
    heartbeat_ms, election_ms = (20, 200) if len(members) == 1 else (100, 1000)
    values = {
        "name": instance,
        "data-dir": cluster.folder_of(instance) / "data",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peers[instance],
        "initial-advertise-peer-urls": peers[instance],
        "initial-cluster": ",".join(f"{name}={url}" for name, url in peers.items()),
        "initial-cluster-token": f"milvuslab-{cluster.name}",
        "heartbeat-interval": heartbeat_ms,
        "election-timeout": election_ms,
        # As Milvus's own compose file has them: old revisions would else fill the quota.
        "auto-compaction-mode": "revision",
        "auto-compaction-retention": 1000,
        "quota-backend-bytes": 4_294_967_296,
        "log-level": "warn",
        "logger": "zap",
        "log-outputs": "stderr",
    }
    return [str(kit.tools.etcd_path), *(f"--{name}={value}" for name, value in values.items())], {}


def render_kafka(cluster: Cluster, instance: str) -> str:
    """The `server.properties` of a broker that is also a controller."""
    brokers = cluster.instances_of("kafka")
    number = int(instance.rsplit("-", 1)[1])
    voters = (f"{name.rsplit('-', 1)[1]}@{_LOOPBACK}:{cluster.port_of(name, 'controller')}" for name in brokers)
    client, controller = (cluster.port_of(instance, purpose) for purpose in ("client", "controller"))
    values: Mapping[str, object] = {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": ",".join(voters),
        "listeners": f"PLAINTEXT://{_LOOPBACK}:{client},CONTROLLER://{_LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{_LOOPBACK}:{client}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": cluster.folder_of(instance) / "data",
        "num.partitions": 1,
        "default.replication.factor": len(brokers),
        "offsets.topic.replication.factor": len(brokers),
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": len(brokers),
        "transaction.state.log.min.isr": 1 if len(brokers) == 1 else 2,
        "min.insync.replicas": 1 if len(brokers) == 1 else 2,
        # Milvus sends up to 10 MB at once (values.yaml of the milvus chart).
        "message.max.bytes": 10_485_760,
        "replica.fetch.max.bytes": 10_485_760,
        # A killed broker may come back only when its predecessor's session is over.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        "controller.quorum.fetch.timeout.ms": 1_000,
        "controller.quorum.election.timeout.ms": 500,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.segment.bytes": 67_108_864,
        "auto.create.topics.enable": "true",
    }
    return _HEADING + "".join(f"{name}={value}\n" for name, value in values.items())


def _kafka(cluster: Cluster, instance: str, kit: Kit) -> tuple[list[str], dict[str, str]]:
    assert kit.tools.kafka_home is not None, "check_tools was asked before"
    folder = cluster.folder_of(instance)
    path = folder / "config" / "server.properties"
    write_text(path, render_kafka(cluster, instance))
    java = _java(kit, kit.tools.kafka_home, _KAFKA_HEAP)
    if not (folder / "data" / "meta.properties").exists():
        _run_once(
            [*java, "kafka.tools.StorageTool", "format", "-t", _kafka_id(cluster), "-c", str(path)],
            doing=f"lay out the folder of {instance}",
        )
    return [*java, "kafka.Kafka", str(path)], {"HOME": str(folder / "run")}


def _kafka_id(cluster: Cluster) -> str:
    """The same for all brokers of a cluster: 16 bytes as Kafka writes them."""
    number = uuid.uuid5(uuid.NAMESPACE_URL, str(cluster.profile.folder.resolve()))
    return base64.urlsafe_b64encode(number.bytes).decode().rstrip("=")


def render_s3proxy(cluster: Cluster, instance: str) -> str:
    """The properties of the object storage: a folder of this machine behind S3's protocol."""
    keys = cluster.read_keys()
    values: Mapping[str, object] = {
        "s3proxy.endpoint": f"http://{_LOOPBACK}:{cluster.port_of(instance)}",
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": keys.access_key.reveal(),
        "s3proxy.credential": keys.secret_key.reveal(),
        "jclouds.provider": "filesystem",
        "jclouds.identity": "local",
        "jclouds.credential": "local",
        "jclouds.filesystem.basedir": cluster.profile.folder / "data",
    }
    return _HEADING + "".join(f"{name}={value}\n" for name, value in values.items())


def _s3proxy(cluster: Cluster, instance: str, kit: Kit) -> tuple[list[str], dict[str, str]]:
    assert kit.tools.s3proxy_home is not None, "check_tools was asked before"
    folder = cluster.folder_of(instance)
    path = folder / "config" / "s3proxy.conf"
    # A folder below the base is a bucket.
    (cluster.profile.folder / "data" / cluster.spec.s3_bucket).mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(path, render_s3proxy(cluster, instance))
    java = _java(kit, kit.tools.s3proxy_home, ("-Xmx512m", "-XX:+UseSerialGC"))
    return [*java, "org.gaul.s3proxy.Main", "--properties", str(path)], {"HOME": str(folder / "run")}


def _java(kit: Kit, home: Path, flags: Sequence[str]) -> list[str]:
    assert kit.tools.java_path is not None, "check_tools was asked before"
    return [str(kit.tools.java_path), *flags, "-cp", f"{home}/libs/*"]


def _run_once(argv: Sequence[str], *, doing: str) -> None:
    try:
        done = subprocess.run(
            argv,
            env={},
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"cannot {doing}: {error}", hint="milvuslab doctor") from error
    if done.returncode != 0:
        raise StartError(
            f"cannot {doing}: {(done.stderr or done.stdout).strip()[-500:]}", hint="see that the disk has room"
        )


def _remove_old_logs(folder: Path) -> None:
    # Each run of Milvus opens files under another number and forgets those of the run before.
    for pattern in _LOG_PATTERNS:
        logs = sorted((folder / "logs").glob(pattern), key=lambda path: path.lstat().st_mtime)
        for path in logs[:-_LOG_KEPT_COUNT]:
            path.unlink()
    for path in (folder / "run").glob("milvus/server_id_*"):
        path.unlink()
