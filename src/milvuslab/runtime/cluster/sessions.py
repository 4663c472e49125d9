"""Which roles have reported for duty: the sessions that Milvus keeps in etcd, read over etcd's HTTP gateway.

A role that lives renews its session; a dead one's is gone after `common.session.ttl` seconds. A coordinator that leads
holds the session named after its role; a twin that waits has its number behind it. (Read in a live 2.3.5.)
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

from milvuslab.model.errors import UnreachableError
from milvuslab.runtime.cluster.layout import Cluster
from milvuslab.runtime.cluster.options import etcd_addresses
from milvuslab.runtime.cluster.roles import role_of

__all__ = ["Session", "fetch_sessions", "is_etcd_healthy"]

_TIMEOUT_S = 3.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One role that has reported.

    Attributes:
        server_id: Milvus's number for this run of the process.
        is_active: whether it leads; always for what has no twins.
    """

    server_id: int
    is_active: bool


def fetch_sessions(cluster: Cluster) -> dict[str, Session]:
    """The session of each instance that has one, by its name.

    Raises:
        UnreachableError: no member of etcd answers.
    """
    instance_of = {_reported_port(cluster, name): name for name in cluster.profile.instances if role_of(name).word}
    prefix = f"milvuslab-{cluster.name}/meta/session/"
    found: dict[str, Session] = {}
    for key, value in _fetch_range(cluster, prefix):
        address, server_id = str(value.get("Address", "")), value.get("ServerID")
        port = address.rsplit(":", 1)[-1]
        instance = instance_of.get(int(port)) if port.isdigit() else None
        if instance is None or not isinstance(server_id, int):
            continue
        role = role_of(instance)
        session = Session(server_id=server_id, is_active=not role.is_coordinator or key == prefix + role.word)
        known = found.get(instance)
        # The session of a killed predecessor stays for a moment; a leader may hold both names.
        if known is None or (session.server_id, session.is_active) > (known.server_id, known.is_active):
            found[instance] = session
    return found


def is_etcd_healthy(port: int) -> bool:
    """Whether a member of etcd on this machine has a leader."""
    try:
        return str(_ask(f"http://127.0.0.1:{port}/health").get("health")) == "true"
    except (OSError, ValueError):
        return False


def _reported_port(cluster: Cluster, instance: str) -> int:
    """The port in an instance's session; a proxy tells the others the one for them, not the one for clients."""
    return cluster.port_of(instance, "internal" if role_of(instance).name == "proxy" else "")


def _fetch_range(cluster: Cluster, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    body = json.dumps({"key": _encode(prefix), "range_end": _encode(end)}).encode()
    reasons = []
    for address in etcd_addresses(cluster).split(","):
        try:
            pairs = _ask(f"http://{address}/v3/kv/range", body).get("kvs", [])
        except (OSError, ValueError) as error:
            reasons.append(f"{address}: {getattr(error, 'reason', error)}")
            continue
        return [(_decode(pair["key"]), _parse(_decode(pair["value"]))) for pair in pairs]
    raise UnreachableError(f"no member of etcd answers: {'; '.join(reasons)}", hint="milvuslab cluster status")


def _ask(url: str, body: bytes | None = None) -> dict[str, Any]:
    import urllib.request  # 20 ms, which a command that asks nothing need not wait

    # A proxy that the environment names for the internet knows nothing of our loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, data=body, timeout=_TIMEOUT_S) as answer:
        value = json.load(answer)
    return value if isinstance(value, dict) else {}


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decode(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}  # the counter of server numbers lies under the same prefix
    return value if isinstance(value, dict) else {}
