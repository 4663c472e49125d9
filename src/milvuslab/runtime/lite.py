"""Milvus Lite as a server of its own process, on loopback, with its data below the server's folder.

Lite lets one process open a folder (it locks it); writers to one collection must take turns. Both hold here too.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import milvuslab
from milvuslab.model.errors import missing_extra
from milvuslab.runtime.profile import Profile
from milvuslab.runtime.program import Program

__all__ = ["lite_program", "lite_version"]


def lite_version() -> str:
    """Version of the installed Milvus Lite.

    Raises:
        UnsupportedError: it is not installed.
    """
    if importlib.util.find_spec("milvus_lite") is None:
        raise missing_extra("milvus-lite", "lite")
    return importlib.metadata.version("milvus-lite")


def lite_program(profile: Profile) -> Program:
    """The server as a program.

    Raises:
        UnsupportedError: Milvus Lite is not installed.
    """
    lite_version()
    folder = profile.folder
    package_parent = Path(milvuslab.__file__).resolve().parent.parent
    return Program(
        name=f"server {profile.name}",
        argv=(
            sys.executable,
            "-m",
            "milvuslab.runtime.lite_process",
            str(folder / "data"),
            str(profile.ports["proxy"]),
        ),
        environment={
            "PYTHONPATH": str(package_parent),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
        },
        working_dir=folder,
        log_path=folder / "logs" / "program.log",
        record_path=profile.record_path,
    )
