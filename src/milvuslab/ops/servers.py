"""Servers by name: profiles made at their first use, started until a real search is answered, stopped, looked at.

`runtime` knows programs and `gateway` knows searches; here they meet.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.model.errors import (
    CheckFailedError,
    ConfigError,
    ConflictError,
    NotFoundError,
    UnreachableError,
    UnsupportedError,
    UsageError,
    suggest,
)
from milvuslab.model.progress import Observer, silent
from milvuslab.model.server import Endpoint, ServerKind
from milvuslab.model.settings import PLACEHOLDER_SECRETS, Secret
from milvuslab.runtime import (
    Install,
    Profile,
    ServerStatus,
    StopReport,
    add_lite,
    add_remote,
    add_standalone,
    choose_build,
    endpoint_of,
    endpoints_of,
    install_build,
    list_profiles,
    read_machine,
    read_profile,
    start_server,
    stop_server,
    verify_install,
)
from milvuslab.runtime import has_process as has_process_of
from milvuslab.runtime import read_server_log as read_log_of
from milvuslab.runtime import remove_server as remove_files_of
from milvuslab.runtime import renew_ports as renew_ports_of
from milvuslab.runtime.lite import lite_version
from milvuslab.runtime.server import server_status

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway
    from milvuslab.ops.workspace import Workspace

__all__ = [
    "DEFAULT_SERVERS",
    "UP_NAMES",
    "DefaultServer",
    "RemoteAddress",
    "add_server",
    "check_gateway",
    "check_platform",
    "connect_to",
    "describe_profile",
    "find_endpoint",
    "has_process",
    "install",
    "list_local_names",
    "list_servers",
    "open_profile",
    "read_server_log",
    "remove_server",
    "renew_ports",
    "report_server",
    "start",
    "stop",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DefaultServer:
    """A server that is made at its first start, without `server add`."""

    kind: ServerKind
    version: str = ""


DEFAULT_SERVERS = {
    "standalone": DefaultServer(kind=ServerKind.STANDALONE),
    "lite": DefaultServer(kind=ServerKind.LITE),
    # The last Milvus with ANNOY (measured: 2.3.5 refuses it).
    "milvus-2-2": DefaultServer(kind=ServerKind.STANDALONE, version="2.2.16"),
}
_RESERVED_NAMES = frozenset({"studio", "loader"})
UP_NAMES = ("standalone", "lite")
"""What `up` starts, the one for the studio first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAddress:
    """How to reach a server that somebody else runs; paths are absolute or empty."""

    uri: str
    token_path: str = ""
    ca_pem_path: str = ""
    tls_name: str = ""
    client_pem_path: str = ""
    client_key_path: str = ""


def open_profile(workspace: Workspace, name: str) -> Profile:
    """The profile of that name; one of `DEFAULT_SERVERS` is made when it is not there.

    Raises:
        NotFoundError: there is no server of that name.
        UnsupportedError: it is a default one and does not run on this machine.
    """
    home_dir = workspace.settings.home_dir
    known = {profile.name for profile in list_profiles(home_dir)}
    default = DEFAULT_SERVERS.get(name)
    if name in known or default is None:
        return _read(workspace, name)
    try:
        if default.kind is ServerKind.LITE:
            lite_version()  # refuses before anything is made where Lite is not installed
            return add_lite(home_dir, name)
        return add_standalone(home_dir, name, version=default.version)
    except ConflictError:  # another process was quicker
        return read_profile(home_dir, name)


def check_platform(profile: Profile) -> None:
    """Returns when the server can run on this machine and in this installation; remote ones always can.

    Raises:
        UnsupportedError: it cannot; the hint says what can.
    """
    if profile.kind is ServerKind.LITE:
        lite_version()
    elif profile.kind is ServerKind.STANDALONE:
        choose_build(read_machine(), version=profile.version)


def add_server(
    workspace: Workspace, name: str, *, kind: str = "", version: str = "", remote: RemoteAddress | None = None
) -> ServerStatus:
    """A new server; nothing is fetched or started.

    Raises:
        ConfigError: the name, the address or the token does not do.
        ConflictError: there is a server of that name.
        UnsupportedError: it does not run on this machine.
    """
    home_dir = workspace.settings.home_dir
    if name in _RESERVED_NAMES:
        raise ConfigError(
            f"a server cannot be called {name}", hint="that is a part of `milvuslab up`; choose another name"
        )
    wanted = _kind(kind or ("remote" if remote else "standalone"))
    if wanted is ServerKind.CLUSTER:
        raise UsageError("a cluster is made when it is first started", hint=f"milvuslab cluster up {name}")
    if (wanted is ServerKind.REMOTE) != (remote is not None):
        raise UsageError(
            f"a {wanted} server takes {'an' if wanted is ServerKind.REMOTE else 'no'} address",
            hint=f"milvuslab server add {name} --uri http://HOST:19530"
            if remote is None
            else "leave out --kind or --uri",
        )
    if version and wanted is not ServerKind.STANDALONE:
        raise UsageError(f"a {wanted} server takes no version", hint="leave out --version")
    if remote is not None:
        profile = add_remote(
            home_dir,
            name,
            uri=remote.uri,
            token=_read_token(remote.token_path),
            ca_pem_path=remote.ca_pem_path,
            server_name=remote.tls_name,
            client_pem_path=remote.client_pem_path,
            client_key_path=remote.client_key_path,
        )
    elif wanted is ServerKind.LITE:
        lite_version()
        profile = add_lite(home_dir, name)
    else:
        profile = add_standalone(home_dir, name, version=version)
    return server_status(profile, settings=workspace.settings)


def install(
    workspace: Workspace, *, version: str = "", is_repair: bool = False, observer: Observer = silent
) -> Install:
    """The build for this machine, unpacked, with the content of every file checked.

    Args:
        workspace: gives the cache.
        version: of Milvus; empty takes the best one for this machine.
        is_repair: whether a damaged one is unpacked anew; a server that runs from it keeps its open files.
        observer: sees fetching and unpacking.

    Raises:
        UnsupportedError: no build of that version runs here.
        UnreachableError: it has to be fetched and cannot be.
        CheckFailedError: a file has another content than it was unpacked with.
    """
    settings = workspace.settings
    build = choose_build(read_machine(), version=version)
    done = install_build(build, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
    try:
        verify_install(done)
    except CheckFailedError:
        if not is_repair:
            raise
        shutil.rmtree(done.path)
        install_build(build, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
        verify_install(done)
    return done


def start(workspace: Workspace, name: str, observer: Observer = silent) -> ServerStatus:
    """The server once it answered a search; one that runs already is only asked.

    Raises:
        NotFoundError: there is no server of that name.
        StartError: it did not become ready; nothing of it is left running.
        ConflictError: one of its ports is taken.
    """
    profile = open_profile(workspace, name)
    return start_server(profile, settings=workspace.settings, is_ready=check_gateway, observer=observer)


def stop(workspace: Workspace, name: str, observer: Observer = silent) -> StopReport:
    """Ends the server's process, whoever started it; data is kept.

    Raises:
        NotFoundError: there is no server of that name.
        UnsupportedError: it is a remote one, which is not ours to stop.
    """
    profile = _read(workspace, name)
    if profile.kind is ServerKind.REMOTE:
        raise UnsupportedError(
            f"stopping {name}", needs="a server of this machine", has=f"a remote one at {profile.uri}",
            hint="stop it where it runs",
        )  # fmt: skip
    return stop_server(profile, settings=workspace.settings, observer=observer)


def remove_server(workspace: Workspace, name: str, *, is_sure: bool) -> int:
    """Removes a stopped server with all its data; returns the bytes that became free.

    Raises:
        ConflictError: it runs.
        UsageError: it holds data and `is_sure` does not say so.
    """
    profile = _read(workspace, name)
    status = server_status(profile, settings=workspace.settings)
    if status.pid is not None:
        raise ConflictError(f"server {name} is running", hint=f"milvuslab server stop {name}")
    if not is_sure:
        what = "its profile" if profile.kind is ServerKind.REMOTE else "its profile and all its data"
        raise UsageError(
            f"removing server {name} deletes {what} in {profile.folder}", hint=f"milvuslab server remove {name} --yes"
        )
    remove_files_of(profile)
    return status.data_size_bytes


def list_servers(workspace: Workspace) -> list[ServerStatus]:
    """All servers by name; quick: only ports are looked at, and remote ones are not asked."""
    return [
        server_status(profile, settings=workspace.settings) for profile in list_profiles(workspace.settings.home_dir)
    ]


def report_server(workspace: Workspace, name: str) -> ServerStatus:
    """How one server stands, a search included."""
    return server_status(_read(workspace, name), settings=workspace.settings, is_ready=check_gateway)


def read_server_log(workspace: Workspace, name: str, *, line_count: int) -> tuple[str, ...]:
    """The last lines of a server's log, oldest first."""
    return read_log_of(_read(workspace, name), line_count=line_count)


def describe_profile(workspace: Workspace, name: str) -> dict[str, Any]:
    """A server's profile and where its files lie; no secret in it."""
    profile = open_profile(workspace, name)
    values = {field.name: getattr(profile, field.name) for field in dataclasses.fields(profile)}
    files = {
        "config_dir": profile.folder / "config",
        "data_dir": profile.folder / "data",
        "log_dir": profile.folder / "logs",
    }
    has_token = profile.token_path.exists() or (profile.kind is ServerKind.REMOTE and workspace.settings.remote_token)
    return {
        **values,
        "kind": str(profile.kind),
        "ports": dict(profile.ports),
        "options": dict(profile.options),
        "folder": str(profile.folder),
        "address": endpoint_of(profile, fallback_token=workspace.settings.remote_token).safe_uri,
        "token": "***" if has_token else "",
        **({} if profile.kind is ServerKind.REMOTE else {key: str(path) for key, path in files.items()}),
    }


def renew_ports(workspace: Workspace, name: str) -> None:
    """Chooses other ports for a stopped server.

    Raises:
        ConflictError: it runs.
        UnsupportedError: it is a remote one.
    """
    profile = _read(workspace, name)
    if profile.kind is ServerKind.REMOTE:
        raise UnsupportedError(f"ports of {name}", needs="a server of this machine", has="a remote one")
    if has_process(workspace, name):
        raise ConflictError(f"server {name} is running", hint=f"milvuslab server stop {name}")
    renew_ports_of(workspace.settings.home_dir, profile)


def list_local_names(workspace: Workspace) -> list[str]:
    """Names of the servers that have a profile and are started by us."""
    return [p.name for p in list_profiles(workspace.settings.home_dir) if p.kind is not ServerKind.REMOTE]


def has_process(workspace: Workspace, name: str) -> bool:
    """Whether a process of the server is there, ready or not."""
    return has_process_of(_read(workspace, name))


def find_endpoint(workspace: Workspace, name: str) -> Endpoint:
    """How to reach the server of that name.

    Raises:
        NotFoundError: there is none.
    """
    return endpoint_of(_read(workspace, name), fallback_token=workspace.settings.remote_token)


def connect_to(workspace: Workspace, name: str, *, timeout_s: float | None = None, is_patient: bool = True) -> Gateway:
    """A gateway to the server of that name.

    Args:
        workspace: gives settings and profiles.
        name: of the server.
        timeout_s: deadline of a call; None takes the setting.
        is_patient: whether calls are repeated; a look at the state is not.

    Raises:
        NotFoundError: there is no server of that name.
        UnreachableError: it does not answer; the hint says how to start it.
    """
    from milvuslab.gateway import RetryPolicy, connect, connect_any

    settings = workspace.settings
    profile = _read(workspace, name)
    if profile.kind is not ServerKind.REMOTE and not has_process_of(profile):
        raise UnreachableError(f"server {name} is not running", hint=f"milvuslab server start {name}")
    patient = RetryPolicy(attempt_count=settings.retry_count + 1, total_s=settings.retry_deadline_s)
    retry = patient if is_patient else RetryPolicy.never()
    call_timeout_s = timeout_s or settings.call_timeout_s
    if profile.kind is ServerKind.CLUSTER:
        return connect_any(
            endpoints_of(profile),
            call_timeout_s=call_timeout_s,
            retry=retry,
            cache_dir=settings.cache_dir,
            probe_timeout_s=settings.probe_timeout_s,
        )
    return connect(
        endpoint_of(profile, fallback_token=settings.remote_token),
        call_timeout_s=call_timeout_s,
        retry=retry,
        cache_dir=settings.cache_dir,
        probe_timeout_s=settings.probe_timeout_s,
    )


def check_gateway(endpoint: Endpoint, timeout_s: float) -> None:
    """Returns once the server answered a search; raises a ServerError otherwise."""
    from milvuslab.gateway.readiness import check_ready

    check_ready(endpoint, timeout_s)


def _read(workspace: Workspace, name: str) -> Profile:
    try:
        return read_profile(workspace.settings.home_dir, name)
    except NotFoundError as error:
        if name in DEFAULT_SERVERS:
            raise NotFoundError(
                f"server {name} has not been started yet", hint=f"milvuslab server start {name}"
            ) from None
        known = {profile.name for profile in list_profiles(workspace.settings.home_dir)}
        hint = f"{suggest(name, known | set(DEFAULT_SERVERS))}; or make it: milvuslab server add {name}"
        raise NotFoundError(error.message, hint=hint) from None


def _kind(kind: str) -> ServerKind:
    try:
        return ServerKind(kind)
    except ValueError:
        raise UsageError(
            f"{kind!r} is no kind of server", hint=suggest(kind, [str(one) for one in ServerKind])
        ) from None


def _read_token(path: str) -> Secret:
    if not path:
        return Secret("")
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"the token file {path} cannot be read", hint="write the token into a file of its own"
        ) from None
    if not token or "\n" in token:
        raise ConfigError(f"the token file {path} does not hold one line", hint="write only the token into it")
    if token.lower() in PLACEHOLDER_SECRETS:
        raise ConfigError(f"the token in {path} is one that everybody knows", hint="change it on the server first")
    return Secret(token)
