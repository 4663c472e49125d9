"""Starts the servers that milvuslab can start here, probes each, and keeps the answers for the capabilities page.

`python -m tools.probe_servers` writes `benchmarks/results/capabilities.json`; `python -m tools.generate_docs` then
writes `docs/reference/capabilities.md` from it.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.gateway.probe import probe_server
from milvuslab.gateway.readiness import check_ready
from milvuslab.model.settings import resolve
from milvuslab.runtime import add_lite, add_standalone, endpoint_of, start_server, stop_server
from tools.pages.capabilities import RESULT_NAME

__all__ = ["main"]

_KEPT_NAMES = ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR", "PATH")


def main() -> None:
    """Probes Lite, the newest standalone and 2.2.16, one after the other."""
    raw: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="milvuslab-probe-") as folder:
        environment = {name: os.environ[name] for name in _KEPT_NAMES if name in os.environ}
        settings = resolve(environment=environment, flags={"home_dir": folder, "start_timeout_s": "180"})
        home_dir = Path(folder)
        profiles = [
            add_lite(home_dir, "lite"),
            add_standalone(home_dir, "standalone"),
            add_standalone(home_dir, "legacy", version="2.2.16"),
        ]
        for profile in profiles:
            try:
                start_server(profile, settings=settings, is_ready=check_ready)
                begun_s = time.monotonic()
                found = probe_server(endpoint_of(profile))
                label = f"Lite {profile.version}" if profile.name == "lite" else f"Milvus {profile.version}"
                label = label.strip() if profile.version else found.capabilities.server_version
                raw[label] = found.capabilities.as_dict()
                metrics[label] = {"probe_s": round(time.monotonic() - begun_s, 1), "is_certain": found.is_certain}
                print(label, metrics[label])
            finally:
                stop_server(profile, settings=settings)
    manifest = collect_manifest(packages=["pymilvus", "milvus-lite"])
    case = {"servers": list(raw), "deadline_s": 5.0}
    print(write_result(RESULT_NAME, manifest=manifest, case=case, raw=raw, metrics=metrics))


if __name__ == "__main__":
    main()
