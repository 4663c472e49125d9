"""`python -m milvuslab.studio.lab FOLDER`: carries out the comparison that is ordered in the folder.

Settings come from the environment and the project file; the studio starts it so. SIGTERM stops it, and what was
measured stays.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from milvuslab.model.errors import MilvusLabError
from milvuslab.ops.workspace import open_workspace
from milvuslab.studio.lab.work import run_order

__all__ = ["main"]


def main() -> int:
    """Works; returns the exit code: 0 done, 130 stopped, else that of the error (docs/reference/errors.md)."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        run_order(open_workspace(environment=os.environ, folder=Path.cwd()), Path(sys.argv[1]))
    except MilvusLabError as error:
        sys.stderr.write(f"error: {error.message}; {error.hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
