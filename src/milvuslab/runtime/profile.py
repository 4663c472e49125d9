"""Profiles: which servers there are, where they listen, how to reach them; one folder each.

`home_dir/servers/NAME/` holds `profile.json` and, for a server of ours, all it writes: configuration, data, logs and
the record of its process. Only its owner can enter it. A token lies in a file of its own, never in the profile.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from milvuslab.machine.lock import hold_lock
from milvuslab.machine.record import read_record, write_record, write_text
from milvuslab.model.errors import ConfigError, ConflictError, NotFoundError, suggest
from milvuslab.model.server import Endpoint, ServerKind, check_server_name
from milvuslab.model.settings import Secret
from milvuslab.runtime.builds import Machine, choose_build, read_machine
from milvuslab.runtime.options import OptionValue
from milvuslab.runtime.ports import BLOCK_PORT_COUNT, choose_ports

__all__ = [
    "PORT_NAMES",
    "IsReady",
    "Profile",
    "add_cluster",
    "add_lite",
    "add_remote",
    "add_standalone",
    "change_ports",
    "endpoint_of",
    "endpoints_of",
    "list_profiles",
    "read_profile",
    "renew_ports",
]

IsReady = Callable[[Endpoint, float], None]
"""Returns once the server at the endpoint answered a search within so many seconds; else raises a ServerError."""

PORT_NAMES: Mapping[ServerKind, tuple[str, ...]] = {
    ServerKind.LITE: ("proxy",),
    ServerKind.STANDALONE: (
        "proxy",
        "proxy_internal",
        "metrics",
        "etcd",
        "etcd_peer",
        "root_coord",
        "query_coord",
        "data_coord",
        "index_coord",
        "query_node",
        "data_node",
        "index_node",
    ),
    ServerKind.CLUSTER: (),  # by its instances: `query-node-1/rpc`
    ServerKind.REMOTE: (),
}
"""What each port of a server is for; clients connect to `proxy`."""

_FORMAT = 1
_NO_TOKEN = Secret("")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A server by name.

    Attributes:
        name: as `--server` takes it.
        kind: lite, standalone, cluster or remote.
        folder: its folder.
        version: of the build of a standalone or a cluster; empty for the others.
        ports: port by purpose, pinned; empty for a remote server.
        uri: address of a remote server; empty for the others.
        ca_pem_path: see `Endpoint`.
        server_name: see `Endpoint`.
        client_pem_path: see `Endpoint`.
        client_key_path: see `Endpoint`.
        options: values of `milvus.yaml` that this standalone has besides ours, by dotted path; they win.
    """

    name: str
    kind: ServerKind
    folder: Path
    version: str = ""
    ports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    uri: str = ""
    ca_pem_path: str = ""
    server_name: str = ""
    client_pem_path: str = ""
    client_key_path: str = ""
    options: Mapping[str, OptionValue] = dataclasses.field(default_factory=dict)

    @property
    def record_path(self) -> Path:
        """File that says which process the server is."""
        return self.folder / "process.json"

    @property
    def instances(self) -> tuple[str, ...]:
        """Roles of a cluster, one process each: `query-node-1`; empty for the other kinds."""
        if self.kind is not ServerKind.CLUSTER:
            return ()
        return tuple(dict.fromkeys(purpose.split("/")[0] for purpose in self.ports))

    @property
    def record_paths(self) -> tuple[Path, ...]:
        """The records of all its processes."""
        if self.kind is not ServerKind.CLUSTER:
            return (self.record_path,)
        return tuple(self.folder / "roles" / name / "process.json" for name in self.instances)

    @property
    def token_path(self) -> Path:
        """File with a remote server's token; there is none when it needs none."""
        return self.folder / "token"


def add_lite(home_dir: Path, name: str) -> Profile:
    """A new profile for a Milvus Lite server of ours; nothing is started.

    Raises:
        ConfigError: the name does not do.
        ConflictError: a server of that name exists.
    """
    return _add(home_dir, name, kind=ServerKind.LITE, values={})


def add_standalone(
    home_dir: Path,
    name: str,
    *,
    version: str = "",
    machine: Machine | None = None,
    options: Mapping[str, OptionValue] | None = None,
) -> Profile:
    """A new profile for a standalone server of ours; nothing is fetched or started.

    Args:
        home_dir: where profiles lie.
        name: its name.
        version: of Milvus; empty takes the best one for this machine.
        machine: None takes this one.
        options: values of `milvus.yaml` for this server alone, by dotted path: `{"dataCoord.segment.maxSize": 1024}`.

    Raises:
        UnsupportedError: no build of that version runs on the machine.
        ConfigError: the name does not do.
        ConflictError: a server of that name exists.
    """
    build = choose_build(machine or read_machine(), version=version)
    values = {"version": build.version, "options": dict(options or {})}
    return _add(home_dir, name, kind=ServerKind.STANDALONE, values=values)


def add_cluster(home_dir: Path, name: str, *, version: str, port_names: Sequence[str]) -> Profile:
    """A new profile for a cluster of ours; nothing is fetched or started.

    Args:
        home_dir: where profiles lie.
        name: its name.
        version: of Milvus.
        port_names: what each port is for, `INSTANCE/PURPOSE`.

    Raises:
        ConfigError: the name does not do.
        ConflictError: a server of that name exists, or too few ports are free.
    """
    return _add(home_dir, name, kind=ServerKind.CLUSTER, values={"version": version}, port_names=port_names)


def add_remote(
    home_dir: Path,
    name: str,
    *,
    uri: str,
    token: Secret = _NO_TOKEN,
    ca_pem_path: str = "",
    server_name: str = "",
    client_pem_path: str = "",
    client_key_path: str = "",
) -> Profile:
    """A new profile for a server that somebody else runs; the token goes to a file only its owner can read.

    Raises:
        ConfigError: the name or the address does not do, or a certificate file is not there.
        ConflictError: a server of that name exists.
    """
    Endpoint(uri=uri)  # refuses what is no address
    files = {"ca_pem_path": ca_pem_path, "client_pem_path": client_pem_path, "client_key_path": client_key_path}
    for what, path in files.items():
        if path and not Path(path).is_file():
            raise ConfigError(f"{what} is {path}, where there is no file", hint="give the path of a PEM file")
    values = {"uri": uri, "server_name": server_name, **files}
    return _add(home_dir, name, kind=ServerKind.REMOTE, values=values, token=token)


def list_profiles(home_dir: Path) -> list[Profile]:
    """All profiles, by name.

    Raises:
        ConfigError: one is damaged; the message has its path.
    """
    paths = sorted((home_dir / "servers").glob("*/profile.json"))
    return [_read(path) for path in paths]


def read_profile(home_dir: Path, name: str) -> Profile:
    """The profile of that name.

    Raises:
        NotFoundError: there is none.
        ConfigError: it is damaged, or written by a newer milvuslab.
    """
    try:
        return _read(home_dir / "servers" / check_server_name(name) / "profile.json")
    except FileNotFoundError:
        known = [path.parent.name for path in (home_dir / "servers").glob("*/profile.json")]
        raise NotFoundError(f"there is no server {name}", hint=suggest(name, known)) from None


def renew_ports(home_dir: Path, profile: Profile) -> Profile:
    """The same profile with other ports, chosen among those free now; the server must be stopped."""
    with _profile_lock(home_dir):
        renewed = dataclasses.replace(profile, ports=_choose(home_dir, tuple(profile.ports)))
        _write(renewed)
    return renewed


def change_ports(home_dir: Path, profile: Profile, *, add: Sequence[str] = (), drop: Collection[str] = ()) -> Profile:
    """The profile as it is on disk with ports chosen for the purposes `add` and those of `drop` given back.

    Raises:
        ConflictError: too few ports are free.
    """
    with _profile_lock(home_dir):
        current = _read(profile.folder / "profile.json")
        kept = {purpose: port for purpose, port in current.ports.items() if purpose not in drop}
        wanted = [purpose for purpose in add if purpose not in kept]
        changed = dataclasses.replace(current, ports={**kept, **_choose(home_dir, wanted)})
        _write(changed)
    return changed


def endpoint_of(profile: Profile, *, fallback_token: Secret = _NO_TOKEN) -> Endpoint:
    """How to reach the server.

    Args:
        profile: the server.
        fallback_token: used for a remote server that has no token file: the setting `remote_token`.

    Raises:
        ConfigError: others may read the token file, or it is empty.
    """
    return endpoints_of(profile, fallback_token=fallback_token)[0]


def endpoints_of(profile: Profile, *, fallback_token: Secret = _NO_TOKEN) -> tuple[Endpoint, ...]:
    """Every address of the server: one for each proxy of a cluster, else one.

    Args:
        profile: the server.
        fallback_token: see `endpoint_of`.

    Raises:
        ConfigError: others may read the token file, or it is empty.
    """
    if profile.kind is ServerKind.CLUSTER:
        ports = [port for purpose, port in profile.ports.items() if re.fullmatch(r"proxy-\d+/rpc", purpose)]
        return tuple(Endpoint(uri=f"http://127.0.0.1:{port}") for port in ports)
    if profile.kind is not ServerKind.REMOTE:
        return (Endpoint(uri=f"http://127.0.0.1:{profile.ports['proxy']}"),)
    remote = Endpoint(
        uri=profile.uri,
        token=_read_token(profile.token_path) or fallback_token,
        ca_pem_path=profile.ca_pem_path,
        server_name=profile.server_name,
        client_pem_path=profile.client_pem_path,
        client_key_path=profile.client_key_path,
    )
    return (remote,)


def _add(
    home_dir: Path,
    name: str,
    *,
    kind: ServerKind,
    values: Mapping[str, Any],
    token: Secret = _NO_TOKEN,
    port_names: Sequence[str] = (),
) -> Profile:
    folder = home_dir / "servers" / check_server_name(name)
    with _profile_lock(home_dir):
        if (folder / "profile.json").exists():
            raise ConflictError(
                f"there is a server {name} already", hint=f"choose another name, or: milvuslab server remove {name}"
            )
        ports = _choose(home_dir, port_names or PORT_NAMES[kind])
        profile = Profile(name=name, kind=kind, folder=folder, ports=ports, **values)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if token:
            write_text(profile.token_path, token.reveal() + "\n")
        _write(profile)
    return profile


def _choose(home_dir: Path, names: Sequence[str]) -> dict[str, int]:
    taken = {port for profile in list_profiles(home_dir) for port in profile.ports.values()}
    # Users, and several homes of one user, begin at different places: what they choose is in use only later.
    seed = zlib.crc32(f"{os.getuid()} {home_dir.resolve()}".encode())
    chosen: dict[str, int] = {}
    for begin in range(0, len(names), BLOCK_PORT_COUNT):
        block = names[begin : begin + BLOCK_PORT_COUNT]
        chosen |= choose_ports(block, taken={*taken, *chosen.values()}, seed=seed)
    return chosen


def _write(profile: Profile) -> None:
    values: dict[str, Any] = {
        field.name: getattr(profile, field.name) for field in dataclasses.fields(profile) if field.name != "folder"
    }
    write_record(
        profile.folder / "profile.json",
        {**values, "kind": str(profile.kind), "ports": dict(profile.ports), "options": dict(profile.options)},
        version=_FORMAT,
    )


def _read(path: Path) -> Profile:
    values = read_record(path, version=_FORMAT)
    try:
        return Profile(**{**values, "kind": ServerKind(values["kind"])}, folder=path.parent)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{path} is no profile: {error}", hint="restore it, or move it away") from None


def _read_token(path: Path) -> Secret:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"others may read the token in {path}", hint=f"chmod 600 {path}")
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return Secret("")
    if not text:
        raise ConfigError(f"the token file {path} is empty", hint=f"write the token into it, or remove {path}")
    return Secret(text)


def _profile_lock(home_dir: Path) -> AbstractContextManager[None]:
    return hold_lock(home_dir / "servers" / ".lock", timeout_s=30.0, doing="changing profiles")
