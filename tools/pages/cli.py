"""The page of all commands, from the typer application."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import typer

__all__ = ["render_page"]

_HEAD = """# Commands

`milvuslab COMMAND --help` prints the same. Exit codes are listed in [errors](errors.md), settings in [settings](settings.md).
Every command takes these options besides its own:
"""


def render_page(root_dir: Path) -> str:
    """One section a command, in the order of `--help`."""
    del root_dir
    from milvuslab.cli.main import app

    root = typer.main.get_command(app)
    shared = {name for option in root.params for name in option.opts} - {"--version"}
    rows = [_row(option) for option in root.params if shared & set(option.opts)]
    return "\n\n".join([_HEAD.strip(), "\n".join(rows), *_sections(root, ["milvuslab"], shared)])


def _sections(command: Any, names: list[str], shared: set[str]) -> list[str]:
    children = getattr(command, "commands", None)
    if children is None:
        return [_section(command, names, shared)]
    sections = [_section(command, names, shared)] if len(names) > 1 else []
    for name, child in children.items():
        if not child.hidden:
            sections += _sections(child, [*names, name], shared)
    return sections


def _section(command: Any, names: list[str], shared: set[str]) -> str:
    own = [parameter for parameter in command.params if not shared & set(parameter.opts)]
    rows = [_row(parameter) for parameter in own if parameter.name != "help" and not parameter.hidden]
    arguments = [_label(parameter) for parameter in own if parameter.param_type_name == "argument"]
    parts = [f"## {' '.join(names)}"]
    if not getattr(command, "commands", None):
        parts.append(_code(" ".join([*names, *arguments])))
    parts += [_plain(command.help), "\n".join(rows)]
    if command.epilog:
        parts.append(_code(_plain(command.epilog)))
    return "\n\n".join(part for part in parts if part)


def _row(parameter: Any) -> str:
    # What a parameter says of itself, and not the line of --help, which every version of typer words anew.
    text = " ".join((parameter.help or "").split())
    default = parameter.default
    if isinstance(default, bool) or default in (None, "", ()) or callable(default):
        return f"- `{_label(parameter)}`: {text}"
    return f"- `{_label(parameter)}`: {text} Default: `{default}`."


def _label(parameter: Any) -> str:
    value = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        return value if parameter.required else f"[{value}]"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {value}"


def _plain(text: str | None) -> str:
    return inspect.cleandoc((text or "").replace("\b\n", ""))


def _code(text: str) -> str:
    return f"```text\n{text}\n```"
