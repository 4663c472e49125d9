"""Room on the disk: what is free, what a folder takes."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from milvuslab.model.errors import StartError

__all__ = ["check_free_space", "measure_folder"]


def check_free_space(folder: Path, *, needed_bytes: int, purpose: str) -> None:
    """Returns when the disk of `folder` has `needed_bytes` free and the folder can be written; makes the folder.

    Raises:
        StartError: it has less, or cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"{folder} cannot be made for {purpose}: {error.strerror}", hint="choose another MILVUSLAB_HOME_DIR"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StartError(f"{folder} cannot be written for {purpose}", hint=f"make it yours: chown -R $USER {folder}")
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise StartError(
            f"the disk of {folder} is full: {free_bytes / 1e6:,.0f} MB free, {purpose} takes {needed_bytes / 1e6:,.0f} MB",
            hint="free some space there, or move MILVUSLAB_HOME_DIR and MILVUSLAB_CACHE_DIR to a larger disk",
        )


def measure_folder(folder: Path) -> int:
    """Bytes that a folder's files take on disk; files that vanish meanwhile count nothing, links are not followed."""
    total_bytes = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total_bytes += (Path(parent) / name).lstat().st_blocks * 512
    return total_bytes
