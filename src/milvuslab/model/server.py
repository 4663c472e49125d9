"""Where a server is and what it can do: values shared by `runtime`, `gateway` and everything above."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from milvuslab.model.errors import ConfigError, UnsupportedError
from milvuslab.model.settings import Secret

__all__ = ["Capabilities", "Endpoint", "ServerKind", "check_server_name"]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class ServerKind(str, enum.Enum):
    """What stands behind a profile."""

    LITE = "lite"
    STANDALONE = "standalone"
    CLUSTER = "cluster"
    REMOTE = "remote"

    def __str__(self) -> str:
        return self.value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How to reach a server.

    Attributes:
        uri: `http://host:port`, `https://host:port`, or the path of an embedded Lite file ending in `.db`.
        token: `user:password` or an API key; empty where the server asks for none.
        ca_pem_path: certificate authority of a server with TLS; empty takes the system's.
        server_name: name expected in the certificate where it differs from the host.
        client_pem_path: client certificate for mutual TLS.
        client_key_path: its key.
    """

    uri: str
    token: Secret = Secret("")
    ca_pem_path: str = ""
    server_name: str = ""
    client_pem_path: str = ""
    client_key_path: str = ""

    def __post_init__(self) -> None:
        if self.is_embedded:
            return
        if "@" in self.uri:
            raise ConfigError("a server address carries a password", hint="pass it as token: --token-file FILE")
        if not _is_address(self.uri):
            raise ConfigError(
                f"{self.safe_uri!r} is no server address", hint="write http://HOST:PORT or https://HOST:PORT"
            )

    @property
    def is_embedded(self) -> bool:
        """Whether it is a Lite file opened inside this process."""
        return self.uri.endswith(".db") and "://" not in self.uri

    @property
    def safe_uri(self) -> str:
        """The address without anything secret, for messages."""
        return self.uri if self.is_embedded else re.sub(r"^(.*//)?.*@", r"\1***@", self.uri)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a live server was seen to do; features ask this, never a version string.

    Attributes:
        server_version: as the server reports it, for people and as cache key.
        server_build: its build identifier, or empty.
        index_types: names accepted by a probe build, by vector type: `{"FLOAT_VECTOR": {"FLAT", ...}}`.
        metrics: names accepted, by vector type.
        data_types: field types accepted: `{"INT8", "JSON", ...}`.
        features: names of other things that worked: see `gateway/probe.py` for the list and each probe.
        notes: for a name that was refused, the server's own words.
    """

    server_version: str
    server_build: str = ""
    index_types: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    metrics: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    data_types: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def has(self, feature: str) -> bool:
        """Whether a named feature worked on this server."""
        return feature in self.features

    def require(self, feature: str, *, needs: str) -> None:
        """Returns when the feature is there.

        Raises:
            UnsupportedError: it is not; nothing was created.
        """
        if feature not in self.features:
            raise UnsupportedError(
                feature, needs=needs, has=f"Milvus {self.server_version}", hint=self.notes.get(feature, "")
            )

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON: sets become sorted lists."""
        return {
            "server_version": self.server_version,
            "server_build": self.server_build,
            "index_types": {name: sorted(kinds) for name, kinds in sorted(self.index_types.items())},
            "metrics": {name: sorted(kinds) for name, kinds in sorted(self.metrics.items())},
            "data_types": sorted(self.data_types),
            "features": sorted(self.features),
            "notes": dict(sorted(self.notes.items())),
        }


def check_server_name(name: str) -> str:
    """The name itself, when it can be a folder and a profile.

    Raises:
        ConfigError: it is not 1 to 32 of a-z, 0-9 and '-', beginning with a letter.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no server name", hint="use 1 to 32 of a-z, 0-9 and '-', beginning with a letter"
        )
    return name


def _is_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an IPv6 address that is not closed
        return False
