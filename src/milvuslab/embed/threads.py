"""How many threads pay off: the physical cores that this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path

import psutil

__all__ = ["count_usable_cores"]


def count_usable_cores(*, root: Path = Path("/")) -> int:
    """Physical cores within the affinity mask and the CPU quota of the control group, at least 1.

    Args:
        root: where `proc` and `sys` lie.
    """
    logical = psutil.cpu_count() or 1
    threads_per_core = max(1, logical // (psutil.cpu_count(logical=False) or logical))
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    return max(1, min(allowed // threads_per_core, math.ceil(_quota_cores(root))))


def _quota_cores(root: Path) -> float:
    quotas = [_read_quota(folder) for folder in _group_folders(root)]
    return min((quota for quota in quotas if quota), default=math.inf) if any(quotas) else 1 << 16


def _group_folders(root: Path) -> list[Path]:
    # A limit of any group above ours holds too. Inside a container the path is often not visible: the top is tried.
    top = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [top, top / "cpu"]
    inner = next((line[3:] for line in lines if line.startswith("0::")), "/")
    group = top / inner.lstrip("/")
    folders = [group, *group.parents]
    return [folder for folder in folders if folder.is_relative_to(top)] + [top / "cpu"]


def _read_quota(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
            return None if quota == "max" else int(quota) / int(period)
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        return quota_us / int((folder / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
