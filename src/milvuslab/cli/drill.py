"""`milvuslab drill`: break a server on purpose and get a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milvuslab.cli.command import Door, command, group
from milvuslab.cli.output import table
from milvuslab.model.errors import CheckFailedError, UsageError

if TYPE_CHECKING:
    from milvuslab.ops.drill import Control, Verdict

__all__ = ["app"]

app = group("drill", help_text="Break a server on purpose: what was lost, how long each operation was away.")


@command(app, "list", examples=["milvuslab drill list"])
def list_drills(door: Door) -> None:
    """Show every drill: what is broken, and which kind of server it needs."""
    from milvuslab.ops.drill import DRILLS

    rows = [[one.name, one.server, one.title] for one in DRILLS.values()]
    values = [{"name": one.name, "server": one.server, "title": one.title} for one in DRILLS.values()]
    door.show({"drills": values}, table(["drill", "needs", "what happens"], rows))


@command(
    app,
    "run",
    examples=[
        "milvuslab drill run kill",
        "milvuslab drill run kill --times 20 --json",
        "milvuslab drill run freeze --server standalone",
        "milvuslab drill run kill --control defect",
    ],
)
def run(
    door: Door,
    *,
    name: Annotated[str, typer.Argument(metavar="DRILL", help="As `milvuslab drill list` names it.")],
    round_count: Annotated[int, typer.Option("--times", help="How often it is broken and healed.", min=1, max=500)] = 1,
    control: Annotated[
        str, typer.Option("--control", help="no-fault breaks nothing; defect damages the data.", metavar="NAME")
    ] = "",
    rate_per_s: Annotated[float, typer.Option("--rate", help="Calls a second of each operation.", min=1, max=100)] = 10,
) -> None:
    """Run one drill, on a server made for it unless --server names one. Exit code 1 for a bad verdict."""
    from milvuslab.ops.drill import run_named

    controls: dict[str, Control] = {"": "", "no-fault": "no-fault", "defect": "defect"}
    if control not in controls:
        raise UsageError(f"there is no control {control!r}", hint="take no-fault or defect")
    with door.watch() as observer:
        verdict = run_named(
            door.workspace, name, server=door.flags.get("server", ""), control=controls[control], round_count=round_count, rate_per_s=rate_per_s,
            observer=observer,
        )  # fmt: skip
    door.show(verdict.as_dict(), [*_lines(verdict), f"report: {_folder(door, verdict)}/report.html"])
    _require_right([verdict])


@command(app, "suite", examples=["milvuslab drill suite", "milvuslab drill suite kill freeze --no-controls"])
def suite(
    door: Door,
    *,
    names: Annotated[list[str] | None, typer.Argument(metavar="[DRILL]...", help="Default: all.")] = None,
    is_bare: Annotated[bool, typer.Option("--no-controls", help="Leave out both controls.")] = False,
) -> None:
    """Run drills one after the other, after both controls. Exit code 1 for a bad verdict."""
    from milvuslab.ops.drill import Verdict, run_suite

    done: list[Verdict] = []
    refused: list[tuple[str, str]] = []
    with door.watch() as observer:
        for found in run_suite(door.workspace, names or (), has_controls=not is_bare, observer=observer):
            if isinstance(found, Verdict):
                done.append(found)
            else:
                refused.append((found[0], found[1].message))
    rows = [_row(one) for one in done] + [[name, "not possible", message, "", ""] for name, message in refused]
    values: dict[str, Any] = {
        "verdicts": [one.as_dict() for one in done],
        "not_possible": [{"drill": name, "why": message} for name, message in refused],
    }
    door.show(values, table(["drill", "verdict", "search away", "writes away", "data"], rows))
    _require_right(done)


@command(app, "reports", examples=["milvuslab drill reports"])
def reports(door: Door) -> None:
    """Show the drills that were run in this workspace."""
    from milvuslab.ops.drill import list_reports, read_report

    folders = list_reports(door.workspace)
    found = [(folder, read_report(door.workspace, folder.name)) for folder in folders]
    rows = [[folder.name, "passed" if one["is_passed"] else "not passed", str(folder)] for folder, one in found]
    values = [{"name": folder.name, "is_passed": one["is_passed"], "folder": str(folder)} for folder, one in found]
    door.show({"reports": values}, table(["report", "verdict", "folder"], rows, empty="no drill was run yet"))


@command(app, "heal", examples=["milvuslab drill heal standalone"])
def heal(door: Door, *, server: Annotated[str, typer.Argument(metavar="SERVER", help="A server of ours.")]) -> None:
    """Mend what a drill that was killed left broken: frozen processes, limits, a full disk, missing processes."""
    from milvuslab.ops.drill import heal as mend

    with door.watch() as observer:
        mend(door.workspace, server, observer=observer)
    door.show({"server": server}, [f"{server} answers"])


def _lines(verdict: Verdict) -> Iterator[str]:
    from milvuslab.ops.drill import OPERATIONS

    control = f" ({verdict.control} control)" if verdict.control else ""
    yield f"{verdict.drill}{control}: {'passed' if verdict.is_passed else 'NOT PASSED'}; {verdict.title}"
    rows = [
        [
            operation,
            f"{verdict.availability_ratio(operation):.2%}",
            str(verdict.wrong_count(operation)),
            f"{verdict.gap_s_max(operation):.1f} s",
            _seconds(verdict.recovery_s_p95(operation)),
        ]
        for operation in OPERATIONS
    ]
    yield from table(["operation", "succeeded", "wrong", "longest gap", "back after"], rows)
    for one in verdict.rounds:
        yield f"at {one.evidence.struck_at_s:.1f} s: {'; '.join(one.evidence.notes)}; healed in {one.heal_s:.1f} s"
    yield f"data: {_data(verdict)}; {verdict.data.acknowledged_count:,} writes acknowledged"
    yield from (f"finding: {finding}" for finding in verdict.findings)
    yield from (f"advice: {sentence}" for sentence in verdict.advice)


def _row(verdict: Verdict) -> list[str]:
    name = f"{verdict.drill} ({verdict.control})" if verdict.control else verdict.drill
    word = "passed" if verdict.is_passed else "not passed"
    said = word if not verdict.control else f"{word}, {'as it must' if verdict.is_right else 'WRONG'}"
    writes_s = max(verdict.gap_s_max(operation) for operation in ("insert", "upsert", "delete"))
    return [name, said, f"{verdict.gap_s_max('search'):.1f} s", f"{writes_s:.1f} s", _data(verdict)]


def _data(verdict: Verdict) -> str:
    found = [f"{count} {kind}" for kind, count in verdict.data.counts.items() if count]
    return ", ".join(found) or "nothing lost, stale, resurrected, duplicated or phantom"


def _seconds(value: float | None) -> str:
    return "not back" if value is None else f"{value:.1f} s"


def _folder(door: Door, verdict: Verdict) -> str:
    from milvuslab.ops.drill import list_reports

    del verdict
    return str(list_reports(door.workspace)[-1])


def _require_right(verdicts: list[Verdict]) -> None:
    wrong = [one for one in verdicts if not one.is_right]
    if wrong:
        raise CheckFailedError(
            f"{len(wrong)} of {len(verdicts)} verdicts are not what they should be",
            findings=[f"{one.drill}: {finding}" for one in wrong for finding in one.findings or ("a defect passed",)],
            hint="open the report; `milvuslab drill reports` lists them",
        )
