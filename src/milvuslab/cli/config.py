"""`milvuslab config`: every setting with its value and where it came from."""

from __future__ import annotations

from milvuslab.cli.command import Door, command, group
from milvuslab.cli.output import table
from milvuslab.model.settings import SETTINGS, environment_name

__all__ = ["app"]

app = group("config", help_text="Look at the settings.")


@command(app, "show", examples=["milvuslab config show", "milvuslab config show --json"])
def show(door: Door) -> None:
    """Print each setting, its value and its origin: flag, environment, file or default. Secrets are masked."""
    settings = door.workspace.settings
    found = [
        {
            "name": name,
            "value": _plain(settings.values[name]),
            "origin": settings.origins[name],
            "environment": environment_name(name),
            "help": setting.help,
        }
        for name, setting in SETTINGS.items()
    ]
    rows = [[one["name"], str(one["value"]), one["origin"]] for one in found]
    door.show(
        {"file": str(door.workspace.project_file), "settings": found}, table(["setting", "value", "origin"], rows)
    )


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float) else str(value)
