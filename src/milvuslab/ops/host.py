"""What this machine offers, read once: cores, memory, limits of a container, processor features, open files.

Values only; nothing here decides what is enough. `/proc` and `/sys` are read where they exist, under a root that a
test may set.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import subprocess
from pathlib import Path

import psutil

__all__ = ["Host", "find_existing_parent", "read_host"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine, or the container we see of it.

    Attributes:
        system: `Linux`, `Darwin` or `Windows`.
        architecture: `x86_64`, `arm64`, `aarch64`.
        libc: `glibc 2.36`, `musl`, or empty where that means nothing.
        core_count: cores this process may use.
        core_limit: cores a container grants, or None.
        memory_bytes: of the machine.
        memory_free_bytes: what programs may still take, the container's limit considered.
        memory_limit_bytes: of a container, or None.
        process_limit: processes a container grants, or None.
        cpu_flags: processor features in lower case (`avx2`); empty when unknown.
        open_file_limit: open files of one process, the soft limit; None where there is none.
    """

    system: str
    architecture: str
    libc: str
    core_count: int
    core_limit: float | None
    memory_bytes: int
    memory_free_bytes: int
    memory_limit_bytes: int | None
    process_limit: int | None
    cpu_flags: frozenset[str]
    open_file_limit: int | None


def read_host(*, root: Path = Path("/")) -> Host:
    """The machine as it is now."""
    memory = psutil.virtual_memory()
    limit_bytes = _cgroup_number(root, "memory.max", "memory/memory.limit_in_bytes")
    if limit_bytes is not None and limit_bytes >= memory.total:
        limit_bytes = None
    free_bytes = int(memory.available)
    if limit_bytes is not None:
        used_bytes = _cgroup_number(root, "memory.current", "memory/memory.usage_in_bytes") or 0
        free_bytes = max(0, min(free_bytes, limit_bytes - used_bytes))
    return Host(
        system=platform.system(),
        architecture=platform.machine(),
        libc=_read_libc(root),
        core_count=_count_cores(),
        core_limit=_read_core_limit(root),
        memory_bytes=int(memory.total),
        memory_free_bytes=free_bytes,
        memory_limit_bytes=limit_bytes,
        process_limit=_cgroup_number(root, "pids.max", "pids/pids.max"),
        cpu_flags=_read_cpu_flags(root),
        open_file_limit=_read_open_file_limit(),
    )


def find_existing_parent(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroup_number(root: Path, *names: str) -> int | None:
    """The first of the files that holds a number; `max` and an absent file mean no limit."""
    for name in names:
        text = _read_text(root / "sys/fs/cgroup" / name).strip()
        if text.isdigit():
            return int(text)
    return None


def _read_core_limit(root: Path) -> float | None:
    parts = _read_text(root / "sys/fs/cgroup/cpu.max").split()
    if len(parts) == 2 and parts[0].isdigit():
        return int(parts[0]) / int(parts[1])
    quota = _read_text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()
    period = _read_text(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _read_libc(root: Path) -> str:
    if platform.system() != "Linux":
        return ""
    name, version = platform.libc_ver()
    if name:
        return f"{name} {version}"
    return "musl" if list((root / "lib").glob("ld-musl-*")) else ""


def _read_cpu_flags(root: Path) -> frozenset[str]:
    for line in _read_text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.lower().split())
    if platform.system() == "Darwin" and shutil.which("sysctl"):
        names = ["machdep.cpu.features", "machdep.cpu.leaf7_features"]
        done = subprocess.run(["sysctl", "-n", *names], capture_output=True, text=True, check=False, timeout=10)
        return frozenset(done.stdout.lower().replace("sse4.2", "sse4_2").split())
    return frozenset()


def _read_open_file_limit() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else int(soft)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
