"""Where the parts of a cluster lie and listen: its profile, its spec, one folder for each instance.

servers/NAME/profile.json     ports of every instance, which are also the list of instances
servers/NAME/cluster.json     the spec it was made from; does not change
servers/NAME/s3.json          keys of its object storage, for its owner only
servers/NAME/data             vectors and indexes (`storage = "local"`), or the bucket
servers/NAME/roles/INSTANCE   configuration, state, logs and the record of one process
"""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

from milvuslab.machine.record import read_record, write_record
from milvuslab.model.errors import ConfigError, ConflictError, NotFoundError, suggest
from milvuslab.model.server import ServerKind
from milvuslab.model.settings import Secret
from milvuslab.runtime.builds import choose_build, read_machine
from milvuslab.runtime.cluster.roles import ROLES, find_role, name_instances, role_of
from milvuslab.runtime.cluster.spec import ClusterSpec, make_spec
from milvuslab.runtime.profile import Profile, add_cluster, change_ports, read_profile

__all__ = [
    "Cluster",
    "StorageKeys",
    "drop_instance",
    "make_cluster",
    "name_ports",
    "open_cluster",
    "pick_instance",
    "read_cluster",
    "reserve_instance",
]

_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StorageKeys:
    """How the roles show themselves to the object storage."""

    access_key: Secret
    secret_key: Secret


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster by name.

    Attributes:
        profile: its ports, and with them its instances.
        spec: what it was made from; instances added or removed since are in the profile only.
    """

    profile: Profile
    spec: ClusterSpec

    @property
    def name(self) -> str:
        """As `--server` takes it."""
        return self.profile.name

    @property
    def lock_path(self) -> Path:
        """Held by whoever changes the cluster."""
        return self.profile.folder / "cluster.lock"

    def folder_of(self, instance: str) -> Path:
        """Where everything of an instance lies."""
        return self.profile.folder / "roles" / instance

    def record_of(self, instance: str) -> Path:
        """File that says which process the instance is."""
        return self.folder_of(instance) / "process.json"

    def port_of(self, instance: str, purpose: str = "") -> int:
        """A port of an instance; without a purpose the one where it is reached."""
        return self.profile.ports[f"{instance}/{purpose or role_of(instance).port_names[0]}"]

    def instances_of(self, role: str) -> list[str]:
        """The instances that play a role, by number."""
        return [name for name in self.profile.instances if role_of(name).name == role]

    def read_keys(self) -> StorageKeys:
        """Keys of the object storage.

        Raises:
            ConfigError: their file is damaged or lost.
        """
        path = self.profile.folder / "s3.json"
        try:
            values = read_record(path, version=_FORMAT)
        except FileNotFoundError:
            raise ConfigError(f"{path} with the keys of the object storage is lost", hint="restore it") from None
        return StorageKeys(access_key=Secret(values["access_key"]), secret_key=Secret(values["secret_key"]))


def make_cluster(home_dir: Path, name: str, *, spec: ClusterSpec, keys: StorageKeys | None = None) -> Cluster:
    """A new cluster; nothing is started.

    Args:
        home_dir: where profiles lie.
        name: its name.
        spec: what it consists of.
        keys: of an object storage that runs elsewhere; for one of ours new ones are made.

    Raises:
        ConflictError: a server of that name exists, or too few ports are free.
        ConfigError: the name does not do, or the object storage comes without keys.
        UnsupportedError: the real binary does not run on this machine.
    """
    build = choose_build(read_machine())
    if spec.s3_endpoint and keys is None:
        raise ConfigError(
            f"the object storage at {spec.s3_endpoint} comes without keys",
            hint="set MILVUSLAB_S3_ACCESS_KEY and MILVUSLAB_S3_SECRET_KEY",
        )
    ports = [port for instance in name_instances(spec) for port in name_ports(instance)]
    profile = add_cluster(home_dir, name, version=build.version, port_names=ports)
    if spec.storage == "s3":
        keys = keys or StorageKeys(access_key=Secret(secrets.token_hex(8)), secret_key=Secret(secrets.token_hex(20)))
        shown = {"access_key": keys.access_key.reveal(), "secret_key": keys.secret_key.reveal()}
        write_record(profile.folder / "s3.json", shown, version=_FORMAT)
    cluster = Cluster(profile=profile, spec=spec)
    write_record(_spec_path(profile), spec.as_dict(), version=_FORMAT)
    return cluster


def open_cluster(profile: Profile) -> Cluster:
    """The cluster of a profile.

    Raises:
        ConfigError: its file is damaged, or a crash came between profile and file.
    """
    path = _spec_path(profile)
    try:
        values = read_record(path, version=_FORMAT)
    except FileNotFoundError:
        hint = f"it was not made to the end: milvuslab server remove {profile.name} --yes"
        raise ConfigError(f"cluster {profile.name} has no {path.name}", hint=hint) from None
    return Cluster(profile=profile, spec=make_spec(values, source=str(path)))


def read_cluster(home_dir: Path, name: str) -> Cluster:
    """The cluster of that name.

    Raises:
        NotFoundError: there is no server of that name.
        ConflictError: it is another kind of server.
    """
    profile = read_profile(home_dir, name)
    if profile.kind is not ServerKind.CLUSTER:
        raise ConflictError(
            f"server {name} is a {profile.kind} server, no cluster", hint=f"milvuslab server status {name}"
        )
    return open_cluster(profile)


def name_ports(instance: str) -> list[str]:
    """The purposes of an instance's ports.

    >>> name_ports("etcd-1")
    ['etcd-1/client', 'etcd-1/peer']
    """
    return [f"{instance}/{purpose}" for purpose in role_of(instance).port_names]


def reserve_instance(home_dir: Path, cluster: Cluster, role: str) -> tuple[Cluster, str]:
    """The cluster with one more instance of a role, and its name; it has ports and is not started.

    Raises:
        ConfigError: there is no such role.
        ConflictError: the role has a fixed number of members.
    """
    found = find_role(role)
    if not found.is_scalable:
        raise ConflictError(
            f"the number of {found.name} members is fixed when a cluster is made",
            hint=f"roles to add: {', '.join(name for name, one in ROLES.items() if one.is_scalable)}",
        )
    taken = {int(name.rsplit("-", 1)[1]) for name in cluster.instances_of(found.name)}
    instance = f"{found.name}-{next(number for number in range(1, len(taken) + 2) if number not in taken)}"
    profile = change_ports(home_dir, cluster.profile, add=name_ports(instance))
    return dataclasses.replace(cluster, profile=profile), instance


def drop_instance(home_dir: Path, cluster: Cluster, instance: str) -> Cluster:
    """The cluster without an instance that was stopped."""
    profile = change_ports(home_dir, cluster.profile, drop=name_ports(instance))
    return dataclasses.replace(cluster, profile=profile)


def pick_instance(cluster: Cluster, name: str) -> list[str]:
    """The instances that a word names: one by its name, or all of a role.

    Raises:
        NotFoundError: it names none of this cluster.
        ConfigError: it is neither.
    """
    if name in cluster.profile.instances:
        return [name]
    if "-" in name and name.rsplit("-", 1)[1].isdigit():
        raise NotFoundError(f"cluster {cluster.name} has no {name}", hint=suggest(name, cluster.profile.instances))
    found = cluster.instances_of(find_role(name).name)
    if not found:
        raise NotFoundError(f"cluster {cluster.name} has no {name}", hint="it runs elsewhere, or was never made")
    return found


def _spec_path(profile: Profile) -> Path:
    return profile.folder / "cluster.json"
