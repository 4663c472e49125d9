"""The studio put together and served: one process, one port."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from milvuslab.model.errors import ConfigError, ConflictError, missing_extra
from milvuslab.studio.guard.address import AddressCheck, is_loopback
from milvuslab.studio.guard.body import BodyLimits
from milvuslab.studio.guard.door import Door
from milvuslab.studio.guard.key import KeyCheck
from milvuslab.studio.studio import Studio, open_studio

if TYPE_CHECKING:
    from fastapi import FastAPI

    from milvuslab.model.settings import Settings
    from milvuslab.ops.workspace import Workspace

__all__ = ["build_api", "build_door", "check_exposure", "open_port", "serve_studio"]

_PORTS_TRIED = 100


def serve_studio(workspace: Workspace, *, announce: Callable[[str], None]) -> None:
    """Serves until the process is told to end.

    Args:
        workspace: settings and servers.
        announce: called with the address once the port is open.

    Raises:
        ConfigError: others could reach it and no key is set.
        ConflictError: the port is taken.
        UnsupportedError: the extra `studio` is not installed.
    """
    try:
        import nicegui  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise missing_extra(error.name or "nicegui", "studio") from error
    settings = workspace.settings
    check_exposure(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.closing(open_port(settings)) as opened:
        door = build_door(open_studio(workspace))
        config = uvicorn.Config(
            door, log_config=None, access_log=False, server_header=False, proxy_headers=False, lifespan="on",
            timeout_graceful_shutdown=3, h11_max_incomplete_event_size=64 * 1024,
        )  # fmt: skip
        announce(_url_of(opened))
        uvicorn.Server(config).run(sockets=[opened])


def check_exposure(settings: Settings) -> None:
    """Returns when nobody but this machine can reach the studio, or a key is set.

    Raises:
        ConfigError: others could use it without a key.
    """
    if settings.studio_key:
        return
    if not is_loopback(settings.studio_host):
        raise ConfigError(
            f"studio_host is {settings.studio_host}, which others can reach, and no studio_key is set",
            hint="MILVUSLAB_STUDIO_KEY=$(openssl rand -hex 24), or take 127.0.0.1",
        )
    if settings.studio_public_url:
        raise ConfigError(
            f"studio_public_url is {settings.studio_public_url} and no studio_key is set",
            hint="MILVUSLAB_STUDIO_KEY=$(openssl rand -hex 24)",
        )


def open_port(settings: Settings) -> socket.socket:
    """A listening socket at the configured place; from the default port on, the next free one.

    Raises:
        ConflictError: the port that was asked for is taken.
        ConfigError: the address is not one of this machine.
    """
    host, wanted = settings.studio_host, settings.studio_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    is_default = settings.origins["studio_port"] == "default"
    candidates: Iterable[int] = range(wanted, min(wanted + _PORTS_TRIED, 65_536)) if is_default else (wanted,)
    failure: OSError | None = None
    for port in candidates:
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, port))
            opened.listen(128)
        except OSError as error:
            opened.close()
            failure = error
        else:
            return opened
    if isinstance(failure, socket.gaierror) or (failure and "assign" in str(failure)):
        raise ConfigError(f"studio_host is {host}, which is no address of this machine", hint="take 127.0.0.1")
    raise ConflictError(
        f"port {wanted} of {host} is taken", hint="choose another: --port PORT, or 0 for any free one"
    ) from failure


def build_door(studio: Studio) -> Door:
    """The ASGI application of a studio."""
    from milvuslab.studio.pages.site import make_site

    settings = studio.settings
    key = KeyCheck(settings.studio_key)
    api = build_api(studio)
    site = make_site(studio, api=api, key=key, is_https=settings.studio_public_url.startswith("https://"))
    return Door(
        api=api,
        pages=site,
        metrics=studio.metrics,
        address=AddressCheck(host=settings.studio_host, public_url=settings.studio_public_url),
        key=key,
        limits=BodyLimits(request_bytes=settings.request_limit_bytes, upload_bytes=settings.upload_limit_bytes),
    )


def build_api(studio: Studio) -> FastAPI:
    """The HTTP API of a studio."""
    from milvuslab.studio.api.application import make_api
    from milvuslab.studio.api.image_routes import make_image_router
    from milvuslab.studio.api.lab_routes import make_lab_router
    from milvuslab.studio.api.system_routes import make_system_router
    from milvuslab.studio.api.text_routes import make_text_router

    system = make_system_router(
        servers=studio.servers, encoders=studio.encoders, desk=studio.desk, read_jobs=studio.jobs.latest
    )
    routers = [make_text_router(studio.desk), make_image_router(studio.images), make_lab_router(studio.lab), system]
    return make_api(routers)


def _url_of(opened: socket.socket) -> str:
    host, port = opened.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  shown, never bound
    return f"http://{shown}:{port}"
