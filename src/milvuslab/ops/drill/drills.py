"""The drills, as a table: what is broken, where, for how long, and what that may cost.

Limits of time come from what was measured on real servers with 5 s of `common.session.ttl`
(benchmarks/results/drill-*.json); what has none is reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from milvuslab.model.errors import NotFoundError, suggest
from milvuslab.ops.drill.verdict import Limits

__all__ = ["DRILLS", "RANDOM_ROLE", "Drill", "get_drill"]


RANDOM_ROLE = "any role"
"""The target of a drill on chance: another role in each round."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One way of breaking a server.

    Attributes:
        name: as `drill run` takes it.
        title: one line for a person.
        title_ko: the same in Korean.
        fault: what is done, a name of `FAULTS`.
        target: to whom: an instance, a role or `node`; empty for the network and the disk.
        server: kind of server it needs, `standalone` or `cluster`.
        cluster: what that cluster consists of, where it is not the usual one.
        hold_s: how long it stays broken before mending begins.
        span_s: least length of a round, from its beginning.
        has_proxy: whether clients go through our proxy.
        has_small_disk: whether the data lie on a small disk of their own.
        replica_count: copies of the collection in memory.
        limits: what it may cost.
    """

    name: str
    title: str
    title_ko: str
    fault: str
    target: str = ""
    server: str = "standalone"
    cluster: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    hold_s: float = 0.0
    span_s: float = 0.0
    has_proxy: bool = False
    has_small_disk: bool = False
    replica_count: int = 1
    limits: Limits = dataclasses.field(default_factory=Limits)

    @property
    def own_server(self) -> str:
        """Name of the server that is made for it when none is named."""
        if self.has_small_disk:
            return "drill-disk"
        words = [self.server, *(f"{key}-{value}" for key, value in self.cluster.items())]
        return "-".join(["drill", *words]).replace("_", "-")[:32]


def _role_drill(name: str, target: str, title: str, title_ko: str, **changed: Any) -> Drill:
    """A role of a cluster is killed while two replicas serve; it is started again after `hold_s`."""
    values = {"fault": "kill", "server": "cluster", "replica_count": 2, "hold_s": 2.0, **changed}
    return Drill(name=name, target=target, title=title, title_ko=title_ko, **values)


_RESTART = Limits(search_recovery_s=15.0, write_recovery_s=12.0)

DRILLS: Mapping[str, Drill] = {
    drill.name: drill
    for drill in (
        Drill(
            name="kill",
            title="the server is killed and started again",
            title_ko="서버를 강제 종료하고 다시 시작한다",
            fault="kill",
            target="standalone",
            limits=_RESTART,
        ),
        Drill(
            name="terminate",
            title="the server is asked to end, and started again",
            title_ko="서버를 정상 종료하고 다시 시작한다",
            fault="terminate",
            target="standalone",
        ),
        Drill(
            name="freeze",
            title="the server stands still for 5 s",
            title_ko="서버가 5초 동안 멈춘다",
            fault="freeze",
            target="standalone",
            hold_s=5.0,
            # As long as the session lives: the server may find itself given up and begin anew.
            limits=Limits(search_gap_s=15.0, write_gap_s=12.0),
        ),
        Drill(
            name="slow-network",
            title="every packet to and from the server is 0.3 s late for 8 s",
            title_ko="8초 동안 서버와 주고받는 모든 패킷이 0.3초 늦는다",
            fault="slow-network",
            hold_s=8.0,
            has_proxy=True,
            limits=Limits(search_gap_s=3.0, write_gap_s=3.0),
        ),
        Drill(
            name="lost-network",
            title="nothing reaches the server for 5 s",
            title_ko="5초 동안 아무것도 서버에 닿지 않는다",
            fault="lost-network",
            hold_s=5.0,
            has_proxy=True,
            limits=Limits(search_gap_s=8.0, write_gap_s=8.0),
        ),
        Drill(
            name="reset-network",
            title="connections to the server are reset for 5 s",
            title_ko="5초 동안 서버와의 연결이 끊어진다",
            fault="reset-network",
            hold_s=5.0,
            has_proxy=True,
            limits=Limits(search_gap_s=8.0, write_gap_s=8.0),
        ),
        Drill(
            name="memory-limit",
            title="the server may not take more memory than it has",
            title_ko="서버가 더 이상 메모리를 얻지 못한다",
            fault="memory-limit",
            target="standalone",
            hold_s=20.0,
        ),
        Drill(
            name="disk-full",
            title="the disk of the server is full for 10 s",
            title_ko="10초 동안 서버의 디스크가 가득 찬다",
            fault="disk-full",
            hold_s=10.0,
            has_small_disk=True,
        ),
        Drill(
            name="port-taken",
            title="the server is killed, and somebody else takes its port",
            title_ko="서버가 강제 종료되고 다른 프로그램이 포트를 차지한다",
            fault="port-taken",
            target="standalone",
            hold_s=3.0,
        ),
        _role_drill(
            "query-node",
            "query-node-1",
            "one of two query nodes is killed, replica 2",
            "복제본 2개에서 쿼리 노드 둘 중 하나를 강제 종료한다",
            hold_s=20.0,
            span_s=60.0,
            limits=Limits(search_availability_ratio=0.99, search_gap_s=2.0),
        ),
        _role_drill(
            "query-node-alone",
            "query-node-1",
            "one of two query nodes is killed, replica 1: the contrast",
            "복제본 1개에서 쿼리 노드 둘 중 하나를 강제 종료한다 (대조)",
            hold_s=20.0,
            span_s=60.0,
            replica_count=1,
        ),
        _role_drill(
            "root-coord",
            "root-coord",
            "the leading root coordinator is killed",
            "선두 루트 코디네이터를 강제 종료한다",
            hold_s=10.0,
            limits=Limits(search_gap_s=9.0),
        ),
        _role_drill(
            "query-coord",
            "query-coord",
            "the leading query coordinator is killed",
            "선두 쿼리 코디네이터를 강제 종료한다",
            hold_s=10.0,
            limits=Limits(search_gap_s=9.0),
        ),
        _role_drill(
            "data-coord",
            "data-coord",
            "the leading data coordinator is killed",
            "선두 데이터 코디네이터를 강제 종료한다",
            hold_s=10.0,
            limits=Limits(search_gap_s=9.0),
        ),
        _role_drill("data-node", "data-node-1", "the data node is killed", "데이터 노드를 강제 종료한다"),
        _role_drill("index-node", "index-node-1", "the index node is killed", "인덱스 노드를 강제 종료한다"),
        _role_drill(
            "proxy",
            "proxy-1",
            "one of two proxies is killed",
            "프록시 둘 중 하나를 강제 종료한다",
            hold_s=10.0,
            limits=Limits(search_availability_ratio=1.0),
        ),
        _role_drill(
            "etcd",
            "etcd-1",
            "the metadata store is killed",
            "메타데이터 저장소를 강제 종료한다",
            limits=Limits(search_availability_ratio=1.0),
        ),
        _role_drill(
            "kafka",
            "kafka-1",
            "the only Kafka broker is killed",
            "하나뿐인 Kafka 브로커를 강제 종료한다",
            hold_s=3.0,
            limits=Limits(search_gap_s=25.0),
        ),
        _role_drill(
            "trap",
            "",
            "a query node is killed, and then the query coordinator while it is missing",
            "쿼리 노드를 강제 종료하고, 그것이 없는 동안 쿼리 코디네이터를 강제 종료한다",
            fault="kill-in-turn",
            limits=Limits(search_after_mending_s=15.0),
            hold_s=15.0,
        ),
        _role_drill(
            "cluster-node",
            "node",
            "the whole machine is gone: every process of the cluster is killed",
            "노드 전체가 사라진다: 클러스터의 모든 프로세스를 강제 종료한다",
        ),
        _role_drill(
            "any-role",
            RANDOM_ROLE,
            "one process of a role drawn by lot is killed, every minute",
            "1분마다 제비로 뽑은 역할의 프로세스 하나를 강제 종료한다",
            hold_s=5.0,
            span_s=60.0,
        ),
        _role_drill(
            "kafka-of-three",
            "kafka-1",
            "one of three Kafka brokers is killed",
            "Kafka 브로커 셋 중 하나를 강제 종료한다",
            cluster={"kafka_brokers": 3},
            hold_s=10.0,
            limits=Limits(search_gap_s=5.0),
        ),
        _role_drill(
            "object-storage",
            "s3-1",
            "the object storage is killed",
            "객체 저장소를 강제 종료한다",
            cluster={"storage": "s3"},
            hold_s=5.0,
            limits=Limits(search_availability_ratio=1.0),
        ),
    )
}
"""Every drill by name, in the order in which a suite runs them."""


def get_drill(name: str) -> Drill:
    """The drill of that name.

    Raises:
        NotFoundError: there is none; the hint names the nearest.
    """
    if name not in DRILLS:
        raise NotFoundError(f"there is no drill {name}", hint=suggest(name, DRILLS))
    return DRILLS[name]
