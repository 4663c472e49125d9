"""What can be broken, each as a block: broken when it begins, with proof that it was; `Stage.heal` mends it afterwards.

A fault that did not happen proves nothing, so each one looks: the process is gone, stands still, was refused memory or
disk, the proxy carried nothing. What a fault needs and this machine does not have is an `UnsupportedError` before anything is broken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import CheckFailedError, MilvusLabError, UnsupportedError
from milvuslab.ops import servers
from milvuslab.ops.drill.stage import Stage
from milvuslab.ops.drill.workload import COLLECTION

__all__ = ["FAULTS", "Evidence", "break_stage"]

_GONE_TIMEOUT_S = 10.0
_TERM_TIMEOUT_S = 60.0
_HEADROOM_BYTES = 4 * 1024 * 1024
_BLOCK_BYTES = 1 << 20
_FLUSH_TIMEOUT_S = 8.0
_IN_TURN = ("query-node-1", "query-coord")
_IN_TURN_PAUSE_S = 4.0


@dataclasses.dataclass(slots=True, kw_only=True)
class Evidence:
    """What a fault left to be seen.

    Attributes:
        struck_at_s: when it began, seconds since the beginning of the drill.
        ended_at_s: when mending began.
        happened: whether it was seen to have happened.
        notes: what was seen, in order.
    """

    struck_at_s: float = 0.0
    ended_at_s: float | None = None
    happened: bool = False
    notes: list[str] = dataclasses.field(default_factory=list)

    def prove(self, note: str, *, happened: bool = True) -> None:
        """Takes down what was seen."""
        self.notes.append(note)
        self.happened = self.happened or happened

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


_Block = Callable[[Stage, list[str], Evidence], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def break_stage(stage: Stage, fault: str, *, target: str, now_s: Callable[[], float]) -> Iterator[Evidence]:
    """Breaks the target in the way of `fault` while the block runs. Afterwards it may be broken still: `Stage.heal`.

    Raises:
        UnsupportedError: this machine cannot do that.
        NotFoundError: the server has no such target.
    """
    instances = stage.pick(target) if target else []
    evidence = Evidence(struck_at_s=now_s())
    with FAULTS[fault](stage, instances, evidence):
        try:
            yield evidence
        finally:
            evidence.ended_at_s = now_s()


@contextlib.contextmanager
def _nothing(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    del stage, instances
    evidence.prove("nothing was broken")
    yield


@contextlib.contextmanager
def _kill(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    pids = stage.signal(instances, signal.SIGKILL)
    is_gone = stage.wait_gone(instances, timeout_s=_GONE_TIMEOUT_S)
    evidence.prove(
        f"{_names(instances)} got SIGKILL as {_pids(pids)} and is {'gone' if is_gone else 'still there'}",
        happened=is_gone,
    )
    yield


@contextlib.contextmanager
def _kill_in_turn(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    """The targets one after the other, the next when the loss of the one before is known."""
    del instances
    for name in _IN_TURN:
        with _kill(stage, stage.pick(name), evidence):
            poll_until(lambda: False, timeout_s=_IN_TURN_PAUSE_S, interval_s=_IN_TURN_PAUSE_S)
    yield


@contextlib.contextmanager
def _terminate(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    pids = stage.signal(instances, signal.SIGTERM)
    evidence.prove(f"{_names(instances)} got SIGTERM as {_pids(pids)}", happened=False)
    yield
    is_gone = stage.wait_gone(instances, timeout_s=_TERM_TIMEOUT_S)
    if not is_gone:
        # 2.2.16 was seen to hang in its shutdown under load for over five minutes (measured); 2.3.5 ends.
        stage.signal(instances, signal.SIGKILL)
    evidence.prove("it ended by itself" if is_gone else f"it did not end within {_TERM_TIMEOUT_S:.0f} s and was killed")


@contextlib.contextmanager
def _freeze(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    pids = stage.signal(instances, signal.SIGSTOP)
    stands = poll_until(lambda: all(_status(pid) == psutil.STATUS_STOPPED for pid in pids), timeout_s=2.0)
    evidence.prove(f"{_names(instances)} stands still as {_pids(pids)}", happened=bool(stands and pids))
    try:
        yield
    finally:
        stage.signal(instances, signal.SIGCONT)


@contextlib.contextmanager
def _slow_network(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    del instances
    yield from _through_proxy(stage, evidence, mode="slow", said="every block arrives 0.3 s late")


@contextlib.contextmanager
def _lost_network(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    del instances
    yield from _through_proxy(stage, evidence, mode="deaf", said="nothing arrives")


@contextlib.contextmanager
def _reset_network(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    del instances
    yield from _through_proxy(stage, evidence, mode="reset", said="connections are reset")


def _through_proxy(stage: Stage, evidence: Evidence, *, mode: Any, said: str) -> Iterator[None]:
    assert stage.proxy is not None, "the drill puts clients behind a proxy"
    count = stage.proxy.set_mode(mode)
    before = stage.proxy.byte_count
    evidence.prove(f"{count} connections: {said}", happened=count > 0)
    try:
        yield
    finally:
        stage.proxy.set_mode("pass")
        evidence.prove(f"{stage.proxy.byte_count - before:,} bytes went through meanwhile", happened=False)


@contextlib.contextmanager
def _memory_limit(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    if not hasattr(psutil.Process, "rlimit"):
        raise UnsupportedError("a limit on the memory of a running process", needs="Linux", has="another system")
    for instance in instances:
        pid = stage.pid_of(instance)
        if pid is None:
            continue
        process = psutil.Process(pid)
        limit_bytes = process.memory_info().vms + _HEADROOM_BYTES
        hard = process.rlimit(psutil.RLIMIT_AS)[1]
        process.rlimit(psutil.RLIMIT_AS, (limit_bytes, hard))
        held = process.rlimit(psutil.RLIMIT_AS)[0]
        evidence.prove(
            f"{instance} ({pid}) may map {held / 1e9:.2f} GB, {_HEADROOM_BYTES / 1e6:.0f} MB more than it has",
            happened=held == limit_bytes,
        )
    yield
    dead = [one for one in instances if stage.pid_of(one) is None]
    evidence.prove(f"{_names(dead)} died of it" if dead else "all of them lived with it")


@contextlib.contextmanager
def _disk_full(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    del instances
    folder = stage.ballast_path.parent
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes > 4_000_000_000:
        raise UnsupportedError(
            "filling the disk", needs="a server whose data lies on a disk of its own of at most 4 GB",
            has=f"{free_bytes / 1e9:.0f} GB free in {folder}", hint="milvuslab drill run disk-full, as root, without --server",
        )  # fmt: skip
    filled = _fill(stage.ballast_path)
    evidence.prove(f"{filled / 1e6:.0f} MB written, then: no space left; {shutil.disk_usage(folder).free} bytes free")
    try:
        evidence.prove(_try_flush(stage), happened=False)
        yield
    finally:
        stage.ballast_path.unlink(missing_ok=True)


@contextlib.contextmanager
def _port_taken(stage: Stage, instances: list[str], evidence: Evidence) -> Iterator[None]:
    stage.signal(instances, signal.SIGKILL)
    stage.wait_gone(instances, timeout_s=_GONE_TIMEOUT_S)
    port = stage.profile.ports[next(iter(stage.profile.ports))] if stage.is_cluster else stage.profile.ports["proxy"]
    with _occupy(port):
        try:
            servers.start(stage.workspace, stage.profile.name)
        except MilvusLabError as error:
            evidence.prove(f"starting was refused: {error.message}", happened=str(port) in error.message)
        else:
            evidence.prove(f"the server started although port {port} was taken", happened=False)
        yield


FAULTS: Mapping[str, _Block] = {
    "none": _nothing,
    "kill": _kill,
    "kill-in-turn": _kill_in_turn,
    "terminate": _terminate,
    "freeze": _freeze,
    "slow-network": _slow_network,
    "lost-network": _lost_network,
    "reset-network": _reset_network,
    "memory-limit": _memory_limit,
    "disk-full": _disk_full,
    "port-taken": _port_taken,
}
"""Every way to break a server, by name."""


@contextlib.contextmanager
def _occupy(port: int) -> Iterator[None]:
    """Listens on the port as a stranger would; waits for the killed server's sockets to be gone."""

    def bind() -> socket.socket | None:
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind(("127.0.0.1", port))
        except OSError:
            own.close()
            return None
        own.listen()
        return own

    stranger = poll_until(bind, timeout_s=_GONE_TIMEOUT_S)
    if stranger is None:
        raise CheckFailedError(f"port {port} could not be taken", findings=[], hint="something else listens on it")
    with stranger:
        yield


def _fill(path: Path) -> int:
    """Writes until the disk is full; the bytes that fitted."""
    with path.open("wb", buffering=0) as file:
        # Ever smaller blocks, so that not even a page is left.
        for size in (_BLOCK_BYTES, 65_536, 4_096, 1):
            try:
                while file.write(os.urandom(size)):
                    pass
            except OSError as error:  # noqa: PERF203  (the end of each size)
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
        return file.tell()


def _try_flush(stage: Stage) -> str:
    """What became of asking for growing segments to be written: calls alone fit into what a server has laid out before."""
    with stage.connect(call_timeout_s=_FLUSH_TIMEOUT_S) as gateway:
        try:
            gateway.collections.flush(COLLECTION, timeout_s=_FLUSH_TIMEOUT_S)
        except MilvusLabError as error:
            return f"a flush did not succeed: {error.message[:120]}"
    return "a flush succeeded"


def _status(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return "gone"


def _names(instances: list[str]) -> str:
    return ", ".join(instances) or "nobody"


def _pids(pids: tuple[int, ...]) -> str:
    return f"process {', '.join(str(pid) for pid in pids)}" if pids else "no process"
