"""A real Milvus standalone: its configuration files and the program that runs it.

The configuration is the template that came with the build, with our rows (`options.py`) laid over it: 2.2 refuses to
start when a key is missing, so leaving things out is no choice. `glog.conf` must lie beside it: query and index node
die without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from milvuslab.machine.record import write_text
from milvuslab.model.errors import ConfigError
from milvuslab.runtime.install import Install
from milvuslab.runtime.options import Option, etcd_options, milvus_options
from milvuslab.runtime.profile import Profile
from milvuslab.runtime.program import Program

__all__ = ["find_logs", "glog_conf", "lay_over", "read_template", "standalone_program", "write_configuration"]

_PLACEHOLDER = re.compile(r"\{\{[^:}]*:?([^}]*)\}\}")  # {{ name(type): default }}
_LOG_PATTERNS = ("standalone-*.log", "*.log.INFO.*", "*.log.WARNING.*", "*.log.ERROR.*")
_LOG_KEPT_COUNT = 4
_HEADING = "# Written at each start of the server; docs/reference/server-settings.md says what and why.\n"


def write_configuration(profile: Profile, *, install: Install, session_ttl_s: int, index_build_parallel: int) -> None:
    """Writes `config/milvus.yaml`, `config/etcd.yaml` and `config/glog.conf` and makes the folders they name."""
    folder = profile.folder
    for name in ("config", "data", "etcd", "rocksmq", "logs", "run"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    rows = milvus_options(
        ports=profile.ports,
        folder=folder,
        session_ttl_s=session_ttl_s,
        index_build_parallel=index_build_parallel,
    )
    own = [Option(path=path, value=value, reason="the profile says so") for path, value in profile.options.items()]
    config = read_template(install.template_path)
    for row in (*rows, *own):
        lay_over(config, row)
    write_text(folder / "config" / "milvus.yaml", _HEADING + yaml.safe_dump(config))
    etcd = {row.path: row.value for row in etcd_options(ports=profile.ports, folder=folder)}
    write_text(folder / "config" / "etcd.yaml", _HEADING + yaml.safe_dump(etcd))
    write_text(folder / "config" / "glog.conf", glog_conf(folder))
    _remove_old_logs(folder)


def standalone_program(profile: Profile, *, install: Install) -> Program:
    """The server as a program; its configuration must have been written."""
    folder = profile.folder
    library_variable = "DYLD_LIBRARY_PATH" if install.build.system == "Darwin" else "LD_LIBRARY_PATH"
    return Program(
        name=f"server {profile.name}",
        argv=(str(install.binary_path), "run", "standalone"),
        environment={
            library_variable: str(install.path),
            "MILVUSCONF": str(folder / "config"),
            "METRICS_PORT": str(profile.ports["metrics"]),
            "DEPLOY_MODE": "STANDALONE",  # 2.2 refuses the embedded etcd without it
            "MILVUS_RUN_DIR": str(folder / "run"),  # its own lock file, else /run/milvus for all users
            "TMPDIR": str(folder / "run"),  # it writes server_id_PID there, else to /tmp/milvus for all users
            "HOME": str(folder / "run"),
        },
        working_dir=folder / "logs",  # 2.2 drops a myeasylog.log where it runs
        log_path=folder / "logs" / "program.log",
        record_path=profile.record_path,
    )


def find_logs(profile: Profile) -> list[Path]:
    """The logs of the present or last run: what the program printed, then Milvus's own."""
    folder = profile.folder / "logs"
    own = sorted(folder.glob("standalone-*.log"), key=lambda path: path.stat().st_mtime)
    return [path for path in (folder / "program.log", *own[-1:]) if path.is_file()]


def read_template(path: Path) -> dict[str, Any]:
    """The configuration that came with a build, with the defaults of its placeholders.

    Raises:
        ConfigError: it is damaged.
    """
    text = _PLACEHOLDER.sub(lambda match: match.group(1).strip(), path.read_text(encoding="utf-8"))
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}", hint="run: milvuslab server install --repair") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path} holds no configuration", hint="run: milvuslab server install --repair")
    return _without_none(config)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    # `key:` in the template means an empty text to Milvus, while dumped it would be the word null.
    return {
        key: _without_none(value) if isinstance(value, dict) else "" if value is None else value
        for key, value in values.items()
    }


def lay_over(config: dict[str, Any], row: Option) -> None:
    """Sets the row's value in the configuration, sections made as needed."""
    *parents, last = row.path.split(".")
    level = config
    for key in parents:
        below = level.get(key)
        if not isinstance(below, dict):
            below = level[key] = {}
        level = below
    # 2.2 lists the etcd endpoints, 2.3 has them as one text.
    level[last] = [row.value] if isinstance(level.get(last), list) else row.value


def glog_conf(folder: Path) -> str:
    """What the C++ part of Milvus logs, and where: below the folder."""
    flags: Sequence[str] = (
        "--logtostdout=false",
        "--logtostderr=false",
        "--alsologtostderr=false",
        "--minloglevel=1",
        f"--log_dir={folder / 'logs'}/",
        "--max_log_size=20",
        "--stop_logging_if_full_disk=true",
    )
    return "".join(f"{flag}\n" for flag in flags)


def _remove_old_logs(folder: Path) -> None:
    # Each run of Milvus opens files under another number and forgets those of the run before.
    for pattern in _LOG_PATTERNS:
        logs = sorted((folder / "logs").glob(pattern), key=lambda path: path.lstat().st_mtime)
        for path in logs[:-_LOG_KEPT_COUNT]:
            path.unlink()
    for path in (folder / "run").glob("milvus/server_id_*"):
        path.unlink()
