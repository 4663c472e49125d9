"""The page of the studio's metrics, from the registry that serves them."""

from __future__ import annotations

from pathlib import Path

from milvuslab.studio.metrics import StudioMetrics

__all__ = ["render_page"]

_HEAD = """# Metrics

What the studio tells Prometheus at `/metrics`, in the text format. Durations are in seconds, counters end in `_total`, and a
histogram has the series `_bucket`, `_sum` and `_count`. Labels take few values: `route` is the pattern of a route, never a path,
and whatever has no route is counted as `other`. On Linux the usual `process_*` metrics are there too. When `studio_key` is set,
Prometheus sends it: `authorization: {credentials: KEY}` in the scrape configuration.

| name | type | labels | meaning |
|---|---|---|---|
"""


def render_page(root_dir: Path) -> str:
    """A row per metric."""
    del root_dir
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels) or '–'} | {meaning} |"
        for name, kind, meaning, labels in StudioMetrics(with_process=False).describe()
    ]
    return _HEAD + "\n".join(rows)
