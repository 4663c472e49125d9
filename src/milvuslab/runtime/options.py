"""What we set in a standalone server's configuration, each row with its reason.

Everything else keeps the value of the template that came with the build. docs/reference/server-settings.md shows this
table; a test compares the two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Option", "OptionValue", "etcd_options", "log_options", "milvus_options", "timing_options"]

OptionValue = str | int | float | bool
_LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of `milvus.yaml`, or of the embedded etcd's own file.

    Attributes:
        path: keys from the top, joined by dots.
        value: what is written.
        reason: why, for a person.
    """

    path: str
    value: OptionValue
    reason: str


def milvus_options(
    *, ports: Mapping[str, int], folder: Path, session_ttl_s: int, index_build_parallel: int
) -> list[Option]:
    """Rows of `milvus.yaml` for a server whose files lie below `folder`."""
    return [
        *_storage_options(ports, folder),
        *_address_options(ports),
        *log_options(folder),
        *timing_options(session_ttl_s, index_build_parallel),
    ]


def etcd_options(*, ports: Mapping[str, int], folder: Path) -> list[Option]:
    """Rows of the embedded etcd's own configuration file."""
    client, peer = (f"http://{_LOOPBACK}:{ports[name]}" for name in ("etcd", "etcd_peer"))
    pinned = (
        "the metadata store listens on loopback, at ports of its own: two servers on one machine would meet at 2379"
    )
    return [
        Option(path="name", value="milvuslab", reason="its name within its cluster of one"),
        Option(path="data-dir", value=str(folder / "etcd"), reason="below the server's folder"),
        Option(path="listen-client-urls", value=client, reason=pinned),
        Option(path="advertise-client-urls", value=client, reason=pinned),
        Option(path="listen-peer-urls", value=peer, reason=pinned),
        Option(path="initial-advertise-peer-urls", value=peer, reason=pinned),
        Option(path="initial-cluster", value=f"milvuslab={peer}", reason="a cluster of one"),
        Option(
            path="heartbeat-interval", value=20, reason="milliseconds; with the next row: there is nobody to wait for"
        ),
        Option(
            path="election-timeout",
            value=200,
            reason="milliseconds; a cluster of one elects itself after this time at every start, 1.3 s sooner than "
            "with the default of 1000",
        ),
        Option(
            path="auto-compaction-mode",
            value="revision",
            reason="keeps old revisions from filling the quota, as Milvus's own compose file does",
        ),
        Option(
            path="auto-compaction-retention", value="1000", reason="revisions kept, as in Milvus's own compose file"
        ),
        Option(
            path="quota-backend-bytes", value=4_294_967_296, reason="4 GiB of metadata, as in Milvus's own compose file"
        ),
    ]


def _storage_options(ports: Mapping[str, int], folder: Path) -> list[Option]:
    return [
        Option(path="etcd.use.embed", value=True, reason="no etcd beside the server: it runs inside it"),
        Option(path="etcd.endpoints", value=f"{_LOOPBACK}:{ports['etcd']}", reason="where the embedded etcd listens"),
        Option(
            path="etcd.config.path",
            value=str(folder / "config" / "etcd.yaml"),
            reason="the only way to give the embedded etcd its addresses and ports",
        ),
        Option(path="etcd.data.dir", value=str(folder / "etcd"), reason="below the server's folder"),
        Option(
            path="etcd.log.path",
            value="stdout",
            reason="goes to program.log with everything before Milvus's own log opens",
        ),
        Option(path="etcd.log.level", value="warn", reason="its info lines say nothing about Milvus"),
        Option(path="common.storageType", value="local", reason="vectors and indexes as files, no object store"),
        Option(path="localStorage.path", value=str(folder / "data"), reason="below the server's folder"),
        Option(
            path="mq.type", value="rocksmq", reason="the write-ahead log inside the server, no message queue beside it"
        ),
        Option(path="rocksmq.path", value=str(folder / "rocksmq" / "data"), reason="below the server's folder"),
    ]


def _address_options(ports: Mapping[str, int]) -> list[Option]:
    roles = {
        "rootCoord": "root_coord",
        "queryCoord": "query_coord",
        "dataCoord": "data_coord",
        "indexCoord": "index_coord",
        "queryNode": "query_node",
        "dataNode": "data_node",
        "indexNode": "index_node",
        "proxy": "proxy",
    }
    advertised = "what the role tells the others; without it the machine's address, which changes with the network"
    pinned = "chosen once, written to the profile"
    rows = [Option(path=f"{role}.ip", value=_LOOPBACK, reason=advertised) for role in roles]
    rows += [Option(path=f"{role}.port", value=ports[name], reason=pinned) for role, name in roles.items()]
    return [*rows, Option(path="proxy.internalPort", value=ports["proxy_internal"], reason=pinned)]


def log_options(folder: Path) -> list[Option]:
    """Rows about Milvus's own log, below the folder."""
    return [
        Option(path="log.level", value="info", reason="the template of 2.2 says `debug`"),
        Option(path="log.stdout", value=False, reason="a stream to a file cannot be rotated while the server runs"),
        Option(path="log.file.rootPath", value=str(folder / "logs"), reason="Milvus rotates its own files"),
        Option(path="log.file.maxSize", value=50, reason="MB a file"),
        Option(path="log.file.maxBackups", value=3, reason="older files kept: at most 200 MB of log for one run"),
        Option(path="log.file.maxAge", value=10, reason="days"),
    ]


def timing_options(session_ttl_s: int, index_build_parallel: int) -> list[Option]:
    """Rows about how quickly the death and the return of a role are noticed, and how it stops."""
    forced = "seconds; the template's 1800 lets a shutdown wait half an hour for another node to take over, and there is none"
    return [
        Option(
            path="common.session.ttl",
            value=session_ttl_s,
            reason="seconds until a dead role is given up; with the default of 30 searches are back 64 to 68 s after "
            "a crash, with 5 after 9 to 11 s. Setting session_ttl_s",
        ),
        Option(
            path="indexNode.scheduler.buildParallel",
            value=index_build_parallel,
            reason="index builds at once, one core each. Setting index_build_parallel",
        ),
        Option(path="common.gracefulStopTimeout", value=2, reason=forced),
        Option(path="queryNode.gracefulStopTimeout", value=1, reason=forced),
        Option(path="indexNode.gracefulStopTimeout", value=1, reason=forced),
        Option(
            path="grpc.gracefulStopTimeout",
            value=1,
            reason="seconds that a role waits for open calls when it stops; the roles of one process call each other",
        ),
        Option(
            path="grpc.client.initialBackOff",
            value=0.1,
            reason="seconds; after a restart the roles first meet the addresses of their dead predecessors and back off",
        ),
        Option(
            path="grpc.client.maxBackoff",
            value=0.5,
            reason="seconds; with the default of 10 a restart takes 9 to 10 s until a search, with this 6 to 8 s",
        ),
        Option(
            path="quotaAndLimits.enabled",
            value=True,
            reason="the stop of 2.3.5's root coordinator blocks for ever when the quota loop does not run "
            "(goroutine dump: QuotaCenter.stop sends on a channel that nobody reads)",
        ),
    ]
