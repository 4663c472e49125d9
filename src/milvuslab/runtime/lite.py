"""Milvus Lite as a server of its own process, on loopback, with its data below the server's folder.

Lite lets one process open a folder (it locks it); writers to one collection must take turns. Both hold here too.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

from milvuslab.model.errors import missing_extra
from milvuslab.runtime import lite_process
from milvuslab.runtime.profile import Profile
from milvuslab.runtime.program import Program

__all__ = ["lite_program", "lite_version"]

_RUN_FILE = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
# As a file of its own, because importing our package would cost the start 0.1 s, and as code that runs it, because a
# script's folder goes to the front of the import path, where our `profile` would hide the standard library's.


def lite_version() -> str:
    """Version of the installed Milvus Lite.

    Raises:
        UnsupportedError: it is not installed.
    """
    _package_parent()
    return importlib.metadata.version("milvus-lite")


def lite_program(profile: Profile) -> Program:
    """The server as a program.

    Raises:
        UnsupportedError: Milvus Lite is not installed.
    """
    folder = profile.folder
    return Program(
        name=f"server {profile.name}",
        argv=(
            sys.executable,
            "-c",
            _RUN_FILE,
            str(Path(lite_process.__file__).resolve()),
            str(folder / "data"),
            str(profile.ports["proxy"]),
        ),
        environment={
            "PYTHONPATH": str(_package_parent()),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
        },
        working_dir=folder,
        log_path=folder / "logs" / "program.log",
        record_path=profile.record_path,
    )


def _package_parent() -> Path:
    """Folder that Milvus Lite is imported from: the child finds it there however this process was started."""
    spec = importlib.util.find_spec("milvus_lite")
    if spec is None or spec.origin is None:
        raise missing_extra("milvus-lite", "lite")
    return Path(spec.origin).parent.parent
