"""What stands beside every number: code, packages, machine, limits, server, time. No manifest, no number.

A kept result is one JSON file: `{"format": 1, "name", "manifest", "case", "raw", "metrics"}`. `case` is what was asked,
`raw` every single measurement, `metrics` what was worked out of `raw` and nothing else.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab import __version__
from milvuslab.machine import write_text

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["MEASURING_PACKAGES", "collect_manifest", "describe_index", "describe_server", "write_result"]

MEASURING_PACKAGES = ("faiss-cpu", "grpcio", "milvus-lite", "numpy", "protobuf", "pymilvus")
"""Packages whose versions matter for a search benchmark."""

_PACKAGE_DIR = Path(__file__).resolve().parents[1]
_CGROUP = Path("/sys/fs/cgroup")


def collect_manifest(*, packages: Sequence[str] = (), extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Facts about this code and machine at this moment.

    Args:
        packages: distributions whose versions matter for the number; one that is not installed is None.
        extra: what only the case knows: server versions, seeds, warm-up, index parameters as the server reports them.
    """
    import psutil

    return {
        "milvuslab_version": __version__,
        **_commit(),
        "python_version": platform.python_version(),
        "package_versions": {name: _version_of(name) for name in sorted(packages)},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu_model": _cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "container_limits": _container_limits(),
        "load_1min": round(os.getloadavg()[0], 2),
        "measured_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **(extra or {}),
    }


def describe_server(gateway: Gateway) -> dict[str, Any]:
    """What the server says it is; its address only without anything secret."""
    return {"version": gateway.server_version, "uri": gateway.endpoint.safe_uri}


def describe_index(gateway: Gateway, name: str, field_name: str) -> dict[str, Any]:
    """The index of a field as the server reports it: type, metric, build parameters, rows, state."""
    report = gateway.indexes.describe(name, field_name)
    return {
        "type": report.spec.index_type,
        "metric": str(report.spec.metric),
        "params": dict(report.spec.params),
        "indexed_row_count": report.indexed_row_count,
        "total_row_count": report.total_row_count,
        "state": report.state,
    }


def write_result(
    name: str,
    *,
    manifest: Mapping[str, Any],
    case: Mapping[str, Any],
    raw: Any,
    metrics: Mapping[str, Any],
    folder: Path,
) -> Path:
    """Writes `folder/NAME.json` as a whole and returns its path."""
    path = folder / f"{name}.json"
    content = {"format": 1, "name": name, "manifest": manifest, "case": case, "raw": raw, "metrics": metrics}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n", mode=0o644)
    return path


def _commit() -> dict[str, Any]:
    """Commit of the checkout that the package runs from; None where it was installed from a wheel."""
    if not (_PACKAGE_DIR.parents[1] / ".git").exists():
        return {"commit": None, "has_local_changes": None}
    return {
        "commit": _git("rev-parse", "HEAD"),
        "has_local_changes": bool(_git("status", "--porcelain", "--untracked-files=no", "--", str(_PACKAGE_DIR))),
    }


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_PACKAGE_DIR), *arguments], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _container_limits() -> dict[str, str]:
    """Limits of the control group we run in, in the kernel's words; empty where there are none to read."""
    found: dict[str, str] = {}
    for name in ("cpu.max", "memory.max", "memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us"):
        with contextlib.suppress(OSError):
            found[name.rsplit("/", 1)[-1]] = (_CGROUP / name).read_text(encoding="utf-8").strip()
    return found
