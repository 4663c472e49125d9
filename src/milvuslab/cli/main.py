"""The command `milvuslab`: all nouns, and the one place where an error becomes a sentence and an exit code.

Exit codes: 0 done, 1 a check found a difference, 2 the caller must change something, 3 a server refused or is away,
4 some of it happened, 70 a fault of ours (its traceback is in `home_dir/logs/cli.log`), 130 Ctrl-C, 143 told to end.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from types import FrameType
from typing import Annotated, Any

import typer

from milvuslab.cli import bench, cluster, collection, config, doctor, drill, image, server, studio, text, tune, up
from milvuslab.cli.command import Stopped, shared_options, take_door
from milvuslab.model.errors import (
    ConfigError,
    MilvusLabError,
    NotFoundError,
    ServerError,
    UnreachableError,
    UsageError,
    suggest,
)
from milvuslab.model.settings import resolve

__all__ = ["EXIT_FAULT", "app", "main"]

EXIT_FAULT = 70
_PARSER_ERROR: type[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""Base of the parser's errors. By its version typer carries click inside itself or takes the package."""

_NEXT_STEPS: dict[type[MilvusLabError], str] = {
    NotFoundError: "see what there is: milvuslab collection list, milvuslab server list",
    UsageError: "milvuslab --help",
    UnreachableError: "see which servers run: milvuslab status",
    ServerError: "see how the server stands: milvuslab server status, milvuslab server logs",
    MilvusLabError: "run it again; it goes on where it was",
}
"""For errors that bring no hint of their own, most special first."""

app = typer.Typer(
    name="milvuslab",
    help="Run real Milvus without Docker and search real documents on it.",
    add_completion=False,
    rich_markup_mode=None,
)
for _noun in (up, doctor, studio, tune):
    _noun.register(app)
for _group in (server.app, cluster.app, config.app, collection.app, text.app, image.app, bench.app, drill.app):
    app.add_typer(_group)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; errors are printed, never raised."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _prepare_process()
    try:
        code = typer.main.get_command(app).main(args=given, prog_name="milvuslab", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as fault:  # noqa: BLE001 -- the outermost door: a bug becomes one line and a log entry
        error = _as_our_error(fault)
        if error is None:
            return _report_fault(fault, given)
        return _report(error, is_json="--json" in given)
    return code if isinstance(code, int) else 0


def _root(ctx: typer.Context, **values: Any) -> None:
    ctx.obj = take_door(ctx, values)
    if values["version"]:
        from milvuslab import __version__

        print(f"milvuslab {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


_VERSION = Annotated[bool, typer.Option("--version", help="Print the version and exit.")]
_PARAMETERS = [
    inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
    inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_VERSION),
    *shared_options(),
]
_root.__signature__ = inspect.Signature(_PARAMETERS)  # type: ignore[attr-defined]
_root.__annotations__ = {parameter.name: parameter.annotation for parameter in _PARAMETERS}
app.callback(
    invoke_without_command=True,
    epilog="\b\nStart here:\n"
    "  milvuslab up                                   real Milvus, samples and the studio; prints one address\n"
    "  milvuslab text search 'how do volcanoes form'  ask\n"
    "  milvuslab down                                 stop all of it\n\n"
    "Other settings: `milvuslab config show`. They come from MILVUSLAB_* variables or ./milvuslab.toml.",
)(_root)


def _prepare_process() -> None:
    """A polite end for SIGTERM and SIGHUP, and output that never fails over a letter the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # A process started with `nohup` ignores SIGHUP and goes on doing so.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Stopped


def _as_our_error(fault: Exception) -> MilvusLabError | None:
    """What a person can do something about; None for a fault of ours."""
    if isinstance(fault, MilvusLabError):
        return fault
    if isinstance(fault, _PARSER_ERROR):
        return _as_usage_error(fault)
    if isinstance(fault, OSError) and fault.filename:
        reason = fault.strerror or type(fault).__name__
        return ConfigError(f"{fault.filename} cannot be used: {reason}", hint="milvuslab doctor")
    return None


def _as_usage_error(error: Any) -> UsageError:
    message = " ".join(error.format_message().split()).rstrip(".")
    ctx = getattr(error, "ctx", None)
    hint = f"{ctx.command_path} --help" if ctx else "milvuslab --help"
    # Newer versions of the parser suggest a name in the message itself, older ones do not.
    unknown = re.match(r"No such command '([^']*)'", message)
    if unknown and ctx:
        message = unknown.group()
        hint = f"{suggest(unknown.group(1), ctx.command.commands)}; see {hint}"
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _report(error: MilvusLabError, *, is_json: bool) -> int:
    hint = error.hint or next(hint for kind, hint in _NEXT_STEPS.items() if isinstance(error, kind))
    if is_json:
        print(json.dumps({**error.as_dict(), "hint": hint}, ensure_ascii=False, default=str), file=sys.stderr)
    else:
        print(f"error: {error.message}\nnext: {hint}", file=sys.stderr)
    return error.exit_code


def _report_fault(fault: Exception, given: Sequence[str]) -> int:
    """One line on screen, the traceback in the log."""
    print(f"error: a fault of milvuslab itself: {type(fault).__name__}: {fault}", file=sys.stderr)
    try:
        path = resolve(environment=_folders_only()).home_dir / "logs" / "cli.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            # Only the command's words: an option's value may be private.
            words = [word for word in given if word.isidentifier() or word.startswith("--")]
            log.write(f"--- {now} milvuslab {' '.join(words)}\n")
            log.write("".join(traceback.format_exception(type(fault), fault, fault.__traceback__)))
    except (OSError, MilvusLabError):
        print("next: run it again and report what you did; the log could not be written", file=sys.stderr)
    else:
        print(f"next: see {path}, and report it", file=sys.stderr)
    return EXIT_FAULT


def _folders_only() -> dict[str, str]:
    """The part of the environment that says where the home folder is; the rest may be what went wrong."""
    names = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "MILVUSLAB_HOME_DIR", "MILVUSLAB_CACHE_DIR")
    return {name: os.environ[name] for name in names if os.environ.get(name)}
