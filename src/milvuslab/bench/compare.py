"""Two runs side by side, and the gate for CI: worse by more than the noise and the tolerance is a regression.

Intervals decide, not single numbers: a metric is worse when the whole interval of its ratio lies beyond the tolerance,
and perhaps worse when only a part does. Recall does not wander between repeats of one index, so it has a plain bound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from milvuslab.bench.case import HIGHEST_RATE
from milvuslab.bench.intervals import GATED, Gated, RatioInterval, compare_series, series_of
from milvuslab.bench.run_folder import RunFolder
from milvuslab.bench.summary import compute_summary
from milvuslab.model.errors import CheckFailedError, ConflictError, UsageError

__all__ = ["Change", "Comparison", "check_comparison", "compare_repeats", "compare_runs"]

_Judgement = Literal["worse", "perhaps worse", "same", "better"]
_RECALL_NAMES = ("recall", "recall_by_distance")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of one setting in both runs.

    Attributes:
        setting: its label.
        name: of the metric.
        a: median of the first run.
        b: median of the second.
        ratio: b / a.
        low: lower end of the interval of the ratio; of recall the ratio itself.
        high: upper end.
        judgement: by the interval and the tolerance.
    """

    setting: str
    name: str
    a: float
    b: float
    ratio: float
    low: float
    high: float
    judgement: _Judgement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        changes: every metric of every setting that both have.
        only_a: labels that only the first has.
        only_b: labels that only the second has.
        notes: what else differs: server version, machine, commit.
        tolerance_ratio: what counts as no difference.
    """

    changes: tuple[Change, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    notes: tuple[str, ...]
    tolerance_ratio: float

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What is worse for sure."""
        return tuple(change for change in self.changes if change.judgement == "worse")

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def compare_runs(
    a: RunFolder,
    b: RunFolder,
    *,
    tolerance_ratio: float = 0.1,
    recall_tolerance: float = 0.005,
    is_other_machine_fine: bool = False,
) -> Comparison:
    """B beside A.

    Args:
        a: the run to compare with.
        b: the run in question.
        tolerance_ratio: 0.1 lets a latency rise by 10 %.
        recall_tolerance: how much recall may fall.
        is_other_machine_fine: whether numbers of two machines may stand side by side.

    Raises:
        CheckFailedError: a run is refused: its numbers mean nothing.
        ConflictError: the runs cannot be compared: other data, metric, k or machine.
        UsageError: one is not finished, or they have no setting in common.
    """
    for run in (a, b):
        if not run.is_finished:
            raise UsageError(f"the run in {run.path} is not finished", hint="run its case again, which goes on")
    _check_alike(a, b, is_other_machine_fine=is_other_machine_fine)
    summaries = [_valid_summary(run) for run in (a, b)]
    left, right = ({one["label"]: one for one in summary["settings"]} for summary in summaries)
    labels = [label for label in left if label in right]
    if not labels:
        raise UsageError(
            "the runs have no setting in common",
            hint=f"{a.case.name} has {'; '.join(left)}; {b.case.name} has {'; '.join(right)}",
        )
    changes = []
    for label in labels:
        changes += _compare_setting(label, _records(a, label), _records(b, label), tolerance_ratio=tolerance_ratio)
        changes += _compare_recall(label, left[label]["median"], right[label]["median"], tolerance=recall_tolerance)
    return Comparison(
        changes=tuple(changes),
        only_a=tuple(label for label in left if label not in right),
        only_b=tuple(label for label in right if label not in left),
        notes=tuple(_notes(a, b)),
        tolerance_ratio=tolerance_ratio,
    )


def compare_repeats(run: RunFolder, *, tolerance_ratio: float = 0.1) -> Comparison:
    """The A/A check: even repeats beside odd ones. They are the same thing, so any difference is noise.

    Raises:
        UsageError: the run has fewer than four repeats.
    """
    if run.case.run.repeats < 4:
        raise UsageError(
            f"{run.path} has {run.case.run.repeats} repeats, the A/A check takes at least 4",
            hint="set run.repeats = 6 in the case and run it again",
        )
    changes: list[Change] = []
    for label in dict.fromkeys(phase.setting.label for phase in run.search_phases()):
        records = _records(run, label)
        changes += _compare_setting(label, records[::2], records[1::2], tolerance_ratio=tolerance_ratio)
    # Either half may come out slower: both directions are a difference that is not there.
    turned = [dataclasses.replace(one, judgement="worse") if one.judgement == "better" else one for one in changes]
    return Comparison(changes=tuple(turned), only_a=(), only_b=(), notes=(), tolerance_ratio=tolerance_ratio)


def check_comparison(comparison: Comparison, *, what: str = "regression") -> None:
    """Returns when nothing is worse for sure.

    Raises:
        CheckFailedError: something is; one finding for each.
    """
    worse = comparison.regressions
    if worse:
        findings = [_sentence(one) for one in worse]
        raise CheckFailedError(
            f"{what}: {findings[0]}" + (f", and {len(findings) - 1} more" if len(findings) > 1 else ""),
            findings=findings,
            hint="measure both again when the machine is quiet; a real one shows again",
        )


def _sentence(change: Change) -> str:
    return (
        f"{change.name} of {change.setting} went from {change.a:.4g} to {change.b:.4g} "
        f"({change.ratio - 1:+.1%}, between {change.low - 1:+.1%} and {change.high - 1:+.1%})"
    )


def _check_alike(a: RunFolder, b: RunFolder, *, is_other_machine_fine: bool) -> None:
    left, right = a.read_json("manifest"), b.read_json("manifest")
    for what, one, other in (
        ("data set", left["dataset"]["checksum"], right["dataset"]["checksum"]),
        ("metric", a.case.collection.metric, b.case.collection.metric),
        ("k", a.case.search.k, b.case.search.k),
        ("consistency", a.case.collection.consistency, b.case.collection.consistency),
    ):
        if one != other:
            raise ConflictError(f"the runs measure another {what}: {one} and {other}", hint="compare runs of one case")
    machines = [f"{one['cpu_model']}, {one['cpu_count']} cores" for one in (left, right)]
    if machines[0] != machines[1] and not is_other_machine_fine:
        raise ConflictError(
            f"the runs are of two machines: {machines[0]} and {machines[1]}",
            hint="measure both on one, or say that it does not matter: --across-machines",
        )


def _valid_summary(run: RunFolder) -> dict[str, Any]:
    summary = compute_summary(run)
    if summary["verdict"] == "refused":
        causes = [f"{one['cause']}: {one['text']}" for one in summary["findings"] if one["level"] == "refused"]
        raise CheckFailedError(
            f"the run in {run.path} is refused: {causes[0]}", findings=causes, hint="measure it again"
        )
    return summary


def _records(run: RunFolder, label: str) -> list[Any]:
    return [run.read_record(phase.name) for phase in run.search_phases() if phase.setting.label == label]


def _compare_setting(label: str, a: Sequence[Any], b: Sequence[Any], *, tolerance_ratio: float) -> list[Change]:
    left, right = [series_of(record) for record in a], [series_of(record) for record in b]
    found = []
    for gated in GATED:
        interval = compare_series(left, right, name=gated.name, is_rate_found=HIGHEST_RATE in label)
        if interval is not None:
            judgement = _judge(interval, gated, tolerance_ratio)
            found.append(Change(setting=label, name=gated.name, judgement=judgement, **dataclasses.asdict(interval)))
    return found


def _judge(interval: RatioInterval, gated: Gated, tolerance_ratio: float) -> _Judgement:
    """By where the interval lies beside the tolerance, turned so that larger is worse."""
    low, high = interval.low, interval.high
    if gated.larger_is_better:
        low, high = 1 / max(high, 1e-12), 1 / max(low, 1e-12)
    bound = 1 + tolerance_ratio
    if low > bound:
        return "worse"
    if high < 1 / bound:
        return "better"
    return "perhaps worse" if high > bound and low > 1 else "same"


def _compare_recall(
    label: str, a: Mapping[str, float | None], b: Mapping[str, float | None], *, tolerance: float
) -> list[Change]:
    found = []
    for name in _RECALL_NAMES:
        one, other = a[name], b[name]
        if one is None or other is None or one <= 0:
            continue
        judgement: _Judgement = "worse" if other < one - tolerance else "better" if other > one + tolerance else "same"
        ratio = other / one
        found.append(
            Change(setting=label, name=name, a=one, b=other, ratio=ratio, low=ratio, high=ratio, judgement=judgement)
        )
    return found


def _notes(a: RunFolder, b: RunFolder) -> list[str]:
    left, right = a.read_json("manifest"), b.read_json("manifest")
    pairs = {
        "server": (left["server"]["version"], right["server"]["version"]),
        "index": (_index(left), _index(right)),
        "milvuslab": (left["milvuslab_version"], right["milvuslab_version"]),
        "commit": (left["commit"], right["commit"]),
        "machine": (left["cpu_model"], right["cpu_model"]),
    }
    return [f"{name}: {one} and {other}" for name, (one, other) in pairs.items() if one != other]


def _index(manifest: Mapping[str, Any]) -> str:
    index = manifest["index"]
    params = ", ".join(f"{name}={value}" for name, value in sorted(index["params"].items()))
    return f"{index['type']} {params}".rstrip()
