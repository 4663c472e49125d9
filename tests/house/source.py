"""The code under `src/milvuslab` as parsed modules, and the files that belong to the repository."""

from __future__ import annotations

import ast
import dataclasses
import functools
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

__all__ = ["PACKAGE_DIR", "ROOT_DIR", "Module", "expect_none", "own_files", "parse", "read_modules"]

ROOT_DIR = Path(__file__).resolve().parents[2]
PACKAGE_DIR = ROOT_DIR / "src" / "milvuslab"
_NOT_OURS = {".git", ".venv", "dist", "build", "__pycache__"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Module:
    """One parsed module.

    Attributes:
        name: dotted, `milvuslab.fetch.package`; a package goes by its own name, without `__init__`.
        is_package: whether it is an `__init__.py`.
        text: the source.
        tree: the source parsed.
    """

    name: str
    is_package: bool
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder directly below the package, or '' for what lies in the package itself."""
        parts = self.name.split(".")
        if len(parts) == 1 or (len(parts) == 2 and not self.is_package):
            return ""
        return parts[1]


def parse(name: str, text: str, *, is_package: bool = False) -> Module:
    """A module out of its text."""
    return Module(name=name, is_package=is_package, text=text, tree=ast.parse(text, filename=name))


@functools.cache
def read_modules(package_dir: Path = PACKAGE_DIR) -> tuple[Module, ...]:
    """Every module of the package, sorted by name; parsed once, for all tests."""
    return tuple(sorted(_read(package_dir), key=lambda module: module.name))


def _read(package_dir: Path) -> Iterator[Module]:
    for path in package_dir.rglob("*.py"):
        parts = path.relative_to(package_dir.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        yield parse(name, path.read_text(encoding="utf-8"), is_package=is_package)


def own_files(root_dir: Path = ROOT_DIR) -> list[Path]:
    """Files that are, or are about to be, part of the repository; without git, all but what tools leave behind."""
    listed = subprocess.run(
        ["git", "-C", str(root_dir), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [root_dir / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in root_dir.rglob("*") if not _NOT_OURS & set(path.relative_to(root_dir).parts)]
    return sorted(path for path in paths if path.is_file())


def expect_none(found: Iterable[str]) -> None:
    """Fails with every finding on a line of its own."""
    lines = list(found)
    if lines:
        pytest.fail("\n".join([f"{len(lines)} found:", *lines]), pytrace=False)
