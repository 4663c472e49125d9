"""Where everything is composed: settings from flags, environment and project file, and servers by name.

`open_workspace` is called once by a door. It is the only place that looks at the environment and the project file.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.model.errors import ConfigError
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import SETTINGS, Secret, Settings, environment_name, resolve

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["PROJECT_FILE", "Workspace", "open_workspace"]

PROJECT_FILE = "milvuslab.toml"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Settings, and the servers they lead to.

    Attributes:
        settings: all of them; folders are absolute.
        folder: where the project file is looked for.
        project_file: the project file that was read, or None.
        environment: what programs we start inherit, our own settings left out.
    """

    settings: Settings
    folder: Path
    project_file: Path | None
    environment: Mapping[str, str] = dataclasses.field(repr=False)

    def server_name(self, name: str = "") -> str:
        """The name itself, or that of the server that is used when none is named."""
        return name or str(self.settings.server)

    def endpoint_of(self, name: str = "") -> Endpoint:
        """How to reach a server.

        Raises:
            NotFoundError: there is no server of that name.
        """
        from milvuslab.ops.servers import find_endpoint

        return find_endpoint(self, self.server_name(name))

    def connect(self, name: str = "") -> Gateway:
        """A gateway to a server, by its profile and our settings.

        Raises:
            NotFoundError: there is no server of that name.
            UnreachableError: it does not run; the hint says how to start it.
        """
        from milvuslab.ops.servers import connect_to

        return connect_to(self, self.server_name(name))

    def child_environment(self, changed: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a program of ours: each setting that is not a default, and what we inherited.

        Args:
            changed: settings with other values for that program, by name.
        """
        given = {
            name: self.settings.values[name] for name, origin in self.settings.origins.items() if origin != "default"
        }
        given |= {"home_dir": self.settings.home_dir, "cache_dir": self.settings.cache_dir, **(changed or {})}
        return {**self.environment, **{environment_name(name): _as_text(value) for name, value in given.items()}}


def open_workspace(
    *, flags: Mapping[str, Any] | None = None, environment: Mapping[str, str], folder: Path
) -> Workspace:
    """The workspace of a folder.

    Args:
        flags: settings from the command line; None means not given.
        environment: for example `os.environ`.
        folder: holds `milvuslab.toml`, or does not.

    Raises:
        ConfigError: a name or value is wrong, the project file is no TOML, or a folder is none.
    """
    project_file = folder / PROJECT_FILE
    content = _read_project_file(project_file)
    settings = resolve(flags=flags, environment=environment, file=_below(folder, content or {}))
    for name in ("home_dir", "cache_dir"):
        path: Path = settings.values[name]
        if path.exists() and not path.is_dir():
            raise ConfigError(
                f"{name} is {path}, which is no folder", hint=f"choose another: {environment_name(name)}=FOLDER"
            )
    return Workspace(
        settings=settings,
        folder=folder,
        project_file=project_file if content is not None else None,
        environment={key: value for key, value in environment.items() if not key.startswith("MILVUSLAB_")},
    )


def _read_project_file(path: Path) -> dict[str, Any] | None:
    """Settings of the project file, None when there is no file."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", hint="write one setting per line: call_timeout_s = 20"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint=f"check the rights of {path}") from None


def _below(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The project file's settings with its relative folders counted from the file, not from where we run."""
    return {
        name: str(folder.absolute() / value)
        if name in SETTINGS and SETTINGS[name].kind is Path and isinstance(value, str) and value and value[0] != "~"
        else value
        for name, value in content.items()
    }


def _as_text(value: Any) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)
