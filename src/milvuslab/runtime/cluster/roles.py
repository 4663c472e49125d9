"""The roles of a cluster as a table, and the orders in which they start, stop and restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from milvuslab.model.errors import ConfigError, suggest
from milvuslab.runtime.cluster.spec import ClusterSpec

__all__ = ["ROLES", "Role", "find_role", "name_instances", "order_restart", "order_start", "order_stop", "role_of"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One kind of process.

    Attributes:
        name: as people write it; instances are `NAME-1`, `NAME-2`.
        port_names: what its ports are for; the first one is where it is reached.
        word: what the Milvus binary is run with; empty for what is not Milvus.
        section: its part of `milvus.yaml`; empty for what is not Milvus.
        start_rank: lower starts first; what has the same rank starts together.
        restart_rank: lower is restarted first.
        is_coordinator: whether one is active and its twins wait.
        is_scalable: whether instances are added and removed while the cluster serves.
        stop_timeout_s: how long one may take to end when the others go on.
    """

    name: str
    port_names: tuple[str, ...]
    word: str = ""
    section: str = ""
    start_rank: int = 1
    restart_rank: int = 0
    is_coordinator: bool = False
    is_scalable: bool = False
    stop_timeout_s: float = 10.0


def _milvus(name: str, section: str, *, restart_rank: int, ports: tuple[str, ...] = ("rpc", "metrics")) -> Role:
    is_coordinator = name.endswith("coord")
    # A query node hands over its segments; a coordinator that waits does not end by itself (measured), nor need it.
    stop_timeout_s = {"query-node": 35.0}.get(name, 3.0 if is_coordinator else 10.0)
    return Role(
        name=name, port_names=ports, word=name.replace("-", ""), section=section, restart_rank=restart_rank,
        is_coordinator=is_coordinator, is_scalable=True, stop_timeout_s=stop_timeout_s,
    )  # fmt: skip


ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (
        Role(name="etcd", port_names=("client", "peer"), start_rank=0),
        Role(name="kafka", port_names=("client", "controller"), start_rank=0, restart_rank=1, stop_timeout_s=20.0),
        Role(name="s3", port_names=("http",), start_rank=0, restart_rank=2),
        # The order in which Milvus's own rolling upgrade goes: coordinators, then nodes, then what clients see
        # (rollingUpdate.sh of Milvus 2.3: root, data, query coordinator, index, data and query node, proxy).
        _milvus("root-coord", "rootCoord", restart_rank=3),
        _milvus("data-coord", "dataCoord", restart_rank=4),
        _milvus("query-coord", "queryCoord", restart_rank=5),
        _milvus("index-node", "indexNode", restart_rank=6),
        _milvus("data-node", "dataNode", restart_rank=7),
        _milvus("query-node", "queryNode", restart_rank=8),
        _milvus("proxy", "proxy", restart_rank=9, ports=("rpc", "internal", "metrics")),
    )
}


def find_role(name: str) -> Role:
    """The role of that name; Milvus's own spelling without the hyphen is taken too.

    Raises:
        ConfigError: there is none.
    """
    found = [role for role in ROLES.values() if name in (role.name, role.word)]
    if not found:
        raise ConfigError(f"{name!r} is no role of a cluster", hint=suggest(name, ROLES))
    return found[0]


def role_of(instance: str) -> Role:
    """The role that an instance plays.

    >>> role_of("query-node-2").name
    'query-node'
    """
    return ROLES[instance.rsplit("-", 1)[0]]


def name_instances(spec: ClusterSpec) -> list[str]:
    """The instances a new cluster of that spec has, in the order of the table."""
    twins = 1 + spec.standbys
    counts = {
        "etcd": 0 if spec.etcd_endpoints else spec.etcd_members,
        "kafka": 0 if spec.kafka_addresses else spec.kafka_brokers,
        "s3": int(spec.storage == "s3" and not spec.s3_endpoint),
        "root-coord": twins,
        "data-coord": twins,
        "query-coord": twins,
        "index-node": spec.index_nodes,
        "data-node": spec.data_nodes,
        "query-node": spec.query_nodes,
        "proxy": spec.proxies,
    }
    return [f"{name}-{number}" for name, count in counts.items() for number in range(1, count + 1)]


def order_start(instances: Iterable[str]) -> list[list[str]]:
    """Groups in the order of start: first what keeps state, then Milvus, whose roles wait for each other."""
    return _group(instances, {name: role.start_rank for name, role in ROLES.items()})


def order_stop(instances: Iterable[str]) -> list[list[str]]:
    """Groups in the order of the end: Milvus while it still can write its state, then what keeps it."""
    return order_start(instances)[::-1]


def order_restart(instances: Iterable[str], *, active: Sequence[str] = ()) -> list[str]:
    """One after the other: state, coordinators (waiting twins before the active one), nodes, proxies.

    Args:
        instances: those to restart.
        active: coordinators that lead now; the twin that was restarted before takes over.
    """
    return sorted(instances, key=lambda name: (role_of(name).restart_rank, name in active, int(name.rsplit("-", 1)[1])))


def _group(instances: Iterable[str], ranks: Mapping[str, int]) -> list[list[str]]:
    groups: dict[int, list[str]] = {}
    for instance in instances:
        groups.setdefault(ranks[role_of(instance).name], []).append(instance)
    return [groups[rank] for rank in sorted(groups)]
