"""What failures cost, as kept results: `python -m benchmarks.drills --name drill-kill-20 --drill kill --times 20`.

Without `--drill` the whole suite runs, after both controls, and is kept as `drill-suite`. Servers are made for it in a home of their own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.model.progress import Progress
from milvuslab.ops.drill import DRILLS, Verdict, run_named, run_suite
from milvuslab.ops.workspace import Workspace, open_workspace


def main(arguments: list[str] | None = None) -> int:
    """Runs what is asked for, keeps it, and says whether every verdict is what it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="drill-suite", help="of the kept result")
    parser.add_argument("--drill", default="", choices=["", *DRILLS], help="one drill instead of the suite")
    parser.add_argument("--times", type=int, default=1, help="rounds of that drill")
    parser.add_argument("--home", type=Path, help="folder for the servers; default: a new one, removed afterwards")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="drills-") as folder:
        workspace = open_workspace(
            flags={"home_dir": str(given.home or folder)}, environment=os.environ, folder=Path(folder)
        )
        session_ttl_s = workspace.settings.session_ttl_s
        verdicts, refused = _run(workspace, given.drill, round_count=given.times)
    for verdict in verdicts:
        print(_line(verdict))
    for name, why in refused.items():
        print(f"{name}: not possible here: {why}")
    path = write_result(
        given.name,
        manifest=collect_manifest(
            extra={"server": {"version": verdicts[0].server_version, "session_ttl_s": session_ttl_s}}
        ),
        case={"drill": given.drill or "suite", "rounds": given.times},
        raw=[verdict.as_dict() for verdict in verdicts],
        metrics=_metrics(verdicts, refused),
    )
    print(f"result: {path}")
    return 0 if all(verdict.is_right for verdict in verdicts) else 1


def _run(workspace: Workspace, drill: str, *, round_count: int) -> tuple[list[Verdict], dict[str, str]]:
    if drill:
        return [run_named(workspace, drill, round_count=round_count, observer=_say)], {}
    verdicts: list[Verdict] = []
    refused: dict[str, str] = {}
    for found in run_suite(workspace, observer=_say):
        if isinstance(found, Verdict):
            verdicts.append(found)
        else:
            refused[found[0]] = found[1].message
    return verdicts, refused


def _metrics(verdicts: list[Verdict], refused: dict[str, str]) -> dict[str, Any]:
    return {
        "verdict_count": len(verdicts),
        "right_count": sum(verdict.is_right for verdict in verdicts),
        "healed_count": sum(one.is_healed for verdict in verdicts for one in verdict.rounds),
        "round_count": sum(len(verdict.rounds) for verdict in verdicts),
        "not_possible": refused,
        "findings": {_key(verdict): list(verdict.findings) for verdict in verdicts},
        "data": {_key(verdict): verdict.data.counts for verdict in verdicts},
        "operations": {_key(verdict): verdict.as_dict()["operations"] for verdict in verdicts},
    }


def _key(verdict: Verdict) -> str:
    return f"{verdict.drill} ({verdict.control})" if verdict.control else verdict.drill


def _line(verdict: Verdict) -> str:
    searches = (
        f"{verdict.availability_ratio('search'):.2%} of searches, longest gap {verdict.gap_s_max('search'):.1f} s"
    )
    back = verdict.recovery_s_p95("search")
    return f"{_key(verdict)}: {'right' if verdict.is_right else 'WRONG'}; {searches}, back {back if back is None else round(back, 1)} s; {'; '.join(verdict.findings)}"


def _say(progress: Progress) -> None:
    if progress.step.startswith("drill"):
        print(f"{progress.step}: {progress.message}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
