"""The page."""

from __future__ import annotations

from pathlib import Path

from milvuslab.tune.comparison.values import Comparison

__all__ = ["write_report"]


def write_report(comparison: Comparison) -> Path:
    """Writes."""
    return comparison.folder / "report.html"
