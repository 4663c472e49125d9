"""`python -m milvuslab.studio`: serves the studio of the workspace in this folder until it is told to end.

Settings come from the environment and the project file, as for every command; `milvuslab studio` takes options.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from milvuslab.model.errors import MilvusLabError
from milvuslab.ops.workspace import open_workspace
from milvuslab.studio.serve import serve_studio

__all__ = ["main"]


def main() -> int:
    """Serves; returns the exit code: 0 when told to end, else that of the error (docs/reference/errors.md)."""

    def announce(url: str) -> None:
        sys.stdout.write(f"studio: {url}\n")
        sys.stdout.flush()

    try:
        serve_studio(open_workspace(environment=os.environ, folder=Path.cwd()), announce=announce)
    except MilvusLabError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
