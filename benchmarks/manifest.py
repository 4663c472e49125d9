"""Manifest and kept results, as `milvuslab.bench.manifest` makes them, with this checkout's folder of results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milvuslab.bench import manifest as _manifest
from milvuslab.bench.manifest import collect_manifest

__all__ = ["RESULTS_DIR", "ROOT_DIR", "collect_manifest", "write_result"]

ROOT_DIR = Path(__file__).resolve().parents[1]
RESULTS_DIR = ROOT_DIR / "benchmarks" / "results"


def write_result(
    name: str, *, manifest: Mapping[str, Any], case: Mapping[str, Any], raw: Any, metrics: Mapping[str, Any]
) -> Path:
    """Writes `benchmarks/results/NAME.json` and returns its path."""
    return _manifest.write_result(name, manifest=manifest, case=case, raw=raw, metrics=metrics, folder=RESULTS_DIR)
