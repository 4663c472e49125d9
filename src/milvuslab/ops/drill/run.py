"""One drill from beginning to end: fill, call, break, heal, compare, judge; every step leaves the server whole.

Everything of a run lies in its folder: `ledger.jsonl`, `probes.csv`, `verdict.json`, `report.html`.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.journal.checker import CheckReport, check_rows
from milvuslab.journal.ledger import Ledger, read_ledger
from milvuslab.machine import write_text
from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import MilvusLabError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.ops.drill.advice import advise
from milvuslab.ops.drill.drills import RANDOM_ROLE, Drill
from milvuslab.ops.drill.faults import Evidence, break_stage
from milvuslab.ops.drill.proxy import TcpProxy
from milvuslab.ops.drill.report import render_verdict
from milvuslab.ops.drill.stage import Stage
from milvuslab.ops.drill.timeline import OPERATIONS, OperationReport, Probe, measure_operation
from milvuslab.ops.drill.verdict import Control, Round, Verdict, judge
from milvuslab.ops.drill.workload import COLLECTION, Workload, fill_collection, make_rows, read_digests, start_clock
from milvuslab.runtime.cluster import role_of

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["run_drill"]

_BEFORE_S = 4.0
_BACK_TIMEOUT_S = 120.0
_PATIENT_TIMEOUT_S = 30.0


def run_drill(
    stage: Stage,
    drill: Drill,
    *,
    folder: Path,
    control: Control = "",
    round_count: int = 1,
    rate_per_s: float = 10.0,
    timeout_s: float = 1.0,
    observer: Observer = silent,
    observe: Callable[[Probe], None] = lambda _: None,
) -> Verdict:
    """The verdict; the server is healed and the collection dropped when this returns or fails.

    Args:
        stage: a server that runs.
        drill: what to do.
        folder: takes the ledger, the probes, the verdict and its page; made here.
        control: `no-fault` breaks nothing, `defect` breaks nothing but damages the data behind the ledger's back.
        round_count: how often it is broken and healed, under one ledger.
        rate_per_s: calls of each operation.
        timeout_s: deadline of a call.
        observer: is told the steps.
        observe: is given each probe.

    Raises:
        UnsupportedError: this machine cannot do that; nothing was broken.
        StartError: the server could not be healed.
    """
    folder.mkdir(parents=True, exist_ok=False)
    started_at = datetime.now(timezone.utc)
    now_s = start_clock()
    say = _sayer(observer, drill.name)
    with contextlib.ExitStack() as stack:
        if drill.has_proxy:
            stage = dataclasses.replace(stage, proxy=stack.enter_context(TcpProxy(stage.profile.ports["proxy"])))
        patient = stack.enter_context(stage.connect(call_timeout_s=_PATIENT_TIMEOUT_S, is_patient=True))
        stack.callback(_drop, patient)
        stack.callback(stage.heal)
        say("fill")
        ledger_path = folder / "ledger.jsonl"
        with Ledger(ledger_path) as ledger:
            keys = fill_collection(patient, COLLECTION, ledger=ledger, replica_count=drill.replica_count)
            with Workload(
                lambda: stage.connect(call_timeout_s=timeout_s), name=COLLECTION, ledger=ledger, free_keys=keys,
                rate_per_s=rate_per_s, timeout_s=timeout_s, now_s=now_s, observe=observe,
            ) as workload:  # fmt: skip
                rounds = [
                    _run_round(stage, drill, workload, number=number, control=control, now_s=now_s, say=say)
                    for number in range(1, round_count + 1)
                ]
        if control == "defect":
            _seed_defect(patient, ledger_path)
        say("compare the server with the ledger")
        data = _check(patient, ledger_path)
    findings = judge(rounds, data, limits=drill.limits, control=control)
    verdict = Verdict(
        drill=drill.name,
        title=drill.title,
        server=stage.profile.name,
        server_version=stage.profile.version,
        control=control,
        started_at=started_at.isoformat(timespec="seconds"),
        duration_s=now_s(),
        rate_per_s=rate_per_s,
        timeout_s=timeout_s,
        rounds=tuple(rounds),
        data=data,
        findings=findings,
        advice=advise(rounds, drill=drill),
    )
    _keep(folder, verdict, workload.probes)
    return verdict


def _run_round(
    stage: Stage,
    drill: Drill,
    workload: Workload,
    *,
    number: int,
    control: Control,
    now_s: Callable[[], float],
    say: Callable[[str], None],
) -> Round:
    begin_s = now_s()
    _pass_time(_BEFORE_S, say=say, step=f"round {number}: before")
    fault = "none" if control else drill.fault
    target = "" if control else _choose_target(stage, drill, number=number)
    with break_stage(stage, fault, target=target, now_s=now_s) as evidence:
        _pass_time(drill.hold_s, say=say, step=f"round {number}: broken")
    say(f"round {number}: heal")
    heal_s, is_healed = _heal(stage, now_s=now_s)
    struck_s = evidence.struck_at_s

    def reports() -> dict[str, OperationReport]:
        own = [probe for probe in workload.probes if probe.due_s >= begin_s]
        return {
            name: measure_operation(own, name, begin_s=begin_s, end_s=now_s(), fault_s=struck_s) for name in OPERATIONS
        }

    say(f"round {number}: wait until every operation is back")
    poll_until(
        lambda: now_s() - begin_s >= drill.span_s and _is_back(reports().values(), evidence, now_s()),
        timeout_s=max(_BACK_TIMEOUT_S, drill.span_s), interval_s=0.25,
    )  # fmt: skip
    end_s = now_s()
    return Round(
        begin_s=begin_s, end_s=end_s, evidence=evidence, is_healed=is_healed, heal_s=heal_s, operations=reports()
    )


def _choose_target(stage: Stage, drill: Drill, *, number: int) -> str:
    """The drill's target; of a drill on chance the same one in the same round every time."""
    if drill.target != RANDOM_ROLE:
        return drill.target
    dice = random.Random(number)  # noqa: S311  (a drill, nothing secret)
    role = dice.choice(sorted({role_of(one).name for one in stage.instances}))
    members = [one for one in stage.instances if role_of(one).name == role]
    return role if role_of(members[0]).is_coordinator else dice.choice(members)


def _is_back(reports: Iterable[OperationReport], evidence: Evidence, now_s: float) -> bool:
    assert evidence.ended_at_s is not None, "the block has ended"
    has_settled = now_s - evidence.ended_at_s >= _BEFORE_S
    return has_settled and all(report.recovery_s is not None for report in reports)


def _heal(stage: Stage, *, now_s: Callable[[], float]) -> tuple[float, bool]:
    begin_s = now_s()
    try:
        stage.heal()
    except MilvusLabError:
        return now_s() - begin_s, False
    return now_s() - begin_s, True


def _pass_time(duration_s: float, *, say: Callable[[str], None], step: str) -> None:
    """Lets the workload run on: the time is the measurement itself."""
    if duration_s > 0:
        say(f"{step} for {duration_s:g} s")
        poll_until(lambda: False, timeout_s=duration_s, interval_s=min(duration_s, 0.25))


def _seed_defect(gateway: Gateway, ledger_path: Path) -> None:
    """Loses one acknowledged row and sets another one back, as a server would that forgets."""
    last = {}
    for operation in read_ledger(ledger_path).operations:
        for entry in operation.entries:
            last[int(entry.key)] = (operation.action, operation.outcome, entry.version)
    kept = [
        (key, version) for key, (action, outcome, version) in last.items() if outcome == "ok" and action != "delete"
    ]
    gateway.rows.delete(COLLECTION, ids=[kept[0][0]])
    changed = [(key, version) for key, version in kept if version > 0]
    for key, version in changed[:1]:
        gateway.rows.upsert(COLLECTION, make_rows([key], [version - 1]))


def _check(gateway: Gateway, ledger_path: Path) -> CheckReport:
    return check_rows(read_ledger(ledger_path), read_digests(gateway, COLLECTION))


def _drop(gateway: Gateway) -> None:
    with contextlib.suppress(MilvusLabError):  # the server may be gone, and then it is of no use to say so here
        gateway.collections.drop(COLLECTION)


def _keep(folder: Path, verdict: Verdict, probes: list[Probe]) -> None:
    with (folder / "probes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in dataclasses.fields(Probe)])
        writer.writerows(_as_row(probe) for probe in probes)
    write_text(folder / "report.html", render_verdict(verdict, probes))
    # Last, so that a folder with a verdict is whole.
    write_text(folder / "verdict.json", json.dumps(verdict.as_dict(), indent=1, default=str) + "\n")


def _as_row(probe: Probe) -> Iterator[object]:
    yield from (probe.operation, f"{probe.due_s:.4f}", f"{probe.done_s:.4f}", int(probe.is_ok), probe.error)


def _sayer(observer: Observer, name: str) -> Callable[[str], None]:
    def say(message: str) -> None:
        observer(Progress(step=f"drill {name}", message=message))

    return say
