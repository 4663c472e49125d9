"""Which of our optional packages are installed, told by the package's own metadata."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
from collections.abc import Iterable

__all__ = ["Requirement", "has_extra", "list_requirements"]

_REQUIREMENT = re.compile(
    r"(?P<package>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*\(?(?P<versions>[^;)]*)\)?\s*(?:;(?P<marker>.*))?"
)
_EXTRA = re.compile(r"extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"]")
_OUR_PACKAGE = "milvuslab"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package that an extra needs.

    Attributes:
        extra: name of the extra; empty for what every installation needs.
        package: its name on the package index.
        versions: the versions asked for, `>=3,<4`.
        installed: the version that is there, or empty.
    """

    extra: str
    package: str
    versions: str
    installed: str

    @property
    def is_satisfied(self) -> bool:
        """Whether it is there in a version that fits; only `>=` and `<` are looked at."""
        if not self.installed:
            return False
        have = _as_numbers(self.installed)
        for operator, version in re.findall(r"(>=|<)\s*([0-9.]+)", self.versions):
            wanted = _as_numbers(version)
            if (operator == ">=" and have < wanted) or (operator == "<" and have >= wanted):
                return False
        return True


def list_requirements() -> list[Requirement]:
    """What our package and its extras need, as its metadata says; empty when it is not installed."""
    try:
        lines: Iterable[str] = importlib.metadata.requires(_OUR_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        lines = ()
    found = []
    for line in lines:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None or match["package"].lower() == _OUR_PACKAGE or _is_for_other_python(match["marker"]):
            continue
        extra = _EXTRA.search(match["marker"] or "")
        found.append(
            Requirement(
                extra=extra["extra"] if extra else "",
                package=match["package"],
                versions=match["versions"].strip(),
                installed=_installed_version(match["package"]),
            )
        )
    return found


def has_extra(extra: str) -> bool:
    """Whether everything the extra needs is installed in a version that fits."""
    return all(requirement.is_satisfied for requirement in list_requirements() if requirement.extra == extra)


def _is_for_other_python(marker: str | None) -> bool:
    return "python_version" in (marker or "") or "sys_platform" in (marker or "")


def _installed_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _as_numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", version.split("+", maxsplit=1)[0])[:3]]
    return (*numbers, *[0] * (3 - len(numbers)))
