"""Sizes by formula against the same sum written out, against faiss, and against each other."""

import pytest

from milvuslab.model.index_catalog import INDEX_TYPES, get_index_type

ROWS, DIM = 1_000_000, 128
RAW = 4 * ROWS * DIM


@pytest.mark.parametrize(
    ("name", "params", "size_bytes"),
    [
        ("FLAT", {}, RAW),
        ("IVF_FLAT", {"nlist": 1024}, RAW + 4 * 1024 * DIM),
        ("IVF_SQ8", {"nlist": 1024}, RAW / 4 + 4 * 1024 * DIM),
        ("IVF_PQ", {"nlist": 1024, "m": 16, "nbits": 8}, ROWS * 16 + 8 * ROWS + 4 * 1024 * DIM + 4 * DIM * 256),
        ("HNSW", {"M": 16}, RAW * (1 + 2 * 16 / DIM)),
        ("HNSW_SQ", {"M": 16, "sq_type": "SQ8"}, RAW / 4 + 2 * 16 * 4 * ROWS),
        ("HNSW_SQ", {"M": 16, "sq_type": "SQ6", "refine": True, "refine_type": "FP16"}, RAW * (6 / 32 + 1 / 2) + 128 * ROWS),
        ("HNSW_PRQ", {"M": 16, "m": 16, "nrq": 2, "nbits": 8}, 2 * (16 * ROWS + 4 * DIM * 256) + 128 * ROWS),
        ("SCANN", {"with_raw_data": True}, RAW * 9 / 8),
        ("SCANN", {"with_raw_data": False}, RAW / 8),
        ("DISKANN", {}, RAW / 4),
        ("ANNOY", {"n_trees": 8}, ROWS * 524 + 8 * 2 * ROWS / 130 * 524),
        ("IVF_RABITQ", {"nlist": 1024}, ROWS * (16 + 16) + 4 * 1024 * DIM),
        ("GPU_CAGRA", {}, 1.8 * RAW),
        ("BIN_FLAT", {}, ROWS * 16),
        ("STL_SORT", {}, ROWS * 192),
    ],
)  # fmt: skip
def test_memory_follows_the_formula(name, params, size_bytes):
    found = get_index_type(name).estimate_memory_bytes(row_count=ROWS, dim=DIM, params=params)
    assert found == pytest.approx(size_bytes, abs=1)


def test_only_diskann_has_other_files_than_memory():
    for one in INDEX_TYPES.values():
        params = {"m": 8} if "m" in {p.name for p in one.build} else {}
        memory = one.estimate_memory_bytes(row_count=ROWS, dim=DIM, params=params)
        disk = one.estimate_disk_bytes(row_count=ROWS, dim=DIM, params=params)
        assert memory > 0
        assert (disk == memory) == (one.name != "DISKANN")
    assert get_index_type("DISKANN").estimate_disk_bytes(row_count=ROWS, dim=DIM) == RAW * (1 + 56 / DIM)


def test_defaults_stand_for_what_is_left_out():
    hnsw = get_index_type("HNSW")
    whole = hnsw.estimate_memory_bytes(row_count=10, dim=8, params={"M": 16})
    assert hnsw.estimate_memory_bytes(row_count=10, dim=8) == whole


@pytest.mark.parametrize(
    ("name", "recipe", "params", "tolerance"),
    [
        ("IVF_FLAT", "IVF64,Flat", {"nlist": 64}, 0.05),
        ("IVF_SQ8", "IVF64,SQ8", {"nlist": 64}, 0.12),
        ("IVF_PQ", "IVF64,PQ16x8", {"nlist": 64, "m": 16, "nbits": 8}, 0.02),
        ("HNSW", "HNSW16,Flat", {"M": 16}, 0.05),
        ("HNSW_SQ", "HNSW16,SQ8", {"M": 16, "sq_type": "SQ8"}, 0.08),
    ],
)
def test_the_formula_is_near_what_faiss_writes(name, recipe, params, tolerance):
    faiss = pytest.importorskip("faiss")
    np = pytest.importorskip("numpy")
    vectors = np.random.default_rng(0).normal(size=(6_000, 64)).astype(np.float32)
    index = faiss.index_factory(64, recipe)
    if hasattr(index, "pq"):
        index.pq.cp.niter = 2  # its size does not depend on how well it fits
    index.train(vectors)
    index.add(vectors)
    written = len(faiss.serialize_index(index))
    estimated = get_index_type(name).estimate_memory_bytes(row_count=6_000, dim=64, params=params)
    assert estimated == pytest.approx(written, rel=tolerance)
