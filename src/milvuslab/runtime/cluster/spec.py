"""What a cluster consists of: a small value, read from a small file.

    proxies = 2
    query_nodes = 2
    data_nodes = 1
    index_nodes = 1
    standbys = 1          # waiting twins of each coordinator
    kafka_brokers = 1     # 1 or 3
    etcd_members = 1      # 1 or 3
    storage = "local"     # a shared folder, or "s3"

Each line may be left out. Parts that run elsewhere are named instead of started: `kafka_addresses`, `etcd_endpoints`
("HOST:PORT,HOST:PORT"), `s3_endpoint` with `s3_bucket`.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milvuslab.model.errors import ConfigError, NotFoundError, suggest

__all__ = ["ClusterSpec", "make_spec", "read_cluster_file"]

_MEMBER_COUNTS = (1, 3)  # two of anything that elects a leader survive no loss
_NODE_LIMIT = 16
_STANDBY_LIMIT = 2
_ADDRESSES = re.compile(r"[A-Za-z0-9._-]+:\d{1,5}(,[A-Za-z0-9._-]+:\d{1,5})*")
_URL = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?/?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """How many of each part a cluster begins with.

    Attributes:
        proxies: where clients connect, 1 to 16.
        query_nodes: hold segments and search them, 1 to 16.
        data_nodes: write what comes from Kafka to storage, 1 to 16.
        index_nodes: build indexes, 1 to 16.
        standbys: twins of each coordinator that wait for its death, 0 to 2.
        kafka_brokers: 1 or 3.
        etcd_members: 1 or 3.
        storage: `local`, a folder that all roles share, or `s3`.
        kafka_addresses: brokers that run elsewhere; none are started then.
        etcd_endpoints: an etcd that runs elsewhere; none is started then.
        s3_endpoint: an object storage that runs elsewhere, `http://HOST:PORT`; none is started then.
        s3_bucket: its bucket, which must be there.

    Raises:
        ConfigError: a number or an address does not do.
    """

    proxies: int = 2
    query_nodes: int = 2
    data_nodes: int = 1
    index_nodes: int = 1
    standbys: int = 1
    kafka_brokers: int = 1
    etcd_members: int = 1
    storage: str = "local"
    kafka_addresses: str = ""
    etcd_endpoints: str = ""
    s3_endpoint: str = ""
    s3_bucket: str = "milvuslab"

    def __post_init__(self) -> None:
        for name in ("proxies", "query_nodes", "data_nodes", "index_nodes"):
            self._check_range(name, 1, _NODE_LIMIT)
        self._check_range("standbys", 0, _STANDBY_LIMIT)
        for name in ("kafka_brokers", "etcd_members"):
            if getattr(self, name) not in _MEMBER_COUNTS:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r} in a cluster",
                    hint="take 1, or 3 where the loss of one is to be survived",
                )
        if self.storage not in ("local", "s3"):
            raise ConfigError(f"storage is {self.storage!r} in a cluster", hint=suggest(self.storage, ("local", "s3")))
        self._check_addresses()

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)

    def _check_range(self, name: str, low: int, high: int) -> None:
        count = getattr(self, name)
        if isinstance(count, bool) or not isinstance(count, int) or not low <= count <= high:
            raise ConfigError(f"{name} is {count!r} in a cluster", hint=f"take {low} to {high}")

    def _check_addresses(self) -> None:
        for name in ("kafka_addresses", "etcd_endpoints"):
            value = getattr(self, name)
            if value and not _ADDRESSES.fullmatch(value):
                raise ConfigError(f"{name} is {value!r} in a cluster", hint="write HOST:PORT,HOST:PORT")
        if self.s3_endpoint and not _URL.fullmatch(self.s3_endpoint):
            raise ConfigError(f"s3_endpoint is {self.s3_endpoint!r}", hint="write http://HOST:PORT")
        if self.s3_endpoint and self.storage != "s3":
            raise ConfigError("a cluster with local storage names an s3_endpoint", hint='write storage = "s3"')
        if not _BUCKET.fullmatch(self.s3_bucket):
            raise ConfigError(
                f"s3_bucket is {self.s3_bucket!r}", hint="3 to 63 of a-z, 0-9, '.' and '-', as S3 names buckets"
            )


def make_spec(values: Mapping[str, Any], *, source: str) -> ClusterSpec:
    """The spec with these values; what is not named keeps its default.

    Args:
        values: by the names of `ClusterSpec`.
        source: where they come from, for the message.

    Raises:
        ConfigError: a name is unknown or a value does not do.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(ClusterSpec)}
    for name, value in values.items():
        if name not in defaults:
            raise ConfigError(f"{source} names {name}, which no cluster has", hint=suggest(name, defaults))
        if type(value) is not type(defaults[name]):
            raise ConfigError(f"{name} is {value!r} in {source}", hint="write a whole number, or a text in quotes")
    try:
        return ClusterSpec(**values)
    except ConfigError as error:
        raise ConfigError(f"{error.message} ({source})", hint=error.hint) from None


def read_cluster_file(path: Path) -> ClusterSpec:
    """The spec in a TOML file.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no TOML, names something unknown or a value does not do.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"there is no cluster file {path}", hint="leave it out for the usual cluster") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="write one value per line: proxies = 2") from None
    return make_spec(values, source=str(path))
