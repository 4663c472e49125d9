"""What stands beside every number: code, packages, machine, time. No manifest, no number.

A result is one JSON file, `benchmarks/results/NAME.json`: `{"format": 1, "name", "manifest", "case", "raw", "metrics"}`.
`case` is what was asked, `raw` every single measurement, `metrics` what was worked out of `raw` and nothing else.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from milvuslab import __version__

__all__ = ["RESULTS_DIR", "ROOT_DIR", "collect_manifest", "write_result"]

ROOT_DIR = Path(__file__).resolve().parents[1]
RESULTS_DIR = ROOT_DIR / "benchmarks" / "results"


def collect_manifest(*, packages: Sequence[str] = (), extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Facts about this code and machine at this moment.

    Args:
        packages: distributions whose versions matter for the number.
        extra: what only the case knows: server versions, seeds, warm-up, index parameters as the server reports them.
    """
    return {
        "milvuslab_version": __version__,
        "commit": _git("rev-parse", "HEAD"),
        "has_local_changes": bool(_git("status", "--porcelain", "--untracked-files=no", "--", "src")),
        "python_version": platform.python_version(),
        "package_versions": {name: importlib.metadata.version(name) for name in sorted(packages)},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu_model": _cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_1min": round(os.getloadavg()[0], 2),
        "measured_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **(extra or {}),
    }


def write_result(
    name: str, *, manifest: Mapping[str, Any], case: Mapping[str, Any], raw: Any, metrics: Mapping[str, Any]
) -> Path:
    """Writes `benchmarks/results/NAME.json` and returns its path."""
    RESULTS_DIR.mkdir(parents=True, exist_ok=True)
    path = RESULTS_DIR / f"{name}.json"
    content = {"format": 1, "name": name, "manifest": manifest, "case": case, "raw": raw, "metrics": metrics}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT_DIR), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
