"""How long a server takes from the order to start until a search is answered.

`python -m benchmarks.start_to_ready` starts each server `REPEAT_COUNT` times in each of three ways and writes
`results/start_to_ready.json`: `first` with an empty folder, `restart` after an ordinary stop, `after_kill` after a
SIGKILL. Ready is `gateway.check_ready`: a STRONG search on the probe collection, which the first start also makes.
Fetching and unpacking the build is not in it. The medians are the metrics; the limits hold for `first`, and for
the standalone that is the default.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.manifest import ROOT_DIR, collect_manifest, write_result
from milvuslab.gateway.readiness import check_ready
from milvuslab.model.settings import Settings, resolve
from milvuslab.runtime import (
    Profile,
    add_lite,
    add_standalone,
    choose_build,
    find_program,
    install_build,
    read_machine,
    start_server,
    stop_server,
)
from milvuslab.runtime.lite import lite_version

__all__ = ["main", "measure_starts"]

REPEAT_COUNT = 3
LIMITS = {"lite_first_s": 3.0, "standalone_2_3_5_first_s": 20.0}
VERSIONS = ("2.3.5", "2.2.16")


def main() -> int:
    """Measures all servers; ends with 1 when a limit is passed."""
    raw: dict[str, dict[str, list[float]]] = {}
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(REPEAT_COUNT):
            settings = resolve(flags={"home_dir": Path(folder) / str(number)}, environment=environment)
            for version in VERSIONS:
                install_build(choose_build(read_machine(), version=version), cache_dir=settings.cache_dir)
            for name, profile in _add_servers(settings.home_dir).items():
                for way, duration_s in measure_starts(profile, settings=settings).items():
                    raw.setdefault(name, {}).setdefault(way, []).append(round(duration_s, 3))
    metrics = {f"{name}_{way}_s": statistics.median(runs) for name, ways in raw.items() for way, runs in ways.items()}
    manifest = collect_manifest(
        packages=("pymilvus", "milvus-lite"),
        extra={"server_versions": {"lite": lite_version(), **{f"standalone_{v}": v for v in VERSIONS}}},
    )
    case = {"repeat_count": REPEAT_COUNT, "limits": LIMITS, "session_ttl_s": settings.session_ttl_s}
    path = write_result("start_to_ready", manifest=manifest, case=case, raw=raw, metrics=metrics)
    print(f"wrote {path.relative_to(ROOT_DIR)}")
    for name, value in metrics.items():
        print(f"{name} {value:.2f} (limit {LIMITS.get(name, 'none')})")
    return 1 if any(metrics[name] > limit for name, limit in LIMITS.items()) else 0


def measure_starts(profile: Profile, *, settings: Settings) -> dict[str, float]:
    """Seconds of one first start, one restart and one start after a kill; the server is stopped at the end."""

    def start() -> Any:
        return start_server(profile, settings=settings, is_ready=check_ready)

    try:
        durations = {"first": _time(start)}
        stop_server(profile, settings=settings)
        durations["restart"] = _time(start)
        running = find_program(profile.record_path)
        assert running is not None, f"{profile.name} is not running"
        os.kill(running.pid, signal.SIGKILL)
        durations["after_kill"] = _time(start)
    finally:
        stop_server(profile, settings=settings)
    return durations


def _add_servers(home_dir: Path) -> dict[str, Profile]:
    standalone = {
        f"standalone_{version.replace('.', '_')}": add_standalone(
            home_dir, f"milvus-{version.replace('.', '-')}", version=version
        )
        for version in VERSIONS
    }
    return {"lite": add_lite(home_dir, "lite"), **standalone}


def _time(work: Callable[[], Any]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


if __name__ == "__main__":
    sys.exit(main())
