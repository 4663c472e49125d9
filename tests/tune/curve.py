"""Recorded curves as a measurer: recall per query and latency per step, as `tools/record_curves.py` saw them."""

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np

from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.tune.measurer import Latency
from milvuslab.tune.space import Candidate

CURVES_DIR = Path(__file__).parent / "curves"
CURVE_NAMES = sorted(path.stem for path in CURVES_DIR.glob("*.npz"))


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """One index as recorded; answers like a measurer, and knows the truth."""

    recalls: np.ndarray
    latency_ms: np.ndarray
    about: dict

    @property
    def candidate(self):
        """The index, with the recorded ladder."""
        build = IndexSpec(
            field_name="vector",
            index_type=self.about["index_type"],
            metric=Metric(self.about["metric"]),
            params=self.about["build"],
        )
        ladder = tuple({**self.about["fixed"], self.about["knob"]: rung} for rung in self.about["rungs"])
        return Candidate(build=build, ladder=ladder)

    @property
    def true_recalls(self):
        """(rungs,) mean over all queries."""
        return self.recalls.mean(axis=0)

    @property
    def median_ms(self):
        """(rungs,) median of the recorded single searches."""
        return np.median(self.latency_ms, axis=1)

    def rung_of(self, params):
        """Place of those search parameters on the ladder."""
        return self.about["rungs"].index(params[self.about["knob"]])

    def measure_recall(self, build, params, query_rows):
        """The recorded recall of those queries."""
        return self.recalls[query_rows, self.rung_of(params)]

    def measure_latency(self, build, params):
        """Percentiles of the recorded searches."""
        p50_ms, p95_ms, p99_ms = np.percentile(self.latency_ms[self.rung_of(params)], [50, 95, 99])
        return Latency(p50_ms=float(p50_ms), p95_ms=float(p95_ms), p99_ms=float(p99_ms))

    def measure_memory_bytes(self, build):
        """Not recorded."""


@functools.cache
def read_curve(name):
    """The curve of that name, read once."""
    with np.load(CURVES_DIR / f"{name}.npz") as file:
        about = json.loads(str(file["about"]))
        return Curve(file["matched_counts"] / about["k"], file["latency_ms"], about)
