"""The diagnosis of a machine: what our servers and applications need, compared with what is there.

Every check gives findings; a finding that is not `ok` says in one sentence what to do. Nothing is changed.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from milvuslab.model.errors import CheckFailedError, ConfigError, ConflictError, UnsupportedError
from milvuslab.model.server import ServerKind
from milvuslab.ops.companion import find_studio, is_port_free
from milvuslab.ops.extras import list_requirements
from milvuslab.ops.host import Host, find_existing_parent, read_host
from milvuslab.ops.orphans import find_orphans
from milvuslab.ops.up import known_records
from milvuslab.runtime import choose_build, find_program, list_profiles, read_machine
from milvuslab.runtime.ports import check_ports

if TYPE_CHECKING:
    from milvuslab.ops.workspace import Workspace

__all__ = ["Finding", "check_host", "diagnose", "require_health"]

_Level = Literal["ok", "warn", "fail"]

_GB = 1_000_000_000
# A 2.3.5 standalone rests at 210 MB and takes 2.1 GB with ten million vectors of 128 dims as IVF_SQ8 (measured).
_MEMORY_NEEDED_BYTES, _MEMORY_WANTED_BYTES = 1 * _GB, 4 * _GB
# Binaries, models and samples take about 1.5 GB; ten million such vectors took 12 GB (measured).
_DISK_NEEDED_BYTES, _DISK_WANTED_BYTES = 1 * _GB, 10 * _GB
_OPEN_FILES_NEEDED, _OPEN_FILES_WANTED = 256, 4096
_PROCESSES_WANTED = 512
_EARLIEST_CLOCK = datetime(2024, 1, 1, tzinfo=timezone.utc)  # before the first version of this program


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, in a word or two.
        level: `ok`, `warn` (something will not work or be slow), `fail` (nothing works until it is changed).
        message: what was seen.
        remedy: what to do about it; empty when it is ok.
    """

    check: str
    level: _Level
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def diagnose(workspace: Workspace) -> list[Finding]:
    """All findings of this machine and this workspace."""
    findings = [
        *check_host(read_host()),
        *_check_builds(),
        *_check_folders(workspace),
        *_check_clock(),
        *_check_extras(),
        *_check_programs(),
        *_check_studio_port(workspace),
    ]
    try:
        return [*findings, *_check_servers(workspace), *_check_orphans(workspace)]
    except ConfigError as error:
        return [*findings, Finding(check="profiles", level="fail", message=error.message, remedy=error.hint)]


def require_health(findings: list[Finding]) -> None:
    """Returns when nothing fails.

    Raises:
        CheckFailedError: something does.
    """
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed:
        raise CheckFailedError(
            f"{len(failed)} of {len(findings)} checks failed: {failed[0].message}",
            findings=[finding.message for finding in failed],
            hint=failed[0].remedy,
        )


def check_host(host: Host) -> list[Finding]:
    """Findings that depend on the machine alone."""
    return [*_check_python(), *_check_processor(host), *_check_memory(host), *_check_limits(host)]


def _check_python() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        yield Finding(check="python", level="ok", message=f"Python {version}")
    else:
        yield Finding(
            check="python",
            level="warn",
            message=f"Python {version} is outside 3.10 to 3.13, which are tested",
            remedy="Use one of Python 3.10 to 3.13 where something does not work.",
        )


def _check_processor(host: Host) -> Iterator[Finding]:
    what = " ".join(part for part in (host.system, host.architecture, host.libc) if part)
    yield Finding(check="platform", level="ok", message=f"{what}, {host.core_count} cores")
    if host.architecture.lower() not in ("x86_64", "amd64") or not host.cpu_flags:
        return
    if "sse4_2" not in host.cpu_flags:
        yield Finding(
            check="cpu",
            level="warn",
            message="the processor has no SSE4.2, which Milvus's search library needs",
            remedy="Use Lite here, or a server on another machine: milvuslab server add NAME --uri URI.",
        )
    elif "avx2" not in host.cpu_flags:
        yield Finding(
            check="cpu",
            level="warn",
            message="the processor has no AVX2: SCANN will not work and searches are slower",
            remedy="Use another index type than SCANN, or a machine with AVX2.",
        )
    else:
        yield Finding(check="cpu", level="ok", message="AVX2 is there")


def _check_memory(host: Host) -> Iterator[Finding]:
    free, limit = host.memory_free_bytes, host.memory_limit_bytes
    message = f"{free / _GB:.1f} GB of memory free of {(limit or host.memory_bytes) / _GB:.1f} GB"
    message += " that the container grants" if limit else ""
    if free < _MEMORY_NEEDED_BYTES:
        yield Finding(
            check="memory",
            level="fail",
            message=message,
            remedy="End other programs, or grant the container at least 4 GB.",
        )
    elif free < _MEMORY_WANTED_BYTES:
        yield Finding(
            check="memory",
            level="warn",
            message=message,
            remedy="Run one server at a time: milvuslab server stop NAME; 4 GB suit a standalone with the samples.",
        )
    else:
        yield Finding(check="memory", level="ok", message=message)


def _check_limits(host: Host) -> Iterator[Finding]:
    files = host.open_file_limit
    if files is not None and files < _OPEN_FILES_WANTED:
        yield Finding(
            check="open files",
            level="fail" if files < _OPEN_FILES_NEEDED else "warn",
            message=f"a process may open {files} files",
            remedy="Raise it before starting a server: ulimit -n 65536.",
        )
    else:
        yield Finding(check="open files", level="ok", message=f"a process may open {files or 'any number of'} files")
    if host.process_limit is not None and host.process_limit < _PROCESSES_WANTED:
        yield Finding(
            check="container",
            level="warn",
            message=f"the container grants {host.process_limit} processes and threads",
            remedy="Start the container with a higher --pids-limit: a standalone uses about 100 threads.",
        )
    if host.core_limit is not None and host.core_limit < 1:
        yield Finding(
            check="container",
            level="warn",
            message=f"the container grants {host.core_limit:.2g} cores",
            remedy="Start the container with --cpus=2 or more: servers start within their deadlines then.",
        )


def _check_folders(workspace: Workspace) -> Iterator[Finding]:
    for name in ("home_dir", "cache_dir"):
        path: Path = workspace.settings.values[name]
        there = find_existing_parent(path)
        if not os.access(there, os.W_OK | os.X_OK):
            yield Finding(
                check=name,
                level="fail",
                message=f"{path} cannot be written",
                remedy=f"Choose another folder: MILVUSLAB_{name.upper()}=FOLDER, or change the rights of {there}.",
            )
            continue
        free_bytes = shutil.disk_usage(there).free
        message = f"{free_bytes / _GB:.1f} GB free at {path}"
        if free_bytes < _DISK_NEEDED_BYTES:
            remedy = f"Free some space, or choose a folder on another disk: MILVUSLAB_{name.upper()}=FOLDER."
            yield Finding(check=name, level="fail", message=message, remedy=remedy)
        elif free_bytes < _DISK_WANTED_BYTES:
            remedy = "Enough for the samples; for millions of vectors choose a folder with more than 10 GB."
            yield Finding(check=name, level="warn", message=message, remedy=remedy)
        else:
            yield Finding(check=name, level="ok", message=message)


def _check_clock() -> Iterator[Finding]:
    if datetime.now(timezone.utc) < _EARLIEST_CLOCK:
        yield Finding(
            check="clock",
            level="fail",
            message="the clock stands before 2024; Milvus orders all writes by it",
            remedy="Set the clock: timedatectl set-ntp true.",
        )
    else:
        yield Finding(check="clock", level="ok", message="the clock is plausible")


def _check_extras() -> Iterator[Finding]:
    requirements = list_requirements()
    for extra in sorted({one.extra for one in requirements} - {"all", "torch"}):
        wanted = [one for one in requirements if one.extra == extra]
        lacking = [one for one in wanted if not one.is_satisfied]
        name = extra or "core"
        if not lacking:
            shown = ", ".join(f"{one.package} {one.installed}" for one in wanted)
            yield Finding(check=f"packages: {name}", level="ok", message=shown)
            continue
        shown = ", ".join(f"{one.package} {one.versions} ({one.installed or 'not installed'})" for one in lacking)
        yield Finding(
            check=f"packages: {name}",
            level="warn" if extra else "fail",
            message=f"missing or of another version: {shown}",
            remedy=f"pip install 'milvuslab[{extra}]'" if extra else "pip install --upgrade milvuslab",
        )


_PROGRAMS: dict[str, tuple[str, str]] = {
    "apt-get": (
        "the Korean sample",
        "It comes from the package archive of Debian or Ubuntu; elsewhere load other text.",
    ),
    "npm": ("packages of the npm registry", "Install Node.js where a sample needs it."),
    "java": (
        "the cluster's Kafka and S3 proxy",
        "apt-get install default-jre-headless, for a cluster on this machine only.",
    ),
}


def _check_programs(find: Callable[[str], str | None] = shutil.which) -> Iterator[Finding]:
    for program, (purpose, remedy) in _PROGRAMS.items():
        path = find(program)
        if path:
            yield Finding(check=f"program: {program}", level="ok", message=path)
        else:
            message = f"{program} is not there; only {purpose} needs it"
            yield Finding(check=f"program: {program}", level="warn", message=message, remedy=remedy)


def _check_builds() -> Iterator[Finding]:
    """Which real servers run here."""
    try:
        build = choose_build(read_machine())
        yield Finding(check="standalone", level="ok", message=f"Milvus {build.version} runs here without Docker")
    except UnsupportedError as error:
        yield Finding(check="standalone", level="warn", message=error.message, remedy=error.hint)


def _check_servers(workspace: Workspace) -> Iterator[Finding]:
    """Profiles that can be read, ports that are free for those that do not run, processes that belong to nobody."""
    for profile in list_profiles(workspace.settings.home_dir):
        check = f"server {profile.name}"
        if profile.kind is ServerKind.REMOTE:
            yield Finding(check=check, level="ok", message=f"remote at {profile.uri}")
            continue
        running = [program for path in profile.record_paths if (program := find_program(path))]
        if running:
            pids = ", ".join(str(program.pid) for program in running)
            word = "process" if len(running) == 1 else "processes"
            yield Finding(check=check, level="ok", message=f"runs as {word} {pids}")
            continue
        try:
            check_ports(profile.ports, server_name=profile.name)
        except ConflictError as error:
            yield Finding(check=check, level="warn", message=error.message, remedy=error.hint)
            continue
        message = "stopped, its ports are free"
        if any(path.exists() for path in profile.record_paths):
            message = "ended by itself or was killed; its data is there and its ports are free"
        yield Finding(check=check, level="ok", message=message)


def _check_studio_port(workspace: Workspace) -> Iterator[Finding]:
    settings = workspace.settings
    studio = find_studio(workspace)
    if studio is not None:
        yield Finding(check="studio", level="ok", message=f"{studio.state} at {studio.url}")
    elif settings.studio_port == 0 or is_port_free(settings.studio_host, settings.studio_port):
        yield Finding(check="studio", level="ok", message=f"port {settings.studio_port} is free")
    else:
        is_default = settings.origins["studio_port"] == "default"
        yield Finding(
            check="studio",
            level="ok" if is_default else "warn",
            message=f"port {settings.studio_port} is taken"
            + ("; the next free one will be used" if is_default else ""),
            remedy="" if is_default else "Choose another one: MILVUSLAB_STUDIO_PORT=PORT, or 0 for any.",
        )


def _check_orphans(workspace: Workspace) -> Iterator[Finding]:
    for orphan in find_orphans(workspace.settings.home_dir, known=known_records(workspace)):
        yield Finding(
            check="orphans",
            level="warn",
            message=f"process {orphan.pid} belongs to {orphan.record_path.parent}, which has no profile any more",
            remedy="Stop it: milvuslab down.",
        )
