"""The page of all commands, from the typer application."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import typer

__all__ = ["render_page"]

_HEAD = """# Commands

`milvuslab COMMAND --help` prints the same. Every command takes `--json` and then prints one JSON value; exit codes are listed
in [errors](errors.md).
"""


def render_page(root_dir: Path) -> str:
    """One section a command, in the order of `--help`."""
    del root_dir
    from milvuslab.cli.main import app

    root = typer.main.get_command(app)
    return "\n\n".join([_HEAD.strip(), *_sections(root, ["milvuslab"])])


def _sections(command: Any, names: list[str]) -> list[str]:
    children = getattr(command, "commands", None)
    if children is None:
        return [_section(command, names)]
    sections = [_section(command, names)] if len(names) > 1 else []
    for name, child in children.items():
        if not child.hidden:
            sections += _sections(child, [*names, name])
    return sections


def _section(command: Any, names: list[str]) -> str:
    parameters = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    options = [parameter for parameter in parameters if parameter.param_type_name == "option"]
    usage = " ".join([*names, *(_argument(argument) for argument in arguments)])
    parts = [f"## {' '.join(names)}", f"```\n{usage}\n```", inspect.cleandoc(command.help or "").replace("\b\n", "")]
    rows = [f"- `{_argument(argument)}`: {_text(argument)}" for argument in arguments]
    rows += [f"- `{_option(option)}`: {_text(option)}" for option in options if option.name != "help"]
    return "\n\n".join([*parts, "\n".join(rows)] if rows else parts)


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    return f"{names} {option.metavar or option.type.name.upper()}"


def _text(parameter: Any) -> str:
    text = " ".join((getattr(parameter, "help", "") or "").split())
    default = parameter.default
    if isinstance(default, bool) or default in (None, "", ()) or callable(default):
        return text
    return f"{text} Default: `{default}`."
