"""Runs the sessions that a page shows, and holds what they print against what the page says they print.

A session is the page's ```` ```console ```` blocks, in order, typed into one shell. A line that begins with `$ ` is a
command; lines that begin with `> ` continue it; the lines up to the next command are what it prints, standard output
and standard error together. In them `...` stands for anything: inside a line for part of it, alone on a line for any
number of lines, none included. Every command must end with 0, or print a line `exit N` as its last shown line.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.docs.markdown import fences_of

__all__ = ["Outcome", "Step", "matches", "read_session", "run_session"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A command and what the page shows after it."""

    command: str
    shown: str
    exit_code: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did."""

    step: Step
    printed: str
    exit_code: int

    @property
    def problem(self) -> str:
        """How it differs from what the page shows, or ''."""
        if self.exit_code != self.step.exit_code:
            return f"$ {self.step.command}\nended with {self.exit_code}, shown {self.step.exit_code}:\n{self.printed}"
        if not matches(self.printed, self.step.shown):
            return f"$ {self.step.command}\nshown:\n{self.step.shown}\nprinted:\n{self.printed}"
        return ""


def read_session(text: str) -> list[Step]:
    """The steps of all console blocks of a page."""
    steps = []
    for fence in fences_of(text):
        if fence.language == "console":
            for block in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]:
                steps.append(_read_step(block.rstrip("\n").split("\n")))
    return steps


def _read_step(lines: list[str]) -> Step:
    command, shown = [lines[0]], lines[1:]
    while shown and shown[0].startswith("> "):
        command.append(shown.pop(0)[2:])
    exit_code = 0
    if shown and (last := re.fullmatch(r"exit (\d+)", shown[-1])):
        exit_code = int(last[1])
        shown.pop()
    return Step(command="\n".join(command), shown="\n".join(shown), exit_code=exit_code)


def matches(printed: str, shown: str) -> bool:
    """Whether the output is what the page shows, `...` standing for anything; blanks at line ends do not count."""
    lines = [line.rstrip() for line in printed.strip("\n").split("\n")]
    pattern = ""
    for line in shown.strip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n"
    return re.fullmatch(pattern, "\n".join(lines) + "\n") is not None


def run_session(
    steps: list[Step], *, folder: Path, environment: Mapping[str, str], record_path: Path, timeout_s: float
) -> list[Outcome]:
    """Types the steps into one bash in `folder`; ends early only when a step ends the shell.

    Output goes to a file and not through a pipe, so that a server left running does not keep the reader waiting.
    """
    mark = secrets.token_hex(8)
    script = "\n".join(f"{step.command}\nprintf '\\n{mark} %s\\n' $?" for step in steps)
    with record_path.open("wb") as record:
        subprocess.run(
            ["bash", "--norc", "-c", script],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=record,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    parts = re.split(rf"\n{mark} (\d+)\n", record_path.read_text(encoding="utf-8"))
    codes = [int(code) for code in parts[1::2]]
    outcomes = [
        Outcome(step=step, printed=printed, exit_code=code)
        for step, printed, code in zip(steps, parts[0::2], codes, strict=False)
    ]
    if len(outcomes) < len(steps):
        outcomes.append(Outcome(step=steps[len(outcomes)], printed=parts[-1], exit_code=-1))
    return outcomes
