"""The benchmark of exact search at its smallest size, and its arithmetic on times that are known."""

import pytest

from benchmarks import ground_truth

pytest.importorskip("faiss")


def test_the_smoke_size_runs():
    raw = ground_truth.measure(ground_truth.SMOKE)
    assert {len(seconds) for seconds in raw["seconds"].values()} == {ground_truth.SMOKE.round_count}
    assert all(each > 0 for seconds in raw["seconds"].values() for each in seconds)
    assert raw["agreement_with_faiss"] > 0.99 and min(raw["rows_per_s"]) > 0


def test_known_times_give_known_numbers():
    raw = {"seconds": {"L2": [0.3, 0.1, 0.2]}, "rows_per_s": [1.0, 3.0, 2.0], "agreement_with_faiss": 0.5}
    assert ground_truth.summarise(raw) == {
        "L2": {"s_median": 0.2, "s_range": [0.1, 0.3]},
        "generation": {"rows_per_core_s_median": 2},
        "agreement_with_faiss_ratio": 0.5,
    }
