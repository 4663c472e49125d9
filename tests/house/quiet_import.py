"""Imports every module, each room in a process of its own, and reports what the imports did besides.

Run as a program in an empty folder with an almost empty environment: `python -I quiet_import.py PACKAGE_DIR CORE BLOCKED...`.
`CORE` are modules to import first, separated by commas, `BLOCKED` top-level packages that act as if they were not
installed. Prints one JSON object: module name to list of
findings. Core dependencies are imported first, so that only what our modules do themselves is seen, and each room
starts from the same state by forking.
"""

from __future__ import annotations

import importlib
import importlib.abc
import itertools
import json
import logging
import os
import sys
import sysconfig
import threading
import traceback
from pathlib import Path

WATCHED_EVENTS = (
    "subprocess.Popen",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "socket.connect",
    "socket.bind",
    "os.putenv",
)


class Absent(importlib.abc.MetaPathFinder):
    """Finder that makes packages look as if they were not installed."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuses blocked packages, passes on all others."""
        if fullname.split(".", maxsplit=1)[0] in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r} in a core installation", name=fullname)


def module_names(package_dir: Path) -> list[str]:
    """Every module below the package by dotted name; `__main__` is a program, not a module to import."""
    names = []
    for path in sorted(package_dir.rglob("*.py")):
        parts = path.relative_to(package_dir.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def state() -> dict[str, object]:
    """What an import must not change."""
    return {
        "environment": dict(os.environ),
        "log handlers": list(logging.root.handlers),
        "log level": logging.root.level,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "folder": str(Path.cwd()),
        "files": sorted(str(path) for path in Path().iterdir()),
    }


def watch(package_dir: Path, found: list[str]) -> None:
    """Notes files, programs and sockets that are opened from now on."""
    library = (sysconfig.get_path("stdlib"), "<frozen")

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED_EVENTS:
            found.append(f"{event} {arguments[0]!r}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path, flags = os.fsdecode(arguments[0]), arguments[2]
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) and path != os.devnull:
                found.append(f"writes {path}")
            elif opened_by_us():
                found.append(f"reads {path}")

    def opened_by_us() -> bool:
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if "importlib" in name:
                return False
            if not name.startswith(library):
                return name.startswith(str(package_dir))
            frame = frame.f_back
        return False

    sys.addaudithook(hook)


def import_and_compare(names: list[str], package_dir: Path) -> dict[str, list[str]]:
    """Imports modules here, one after the other, and returns what else happened at each."""
    happened: list[str] = []
    watch(package_dir, happened)
    reports = {}
    for name in names:
        happened.clear()
        before = state()
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: BLE001 whatever an import raises is a finding
            happened.append("does not import: " + traceback.format_exc(limit=-3))
        after = state()
        changes = [f"changes the {key}: {after[key]!r}" for key in before if before[key] != after[key]]
        reports[name] = [*happened, *changes]
    return reports


def import_in_child(names: list[str], package_dir: Path) -> dict[str, list[str]]:
    """The same in a forked process, so that each room starts from the same state."""
    read_end, write_end = os.pipe()
    if (pid := os.fork()) == 0:
        with os.fdopen(write_end, "w") as pipe:
            json.dump(import_and_compare(names, package_dir), pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {name: ["an import of this room ended it"] for name in names}


def main() -> None:
    """Imports everything and prints the findings."""
    package_dir, core, blocked = Path(sys.argv[1]), sys.argv[2].split(","), set(sys.argv[3:])
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, Absent(blocked))
    sys.path.insert(0, str(package_dir.parent))
    for name in filter(None, core):
        importlib.import_module(name)
    reports = {}
    for _, names in itertools.groupby(module_names(package_dir), key=lambda name: name.split(".")[1:2]):
        reports.update(import_in_child(list(names), package_dir))
    print(json.dumps({name: found for name, found in reports.items() if found}))


if __name__ == "__main__":
    main()
