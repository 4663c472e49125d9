"""Small JSON files that are either the old one or the new one, whatever is killed meanwhile.

A write goes to a temporary file in the same folder, is synced, renamed over the old one, and the folder is synced.
Each file carries the name and version of its format.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milvuslab.model.errors import ConfigError

__all__ = ["read_json", "write_json"]


def write_json(path: Path, content: Mapping[str, Any], *, format_name: str, version: int, mode: int = 0o644) -> None:
    """Replaces the file in one step; parents are made; on return the content is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": format_name, "version": version, **content}, indent=2, ensure_ascii=False)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)  # noqa: PTH101 -- mkstemp gives a name, not a Path
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read_json(path: Path, *, format_name: str, version: int) -> dict[str, Any] | None:
    """Content of the file without its header, or None when there is no file.

    Raises:
        ConfigError: it is no JSON, another format, or of a newer version than this program knows.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, UnicodeDecodeError):
        raise ConfigError(f"{path} is damaged: it holds no JSON", hint=f"move {path} away and run again") from None
    if not isinstance(content, dict) or content.pop("format", None) != format_name:
        raise ConfigError(f"{path} is no {format_name} file", hint=f"move {path} away and run again")
    found = content.pop("version", None)
    if not isinstance(found, int) or found > version:
        raise ConfigError(
            f"{path} has version {found} of {format_name}, this program knows up to {version}",
            hint="use the newer milvuslab that wrote it",
        )
    return content


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
