"""`milvuslab studio`: the web pages in the foreground."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from milvuslab.cli.command import Door, command

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Puts the command into the program."""

    @command(app, "studio", examples=["milvuslab studio", "milvuslab studio --port 9000"])
    def studio(
        door: Door,
        *,
        host: Annotated[str | None, typer.Option("--host", help="Address to listen on.", metavar="ADDRESS")] = None,
        port: Annotated[int | None, typer.Option("--port", help="Port; 0 takes a free one.", metavar="PORT")] = None,
    ) -> None:
        """Serve the studio until Ctrl-C.

        `milvuslab up` serves it in the background.
        """
        from milvuslab.ops.companion import studio_command
        from milvuslab.ops.workspace import open_workspace

        flags = {**door.flags, "studio_host": host, "studio_port": port}
        workspace = open_workspace(flags=flags, environment=os.environ, folder=door.workspace.folder)
        arguments = studio_command()
        sys.stdout.flush()
        # The studio is a door of its own: this process becomes it, so that Ctrl-C and signals reach it directly.
        os.execve(arguments[0], arguments, workspace.child_environment())  # noqa: S606
