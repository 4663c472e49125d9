"""The ports of a server: chosen once, written to its profile, never moved behind anybody's back."""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
from collections.abc import Collection, Mapping, Sequence

import psutil

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import ConflictError

__all__ = ["BLOCK_PORT_COUNT", "check_ports", "choose_ports", "is_port_open"]

_FIRST, _LAST = 20_000, 32_000
# Below the ports that systems hand out to outgoing connections (from 32768 on Linux, 49152 on macOS), so that no
# passing connection sits on a pinned port.
BLOCK_PORT_COUNT = 20
"""Most ports that are chosen as one run."""
_RELEASE_TIMEOUT_S = 20.0
# A killed process is seen listening, by nobody, until the system has taken it apart: 0.1 s at most in 121 stops and
# kills of Lite on a quiet machine, over 5 s once on a machine with eight times more work than cores.


def choose_ports(names: Sequence[str], *, taken: Collection[int], seed: int) -> dict[str, int]:
    """A run of neighbouring free ports, one for each name.

    Args:
        names: what each port is for: `proxy`, `metrics`.
        taken: ports that other profiles have, whether their servers run or not.
        seed: where to begin; those who choose ports that they will use later give different ones.

    Raises:
        ConflictError: no block of free ports is left.
    """
    assert len(names) <= BLOCK_PORT_COUNT, f"a server has at most {BLOCK_PORT_COUNT} ports: {names}"
    block_count = (_LAST - _FIRST) // BLOCK_PORT_COUNT
    for offset in range(block_count):
        # 37 shares no factor with the 600 blocks: neighbouring seeds lie far apart and every block is visited.
        first = _FIRST + (seed * 37 + offset) % block_count * BLOCK_PORT_COUNT
        ports = dict(zip(names, range(first, first + len(names)), strict=True))
        if not any(port in taken or not _is_free(port) for port in ports.values()):
            return ports
    raise ConflictError(
        f"no {len(names)} neighbouring ports are free from {_FIRST} to {_LAST}",
        hint="stop servers that you do not need",
    )


def check_ports(ports: Mapping[str, int], *, server_name: str) -> None:
    """Returns when every port of a server that is about to start is free.

    A process that was just killed holds its ports for a moment longer, when it is no longer seen as their holder; so a
    port without a visible holder is given some time.

    Raises:
        ConflictError: somebody listens on one; the message says which and, where it can be seen, who.
    """
    for purpose, port in ports.items():
        settled = poll_until(functools.partial(_is_settled, port), timeout_s=_RELEASE_TIMEOUT_S)
        if not settled or not _is_free(port):
            raise ConflictError(
                f"port {port} ({purpose} of server {server_name}) is taken by "
                + (_name_holder(port) or "a process that this user may not see"),
                hint="stop that program, or give the server other ports: "
                f"milvuslab server config {server_name} --renew-ports",
            )


def is_port_open(port: int, *, host: str = "127.0.0.1", timeout_s: float = 0.5) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def _is_free(port: int) -> bool:
    """Whether all interfaces can be bound; ended connections that the system still remembers do not count."""
    return _can_listen(socket.AF_INET, port) and _can_listen(socket.AF_INET6, port)


def _can_listen(family: socket.AddressFamily, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(("", port))
            listener.listen(1)
    except OSError as error:
        has_no_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
        return family == socket.AF_INET6 and has_no_ipv6
    return True


def _is_settled(port: int) -> bool:
    return _is_free(port) or bool(_name_holder(port))


def _name_holder(port: int) -> str:
    """Process that listens there; empty when there is none, or none that this user may see."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            # An unconnected socket has an empty address instead of host and port.
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
