"""How much disk an installation takes, and how long `milvuslab --help` takes.

`python -m benchmarks.install_size` builds the wheel, installs it into a fresh environment for each case, and writes
`results/install_size.json`. Sizes are allocated blocks of the whole environment, pip and compiled files included, as a
disk sees them. `--help` is timed from starting the process to its end in the core environment, after one run that
compiles; the median of 10 is the metric.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.manifest import ROOT_DIR, collect_manifest, write_result

__all__ = ["allocated_bytes", "main", "measure_help_s", "size_by_package"]

CASES: dict[str, dict[str, Any]] = {
    "core": {"extras": "", "limit_bytes": 300_000_000},
    "lite": {"extras": "[lite]", "limit_bytes": 520_000_000},
    "all": {"extras": "[all]", "limit_bytes": None},
}
HELP_RUN_COUNT = 10
HELP_LIMIT_S = 0.4
_SHOWN_COUNT = 15


def main() -> int:
    """Measures all cases; ends with 1 when one is above its limit."""
    raw: dict[str, Any] = {"packages": {}, "install_s": {}, "help_s": []}
    metrics: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        wheel = _build_wheel(Path(folder) / "dist")
        for name, case in CASES.items():
            venv_dir = Path(folder) / name
            begin = time.monotonic()
            python = _install(f"{wheel}{case['extras']}", venv_dir)
            raw["install_s"][name] = round(time.monotonic() - begin, 1)
            raw["packages"][name] = dict(size_by_package(venv_dir).most_common(_SHOWN_COUNT))
            metrics[f"{name}_size_bytes"] = allocated_bytes(venv_dir)
            if name == "core":
                raw["help_s"] = measure_help_s(python.with_name("milvuslab"))
    metrics["help_s_p50"] = statistics.median(raw["help_s"])
    limits = {f"{name}_size_bytes": case["limit_bytes"] for name, case in CASES.items() if case["limit_bytes"]}
    limits["help_s_p50"] = HELP_LIMIT_S
    case = {"limits": limits, "help_run_count": HELP_RUN_COUNT, "extras": {n: c["extras"] for n, c in CASES.items()}}
    path = write_result("install_size", manifest=collect_manifest(), case=case, raw=raw, metrics=metrics)
    print(f"wrote {path.relative_to(ROOT_DIR)}")
    for name, value in metrics.items():
        print(f"{name} {value:,} (limit {limits.get(name, 'none')})")
    return 1 if any(metrics[name] > limit for name, limit in limits.items()) else 0


def allocated_bytes(folder: Path) -> int:
    """Disk blocks of all files below a folder, in bytes; a file with two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        if not path.is_symlink():
            stat = path.stat()
            seen[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(seen.values())


def size_by_package(venv_dir: Path) -> Counter[str]:
    """Allocated bytes by entry of site-packages."""
    (site_dir,) = venv_dir.glob("lib/python*/site-packages")
    sizes: Counter[str] = Counter()
    for entry in site_dir.iterdir():
        sizes[entry.name] = allocated_bytes(entry) if entry.is_dir() else entry.stat().st_blocks * 512
    return sizes


def measure_help_s(command: Path) -> list[float]:
    """Seconds of each of `HELP_RUN_COUNT` runs of `--help`, after one that does not count."""
    durations = []
    for _ in range(HELP_RUN_COUNT + 1):
        begin = time.monotonic()
        subprocess.run([str(command), "--help"], check=True, capture_output=True)
        durations.append(round(time.monotonic() - begin, 4))
    return durations[1:]


def _build_wheel(dist_dir: Path) -> Path:
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(dist_dir), str(ROOT_DIR)], check=True)
    (wheel,) = dist_dir.glob("*.whl")
    return wheel


def _install(requirement: str, venv_dir: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(venv_dir)], check=True)
    python = venv_dir / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", requirement], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())
