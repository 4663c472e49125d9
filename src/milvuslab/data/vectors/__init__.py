"""Sets of vectors to store and to search: synthetic ones, and files; knows no server."""

from __future__ import annotations

from milvuslab.data.vectors.clustered import make_binary, make_clustered
from milvuslab.data.vectors.opening import VECTOR_FORMATS, open_vectors
from milvuslab.data.vectors.streams import BUCKET_COUNT
from milvuslab.data.vectors.vector_set import RowSource, VectorSet

__all__ = [
    "BUCKET_COUNT",
    "VECTOR_FORMATS",
    "RowSource",
    "VectorSet",
    "make_binary",
    "make_clustered",
    "open_vectors",
]
