"""Channels: the connection to a server, plain, with TLS, or to a Lite file opened inside this process."""

from __future__ import annotations

import base64
import dataclasses
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from milvuslab.model.errors import ConfigError, ConflictError, missing_extra
from milvuslab.model.server import Endpoint

__all__ = ["Link", "embedded_ports", "open_link"]

_MESSAGE_MAX_BYTES = 256 * 1024 * 1024
"""Largest answer we take. Milvus answers with at most 256 MB by default (`grpc.serverMaxSendSize`, milvus.yaml 2.3)."""

_OPTIONS = (
    ("grpc.max_send_message_length", _MESSAGE_MAX_BYTES),
    ("grpc.max_receive_message_length", _MESSAGE_MAX_BYTES),
    # A server that comes back is found again within this time; gRPC's own ceiling is two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A dead peer that sends no reset is noticed after 20 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Two gateways to one address stay two connections: a probe must not share the fate of the main one.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """An open channel and the headers every call carries. Safe to use from many threads."""

    channel: Any
    metadata: tuple[tuple[str, str], ...]
    embedded_path: str = ""

    def close(self) -> None:
        """Ends the connection; calls in flight are cancelled."""
        self.channel.close()
        if self.embedded_path:
            _Embedded.release(self.embedded_path)


def open_link(endpoint: Endpoint) -> Link:
    """A channel to the endpoint; nothing is sent before the first call.

    Raises:
        ConfigError: a certificate file cannot be read.
        UnsupportedError: a Lite file, and the extra `lite` is not installed.
    """
    import grpc

    metadata = _metadata(endpoint)
    if endpoint.is_embedded:
        path = str(Path(endpoint.uri).resolve())
        return Link(grpc.insecure_channel(_Embedded.acquire(path), options=_OPTIONS), metadata, path)
    parts = urlsplit(endpoint.uri)
    target = f"{_bracketed(parts.hostname or '')}:{parts.port or (443 if parts.scheme == 'https' else 19530)}"
    if parts.scheme == "http":
        return Link(grpc.insecure_channel(target, options=_OPTIONS), metadata)
    options: list[tuple[str, str | int]] = list(_OPTIONS)
    if endpoint.server_name:
        options.append(("grpc.ssl_target_name_override", endpoint.server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read_pem(endpoint.ca_pem_path, what="certificate authority"),
        private_key=_read_pem(endpoint.client_key_path, what="client key"),
        certificate_chain=_read_pem(endpoint.client_pem_path, what="client certificate"),
    )
    return Link(grpc.secure_channel(target, credentials, options=options), metadata)


def embedded_ports() -> dict[str, int]:
    """The loopback port of each Lite file that is open in this process."""
    return _Embedded.ports()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _metadata(endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
    token = endpoint.token.reveal()
    if not token:
        return ()
    return (("authorization", base64.b64encode(token.encode()).decode()),)


def _read_pem(path: str, *, what: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror}", hint="check the path") from error


class _Embedded:
    """Lite servers inside this process, one for each file, counted so that the last user closes it."""

    _lock = threading.Lock()
    _open: dict[str, tuple[Any, Any, int, int]] = {}  # noqa: RUF012  (process-wide on purpose)

    @classmethod
    def acquire(cls, path: str) -> str:
        try:
            from milvus_lite.adapter.grpc.server import start_server_in_thread
        except ImportError as error:
            raise missing_extra("milvus-lite", "lite") from error
        with cls._lock:
            if path in cls._open:
                server, database, port, users = cls._open[path]
            else:
                server, database, port = _start(start_server_in_thread, path)
                users = 0
            cls._open[path] = (server, database, port, users + 1)
            return f"127.0.0.1:{port}"

    @classmethod
    def ports(cls) -> dict[str, int]:
        with cls._lock:
            return {path: port for path, (_, _, port, _) in cls._open.items()}

    @classmethod
    def release(cls, path: str) -> None:
        with cls._lock:
            server, database, port, users = cls._open.pop(path)
            if users > 1:
                cls._open[path] = (server, database, port, users - 1)
                return
            server.stop(grace=2).wait()
            database.close()


def _start(start_server_in_thread: Any, path: str) -> tuple[Any, Any, int]:
    from milvus_lite.exceptions import MilvusLiteError

    try:
        server, database, port = start_server_in_thread(data_dir=path, host="127.0.0.1", port=0)
    except MilvusLiteError as error:
        raise ConflictError(
            f"the Lite file {path} cannot be opened: {error}", hint="close the other process that uses it"
        ) from error
    return server, database, int(port)
