"""The drills, as a table: what is broken, where, for how long, and what that may cost.

Limits of time come from what was measured on real servers with 5 s of `common.session.ttl`
(benchmarks/results/drill-*.json); what has none is reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from milvuslab.model.errors import NotFoundError, suggest
from milvuslab.ops.drill.verdict import Limits

__all__ = ["DRILLS", "Drill", "get_drill"]


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
    hold_s: float = 0.0
    span_s: float = 0.0
    has_proxy: bool = False
    has_small_disk: bool = False
    replica_count: int = 1
    limits: Limits = dataclasses.field(default_factory=Limits)


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
            hold_s=10.0,
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
