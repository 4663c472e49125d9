"""How a command is made: the options that all commands share, the door each one gets, and its examples.

A command is a plain function whose first parameter is a `Door`. `command` adds `--json`, `--server`, `--home-dir` and
`--cache-dir` to it; the last three come from the settings table, and all may also stand before the command's name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from milvuslab.model.progress import Observer
from milvuslab.model.settings import SETTINGS, environment_name

if TYPE_CHECKING:
    from milvuslab.ops.workspace import Workspace

__all__ = ["SHARED_SETTINGS", "Door", "Stopped", "command", "group", "shared_options", "take_door"]

SHARED_SETTINGS = ("server", "home_dir", "cache_dir")
"""Settings that every command takes as an option; the others come from the environment or the project file."""

_Function = TypeVar("_Function", bound=Callable[..., None])


class Stopped(KeyboardInterrupt):
    """The process was told to end (SIGTERM, SIGHUP); handled like Ctrl-C, with its own exit code."""


@dataclasses.dataclass(frozen=True)
class Door:
    """What a command works with.

    Attributes:
        is_json: whether stdout is for a machine.
        flags: settings given as options.
    """

    is_json: bool
    flags: Mapping[str, str]

    @functools.cached_property
    def workspace(self) -> Workspace:
        """Settings and servers, read at the first use.

        Raises:
            ConfigError: a setting, the environment or the project file is wrong.
        """
        from milvuslab.ops.workspace import open_workspace

        return open_workspace(flags=self.flags, environment=os.environ, folder=Path.cwd())

    def show(self, value: Any, lines: Iterable[str]) -> None:
        """Prints the result: `value` as JSON for a machine, `lines` for a person."""
        if self.is_json:
            print(json.dumps(value, ensure_ascii=False, indent=2, default=str))
            return
        for line in lines:
            print(line)

    @contextlib.contextmanager
    def watch(self) -> Iterator[Observer]:
        """An observer that shows progress on stderr while the block runs."""
        from milvuslab.cli.progress import show_progress

        with show_progress() as observer:
            yield observer


def command(
    app: typer.Typer, name: str, *, examples: Sequence[str], is_hidden: bool = False
) -> Callable[[_Function], _Function]:
    """Registers a function as a command; its docstring is the help, `examples` stand below it."""

    def register(function: _Function) -> _Function:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        @functools.wraps(function)
        def run(ctx: typer.Context, **values: Any) -> None:
            _run(functools.partial(function, take_door(ctx, values)), values)

        parameters = [
            inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
            *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
            *shared_options(),
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        del run.__wrapped__
        app.command(name, epilog=_epilog(examples), hidden=is_hidden)(run)
        return function

    return register


def group(name: str, *, help_text: str) -> typer.Typer:
    """A noun that holds commands."""
    return typer.Typer(name=name, help=help_text, add_completion=False, rich_markup_mode=None)


def shared_options() -> list[inspect.Parameter]:
    """`--json` and the shared settings, as parameters of a function."""
    options = [
        _parameter(
            "json_output", bool, False, typer.Option("--json", help="Print the result as JSON on standard output.")
        )
    ]
    for name in SHARED_SETTINGS:
        option = typer.Option(
            f"--{name.replace('_', '-')}",
            help=f"{SETTINGS[name].help} [env: {environment_name(name)}]",
            metavar="NAME" if SETTINGS[name].kind is str else "FOLDER",
            show_default=False,
        )
        options.append(_parameter(f"setting_{name}", str | None, None, option))
    return options


def _parameter(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def take_door(ctx: typer.Context, values: dict[str, Any]) -> Door:
    """The door of this call; takes the shared options out of `values`."""
    before: Door | None = ctx.find_root().obj
    is_json = values.pop("json_output")
    flags = {name: values.pop(f"setting_{name}") for name in SHARED_SETTINGS}
    given = {name: value for name, value in flags.items() if value is not None}
    if before is None:
        return Door(is_json, given)
    return Door(is_json or before.is_json, {**before.flags, **given})


def _run(call: Callable[..., None], values: Mapping[str, Any]) -> None:
    try:
        call(**values)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`head`, `less`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except KeyboardInterrupt as stop:
        print("stopped", file=sys.stderr)
        raise typer.Exit(143 if isinstance(stop, Stopped) else 130) from None


def _epilog(examples: Sequence[str]) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)
