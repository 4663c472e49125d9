"""`milvuslab bench run`, `report`, `compare`, `list` and `cases`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import table

if TYPE_CHECKING:
    from milvuslab.bench.run_folder import RunFolder

__all__ = ["register"]

_Case = Annotated[str, typer.Argument(metavar="CASE", help="A TOML file, or a name that `bench cases` prints.")]
_Run = Annotated[str, typer.Argument(metavar="FOLDER", help="Folder of a run.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to their noun."""
    command(
        app,
        "run",
        examples=[
            "milvuslab bench run hnsw-ladder --smoke",
            "milvuslab bench run my-case.toml --server standalone",
            "milvuslab bench run my-case.toml --folder runs/today --keep --json",
        ],
    )(_run)
    command(app, "report", examples=["milvuslab bench report runs/today", "milvuslab bench report runs/today --json"])(
        _report
    )
    command(
        app,
        "compare",
        examples=["milvuslab bench compare runs/before runs/after", "milvuslab bench compare runs/today --tolerance 5"],
    )(_compare)
    command(app, "list", examples=["milvuslab bench list"])(_list)
    command(app, "cases", examples=["milvuslab bench cases"])(_cases)


def _run(
    door: Door,
    *,
    case: _Case,
    is_smoke: Annotated[
        bool, typer.Option("--smoke", help="The case's small size: seconds instead of minutes.")
    ] = False,
    folder: Annotated[
        str,
        typer.Option("--folder", help="Where records go; default: a new one below the home folder.", metavar="FOLDER"),
    ] = "",
    is_kept: Annotated[bool, typer.Option("--keep", help="Leave the collection, for runs that only search.")] = False,
) -> None:
    """Measure a case. Stopped or failed, the same command goes on where it was. Exit code 1: the run proves nothing."""
    from milvuslab.bench.case_file import find_case, read_case
    from milvuslab.bench.summary import check_verdict
    from milvuslab.ops.measuring import run_on_server

    asked = read_case(find_case(case), is_smoke=is_smoke)
    with door.watch() as observer:
        run = run_on_server(
            door.workspace, asked, folder=Path(folder) if folder else None, is_kept=is_kept, observer=observer
        )
    summary = _show_run(door, run, is_page=True)
    check_verdict(summary)


def _report(
    door: Door,
    *,
    folder: _Run,
) -> None:
    """Work the metrics out anew from the raw records, print them, and write the page."""
    from milvuslab.bench.run_folder import open_run

    _show_run(door, open_run(Path(folder)), is_page=True)


def _compare(
    door: Door,
    *,
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of the run to compare with.")],
    second: Annotated[
        str, typer.Argument(metavar="[B]", help="Folder of the run in question; none: A's repeats with one another.")
    ] = "",
    tolerance_percent: Annotated[
        float, typer.Option("--tolerance", help="What may get worse, in percent.", min=0.0, max=1_000.0)
    ] = 10.0,
    recall_tolerance: Annotated[
        float, typer.Option("--recall-tolerance", help="How much recall may fall.", min=0.0, max=1.0)
    ] = 0.005,
    is_other_machine_fine: Annotated[
        bool, typer.Option("--across-machines", help="Compare runs of two machines.")
    ] = False,
) -> None:
    """Compare two runs, for CI: exit code 1 when something got worse for sure."""
    from milvuslab.bench.compare import check_comparison, compare_repeats, compare_runs
    from milvuslab.bench.run_folder import open_run
    from milvuslab.cli.bench.run_view import comparison_lines

    ratio = tolerance_percent / 100
    if second:
        found = compare_runs(
            open_run(Path(first)), open_run(Path(second)), tolerance_ratio=ratio, recall_tolerance=recall_tolerance,
            is_other_machine_fine=is_other_machine_fine,
        )  # fmt: skip
    else:
        found = compare_repeats(open_run(Path(first)), tolerance_ratio=ratio)
    door.show(found.as_dict(), comparison_lines(found))
    check_comparison(found, what="regression" if second else "A/A difference")


def _list(door: Door) -> None:
    """List the runs below the home folder."""
    from milvuslab.bench.run_folder import list_runs
    from milvuslab.ops.measuring import runs_dir

    runs = list_runs(runs_dir(door.workspace))
    rows = [_run_row(run) for run in runs]
    door.show(
        {"runs": rows},
        table(["case", "state", "verdict", "folder"], [list(row.values()) for row in rows], empty="no run yet"),
    )


def _cases(door: Door) -> None:
    """List the cases that come with the package."""
    from milvuslab.bench.case_file import list_cases, read_case

    cases = {name: read_case(path) for name, path in list_cases().items()}
    door.show(
        {
            "cases": [
                {"name": name, "title": case.title, "settings": len(case.settings())} for name, case in cases.items()
            ]
        },
        table(["case", "what it measures"], [[name, case.title] for name, case in cases.items()]),
    )


def _show_run(door: Door, run: RunFolder, *, is_page: bool) -> dict[str, Any]:
    from milvuslab.bench.report import write_report
    from milvuslab.bench.summary import summarise
    from milvuslab.cli.bench.run_view import run_lines
    from milvuslab.model.errors import UnsupportedError

    summary = summarise(run)
    page = ""
    if is_page:
        try:
            page = str(write_report(run))
        except UnsupportedError as error:
            page = f"none: {error.hint}"
    value = {"folder": str(run.path), "page": page, "manifest": run.read_json("manifest"), **summary}
    door.show(value, run_lines(run, summary, page=page))
    return summary


def _run_row(run: RunFolder) -> dict[str, str]:
    kept = run.read_json("metrics")
    state = "finished" if run.is_finished else "unfinished"
    return {"case": run.case.name, "state": state, "verdict": kept.get("verdict", ""), "folder": str(run.path)}
