"""Why a server died at start, read off its last log lines and the way it ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["guess_cause"]

_CAUSES: tuple[tuple[str, str, str], ...] = (
    (r"no space left on device|disk quota exceeded", "the disk is full", "free some space on it and start again"),
    (
        r"address already in use|failed to bind to address|failed to add port",
        "a port is taken",
        "see what listens there, or give the server other ports: milvuslab server config NAME --renew-ports",
    ),
    (
        r"error while loading shared libraries|cannot open shared object file|GLIBC(XX)?_\S+' not found|Library not loaded",
        "a library is missing on this machine or in the installation",
        "install the server anew: milvuslab server install --repair; on an old system use Lite",
    ),
    (
        r"signal SIGILL|illegal instruction",
        "the processor lacks an instruction that this build uses",
        "use Lite, or a remote server",
    ),
    (
        r"DataDirLockedError|data_dir .* is locked|already (in use|locked)",
        "another process has the data folder open",
        "stop that process: milvuslab status lists ours",
    ),
    (
        r"crc mismatch|checksum mismatch|wal: |Corruption:|snap: |corrupt",
        "the data is damaged",
        "restore a backup, or start with an empty folder: milvuslab server remove NAME",
    ),
    (
        r"permission denied|read-only file system",
        "a file or folder cannot be written",
        "make it yours, or move MILVUSLAB_HOME_DIR",
    ),
    (r"key not found: |yaml: ", "the configuration does not fit this version", "report it with the log"),
    (
        r"cannot allocate memory|out of memory|signal SIGKILL",
        "the machine ran out of memory, or somebody killed it",
        "free some memory and start again; dmesg names what the kernel killed",
    ),
    (r"No module named", "a Python package is missing", "pip install 'milvuslab[lite]'"),
)


def guess_cause(lines: Sequence[str], *, exit_text: str) -> tuple[str, str]:
    """The likely cause and the next step, for people.

    Args:
        lines: the end of the log, oldest first.
        exit_text: how the process ended: `signal SIGILL`; empty when unknown.

    Returns:
        Both texts; the cause is empty when nothing is recognised.
    """
    text = "\n".join((*lines, exit_text))
    for pattern, cause, step in _CAUSES:
        if re.search(pattern, text, re.IGNORECASE):
            return cause, step
    return "", "read the log: milvuslab server logs NAME"
