"""Bytes of an index by formula. n rows, d dimensions, raw = 4 n d; M is measured, R read, D derived.

Sources: Milvus's own sizing tool (R) for FLAT, IVF_FLAT, IVF_SQ8, HNSW, SCANN and DISKANN; faiss within 0.2 % for
IVF_PQ (M); Milvus docs 2.4, gpu_index.md, for GPU types (R); sizes of codes in faiss and knowhere for HNSW_SQ, HNSW_PQ,
HNSW_PRQ and IVF_RABITQ (D); ANNOY (D, unverified). They are the index alone: no growing segments, no deleted rows, no
copy during a build, no replicas, no server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "CODE_BITS",
    "Shape",
    "SizeFormula",
    "annoy_bytes",
    "binary_bytes",
    "binary_ivf_bytes",
    "cagra_bytes",
    "diskann_disk_bytes",
    "diskann_memory_bytes",
    "hnsw_bytes",
    "hnsw_prq_bytes",
    "hnsw_sq_bytes",
    "inverted_bytes",
    "ivf_flat_bytes",
    "ivf_pq_bytes",
    "ivf_rabitq_bytes",
    "ivf_sq8_bytes",
    "minhash_bytes",
    "raw_bytes",
    "scalar_bytes",
    "scann_bytes",
    "sparse_bytes",
]

_DISKANN_DEGREE = 56
"""`MaxDegree` of milvus.yaml from 2.2 to 2.6 (`common.DiskIndex.MaxDegree`)."""

CODE_BITS = {"SQ4U": 4, "SQ6": 6, "SQ8": 8, "BF16": 16, "FP16": 16, "FP32": 32, "FLAT": 32}
"""Bits of one dimension by quantizer."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is indexed, and how: rows, dimensions (bits of a binary vector), build parameters with defaults filled in."""

    row_count: int
    dim: int
    params: Mapping[str, Any]

    def number(self, name: str) -> float:
        """A build parameter as a number, 0 where there is none."""
        return float(self.params.get(name) or 0)

    @property
    def raw(self) -> float:
        """Bytes of the vectors as float32."""
        return 4.0 * self.row_count * self.dim

    @property
    def centroids(self) -> float:
        """Bytes of the `nlist` centres of clusters."""
        return 4 * self.number("nlist") * self.dim


SizeFormula = Callable[[Shape], float]


def raw_bytes(shape: Shape) -> float:
    """FLAT: the vectors."""
    return shape.raw


def ivf_flat_bytes(shape: Shape) -> float:
    """IVF_FLAT: the vectors and the centres."""
    return shape.raw + shape.centroids


def ivf_sq8_bytes(shape: Shape) -> float:
    """IVF_SQ8: one byte a dimension, and the centres."""
    return shape.raw / 4 + shape.centroids


def ivf_pq_bytes(shape: Shape) -> float:
    """IVF_PQ: codes, 8 bytes of id a row, centres, codebooks."""
    return _pq_codes(shape) + 8 * shape.row_count + shape.centroids + _codebooks(shape)


def ivf_rabitq_bytes(shape: Shape) -> float:
    """IVF_RABITQ: one bit a dimension, two floats and an id a row, centres, and the refined copy if one is kept."""
    codes = shape.row_count * (-(-shape.dim // 8) + 16)
    return codes + shape.centroids + _refined(shape)


def hnsw_bytes(shape: Shape) -> float:
    """HNSW: the vectors and 2 M links a row."""
    return shape.raw + _links(shape)


def hnsw_sq_bytes(shape: Shape) -> float:
    """HNSW_SQ: quantized vectors, links, and the refined copy if one is kept."""
    return shape.raw * CODE_BITS[shape.params["sq_type"]] / 32 + _links(shape) + _refined(shape)


def hnsw_prq_bytes(shape: Shape) -> float:
    """HNSW_PQ, and HNSW_PRQ with `nrq` codes a row: codes, codebooks, links, and the refined copy if one is kept."""
    rounds = shape.number("nrq") or 1
    return rounds * (_pq_codes(shape) + _codebooks(shape)) + _links(shape) + _refined(shape)


def scann_bytes(shape: Shape) -> float:
    """SCANN: half a byte for each two dimensions, and the vectors unless `with_raw_data` is off."""
    return shape.raw * (1.125 if shape.params["with_raw_data"] else 0.125)


def annoy_bytes(shape: Shape) -> float:
    """ANNOY: a node of 4 d + 12 bytes a row, and 2 n / (d + 2) inner nodes a tree."""
    node_bytes = 4 * shape.dim + 12
    return shape.row_count * node_bytes + shape.number("n_trees") * 2 * shape.row_count / (shape.dim + 2) * node_bytes


def diskann_memory_bytes(shape: Shape) -> float:
    """DISKANN in memory: a quarter of the vectors."""
    return shape.raw / 4


def diskann_disk_bytes(shape: Shape) -> float:
    """DISKANN on disk: vectors and graph."""
    return shape.raw * (1 + _DISKANN_DEGREE / shape.dim)


def binary_bytes(shape: Shape) -> float:
    """BIN_FLAT: d / 8 bytes a row."""
    return shape.row_count * shape.dim / 8


def binary_ivf_bytes(shape: Shape) -> float:
    """BIN_IVF_FLAT: the bits and 8 bytes of id a row, and the centres."""
    return shape.row_count * (shape.dim / 8 + 8) + shape.number("nlist") * shape.dim / 8


def sparse_bytes(shape: Shape) -> float:
    """Sparse types: 8 bytes a weight, once in the row and once in its list; `dim` is the mean count of weights."""
    return 16.0 * shape.row_count * shape.dim


def minhash_bytes(shape: Shape) -> float:
    """MINHASH_LSH: a hash and an id for each band of a row, and the signatures with `with_raw_data`."""
    kept = shape.dim / 8 if shape.params["with_raw_data"] else 0
    return shape.row_count * (16 * (shape.number("mh_lsh_band") or 1) + kept)


def cagra_bytes(shape: Shape) -> float:
    """GPU_CAGRA: 1.8 times the vectors."""
    return 1.8 * shape.raw


def scalar_bytes(shape: Shape) -> float:
    """Sorted scalars: the value and its row; `dim` is the mean size of a value in bytes."""
    return shape.row_count * (12 if shape.dim <= 4 else 24 if shape.dim <= 8 else max(128, 1.5 * shape.dim))


def inverted_bytes(shape: Shape) -> float:
    """Lists of rows by value: the value and 4 bytes a row; `dim` is the mean size of a value in bytes."""
    return shape.row_count * (shape.dim + 4)


def _links(shape: Shape) -> float:
    return 8 * shape.number("M") * shape.row_count


def _pq_codes(shape: Shape) -> float:
    return shape.row_count * shape.number("m") * shape.number("nbits") / 8


def _codebooks(shape: Shape) -> float:
    return 4.0 * shape.dim * 2 ** shape.number("nbits")


def _refined(shape: Shape) -> float:
    if not shape.params.get("refine"):
        return 0.0
    return shape.raw * CODE_BITS[shape.params.get("refine_type") or "FP32"] / 32
