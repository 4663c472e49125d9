"""Small JSON files that are whole after any crash: written beside, synced, renamed.

Each file holds `format`, the version of its form. A newer one than we know is refused, never guessed at.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milvuslab.model.errors import ConfigError

__all__ = ["read_record", "write_record", "write_text"]


def write_record(path: Path, values: Mapping[str, Any], *, version: int) -> None:
    """Replaces the file as a whole; readers see the old or the new content, never a part."""
    write_text(path, json.dumps({"format": version, **values}, indent=2) + "\n")


def read_record(path: Path, *, version: int) -> dict[str, Any]:
    """Content of the file without `format`.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it is no JSON object, or of a newer format.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is damaged: {error}", hint=f"restore it, or move it away: mv {path} {path}.bad"
        ) from None
    found = values.pop("format", None) if isinstance(values, dict) else None
    if not isinstance(found, int):
        raise ConfigError(f"{path} says no format", hint=f"restore it, or move it away: mv {path} {path}.bad")
    if found > version:
        raise ConfigError(f"{path} has format {found}, this milvuslab knows up to {version}", hint="upgrade milvuslab")
    return dict(values)


def write_text(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replaces a file as a whole, readable by its owner only unless `mode` says otherwise; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
