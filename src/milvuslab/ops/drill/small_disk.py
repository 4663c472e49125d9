"""A server whose data lie on a small disk of their own, so that filling it harms nobody else."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from milvuslab.model.errors import UnsupportedError

__all__ = ["mount_small_disk"]

_SIZE_MB = 900
"""A fresh standalone lays out 212 MB before the first row; the rest is for the drill's own rows and the ballast."""


@contextlib.contextmanager
def mount_small_disk(folder: Path) -> Iterator[None]:
    """A disk of 900 MB in memory on this folder while the block runs; what a killed drill left mounted is taken off first.

    Raises:
        UnsupportedError: this system or user may not mount.
    """
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        raise UnsupportedError(
            "a small disk for a drill", needs="Linux and the rights of root (mount)", has="a user without them",
            hint="sudo milvuslab drill run disk-full",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(folder):
        _run(["umount", str(folder)])
    _run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE_MB}m,mode=0700", "milvuslab-drill", str(folder)])
    try:
        yield
    finally:
        _run(["umount", str(folder)])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30.0, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise UnsupportedError(f"{argv[0]} for a drill", needs="the right to do so", has=done.stderr.strip()[:200])
