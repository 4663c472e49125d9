"""`milvuslab doctor`: what this machine lacks, and what to do about it."""

from __future__ import annotations

import sys

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import pad

__all__ = ["register"]

_COLORS = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[31m"}


def register(app: typer.Typer) -> None:
    """Puts the command into the program."""
    command(app, "doctor", examples=["milvuslab doctor", "milvuslab doctor --json"])(_doctor)


def _doctor(door: Door) -> None:
    """Check this machine and installation.

    Looks at processor, memory, disk, limits, ports, processes and packages. Exit code 1 when something must change.
    """
    from milvuslab.ops.doctor import diagnose, require_health

    findings = diagnose(door.workspace)
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        level = pad(finding.level, 4)
        shown = f"{_COLORS[finding.level]}{level}\x1b[0m" if sys.stdout.isatty() else level
        lines.append(f"{shown}  {pad(finding.check, width)}  {finding.message}")
        if finding.remedy:
            lines.append(f"{' ' * (width + 8)}{finding.remedy}")
    door.show({"findings": [finding.as_dict() for finding in findings]}, lines)
    require_health(findings)
