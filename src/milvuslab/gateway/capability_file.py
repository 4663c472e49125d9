"""Probed capabilities kept on disk, one file for each server version and build."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from milvuslab.model.server import Capabilities

__all__ = ["read_capabilities", "write_capabilities"]

_FORMAT = 1
"""Raised when the probe learns to ask something new: older files are then probed again."""


def read_capabilities(cache_dir: Path, *, version: str, build: str) -> Capabilities | None:
    """What was kept for that server; None when nothing was, or by another format."""
    try:
        stored = json.loads(_path(cache_dir, version=version, build=build).read_text(encoding="utf-8"))
        if stored.get("format") != _FORMAT:
            return None
        return _from_dict(stored["capabilities"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A file that cannot be read is one that was never written: the probe makes it anew.
        return None


def write_capabilities(cache_dir: Path, capabilities: Capabilities) -> None:
    """Keeps what was probed; a reader never sees half a file.

    Raises:
        OSError: the folder cannot be written.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    path = _path(cache_dir, version=capabilities.server_version, build=capabilities.server_build)
    text = json.dumps({"format": _FORMAT, "capabilities": capabilities.as_dict()}, indent=1)
    handle, temporary = tempfile.mkstemp(dir=cache_dir, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)


def _path(cache_dir: Path, *, version: str, build: str) -> Path:
    return cache_dir / f"capabilities-{re.sub(r'[^A-Za-z0-9._-]', '_', f'{version}-{build}')}.json"


def _from_dict(stored: dict[str, Any]) -> Capabilities:
    return Capabilities(
        server_version=stored["server_version"],
        server_build=stored["server_build"],
        index_types={name: frozenset(kinds) for name, kinds in stored["index_types"].items()},
        metrics={name: frozenset(kinds) for name, kinds in stored["metrics"].items()},
        data_types=frozenset(stored["data_types"]),
        features=frozenset(stored["features"]),
        notes=dict(stored["notes"]),
    )
