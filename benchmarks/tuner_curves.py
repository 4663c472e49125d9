"""How often the tuner misses a recall target, how much slower than the best step it chooses, and what it asks.

On curves recorded from real indexes (`tools/record_curves.py`), 200 trials for each curve and target; beside it what a
bisection does that believes its estimates. `latency_ratio` is the median single search of the chosen step over that of
the fastest step whose recall over all recorded queries reaches the target, a mean over the trials. P99 is not compared:
the recorded one orders steps by what else the machine did.

    python -m benchmarks.tuner_curves
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.model.errors import CheckFailedError
from milvuslab.tune.outcome import Objective
from milvuslab.tune.tuner import SEARCH_LIMIT, tune
from tests.tune.curve import CURVE_NAMES, Curve, read_curve
from tests.tune.test_recorded_curves import TARGETS, bisect_by_estimate

CONFIDENCE = 0.98


def main() -> None:
    """Tries every curve and target and writes one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--name", default="tuner_curves")
    options = parser.parse_args()
    raw: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    for name in CURVE_NAMES:
        curve = read_curve(name)
        for target in TARGETS:
            case = f"{name} {target}"
            trials = [try_once(curve, target=target, seed=seed) for seed in range(options.trials)]
            raw[case] = {name: " ".join(str(trial[name]) for trial in trials) for name in trials[0]}
            metrics[case] = compute_metrics(curve, trials, target=target)
            print(case, metrics[case])
    manifest = collect_manifest(
        packages=["numpy"], extra={"curves": {name: read_curve(name).about for name in CURVE_NAMES}}
    )
    case = {"trials": options.trials, "confidence": CONFIDENCE, "search_limit": SEARCH_LIMIT, "targets": list(TARGETS)}
    print(write_result(options.name, manifest=manifest, case=case, raw=raw, metrics=metrics))


def try_once(curve: Curve, *, target: float, seed: int) -> dict[str, int | None]:
    """The step that the tuner chose, what it asked, and the step that a bisection takes."""
    naive = int(bisect_by_estimate(curve, target=target, seed=seed))
    try:
        result = tune(
            curve, builds=[curve.candidate], recall_target=target, objective=Objective.LATENCY_MS_P50,
            query_count=len(curve.recalls), confidence=CONFIDENCE, seed=seed,
        )  # fmt: skip
    except CheckFailedError:
        return {"rung": None, "search_count": None, "bisection_rung": naive}
    assert result.chosen.params is not None
    return {
        "rung": curve.rung_of(result.chosen.params),
        "search_count": result.search_count,
        "bisection_rung": naive,
    }


def compute_metrics(curve: Curve, trials: list[dict[str, Any]], *, target: float) -> dict[str, Any]:
    """Misses, cost and searches of one curve and target; None where no step reaches the target."""
    reaches = curve.true_recalls >= target
    chosen = [trial["rung"] for trial in trials if trial["rung"] is not None]
    asked = [trial["search_count"] for trial in trials if trial["rung"] is not None]
    best_ms = float(curve.median_ms[reaches].min()) if reaches.any() else None
    return {
        "best_recall": round(float(curve.true_recalls.max()), 4),
        "miss_ratio": float(
            np.mean([not reaches[trial["rung"]] if trial["rung"] is not None else False for trial in trials])
        ),
        "unanswered_ratio": 1 - len(chosen) / len(trials),
        "latency_ratio": round(float(np.mean(curve.median_ms[chosen])) / best_ms, 3) if chosen and best_ms else None,
        "search_count_mean": round(float(np.mean(asked))) if asked else None,
        "search_count_max": max(asked) if asked else None,
        "bisection_miss_ratio": float(np.mean([not reaches[trial["bisection_rung"]] for trial in trials]))
        if best_ms
        else None,
    }


if __name__ == "__main__":
    main()
