"""Index types of binary and sparse vectors, those of GPUs, and those of scalar fields."""

from __future__ import annotations

import dataclasses

from milvuslab.model.index_catalog import sizes
from milvuslab.model.index_catalog.float_types import NLIST, NPROBE
from milvuslab.model.index_catalog.index_type import IndexType
from milvuslab.model.index_catalog.ladders import count_ladder
from milvuslab.model.index_catalog.parameter import Parameter

__all__ = ["BINARY_TYPES", "GPU_TYPES", "SCALAR_TYPES", "SPARSE_TYPES"]

_BIN_FLAT = IndexType(
    name="BIN_FLAT",
    summary="Compares a query with every row: exact.",
    vector_kind="BINARY_VECTOR",
    metrics=("HAMMING", "JACCARD", "SUBSTRUCTURE", "SUPERSTRUCTURE"),
    is_exact=True,
    memory=sizes.binary_bytes,
    source="Milvus docs 2.3, index.md; measured on 2.2.16 and 2.3.5",
)
_BIN_IVF_FLAT = IndexType(
    name="BIN_IVF_FLAT",
    summary="Sorts rows into clusters and searches the nearest of them.",
    vector_kind="BINARY_VECTOR",
    metrics=("HAMMING", "JACCARD"),
    build=(NLIST,),
    search=(NPROBE,),
    memory=sizes.binary_ivf_bytes,
    source="Milvus docs 2.3, index.md; measured on 2.2.16 and 2.3.5",
)
_MINHASH_LSH = IndexType(
    name="MINHASH_LSH",
    summary="Finds sets that are nearly equal by the bands of their MinHash signatures: for removing duplicates.",
    vector_kind="BINARY_VECTOR",
    metrics=("MHJACCARD",),
    build=(
        Parameter(
            name="mh_element_bit_width",
            kind="int",
            meaning="bits of one hash of a signature",
            low=8,
            high=64,
            default=32,
        ),
        Parameter(
            name="mh_lsh_band",
            kind="int",
            meaning="bands of a signature; divides its count of hashes",
            low=1,
            suggested=32,
        ),
        Parameter(
            name="mh_lsh_code_in_mem",
            kind="bool",
            meaning="whether codes are in memory, or mapped from a file",
            default=True,
        ),
        Parameter(
            name="with_raw_data",
            kind="bool",
            meaning="whether signatures are kept for comparing them",
            default=False,
        ),
        Parameter(
            name="mh_lsh_bloom_false_positive_prob",
            kind="float",
            meaning="wrong positives of the filter",
            low=0.001,
            high=0.1,
            default=0.01,
        ),
    ),
    search=(
        Parameter(
            name="mh_search_with_jaccard",
            kind="bool",
            meaning="whether candidates are compared by their signatures",
        ),
        Parameter(
            name="refine_k",
            kind="int",
            meaning="candidates compared",
            low=1,
            ladder=count_ladder(1, 4_096),
            recall_knob=True,
        ),
        Parameter(
            name="mh_lsh_batch_search",
            kind="bool",
            meaning="whether queries are searched together",
            default=False,
        ),
    ),
    since="2.6",
    memory=sizes.minhash_bytes,
    source="Milvus docs 2.6, minhash-lsh.md; knowhere, minhash_lsh_config.h",
)
BINARY_TYPES = (_BIN_FLAT, _BIN_IVF_FLAT, _MINHASH_LSH)

_DROP_RATIO_BUILD = Parameter(
    name="drop_ratio_build", kind="float", meaning="share of small weights left out", low=0, high=1, default=0.0,
)  # fmt: skip
_DROP_RATIO_SEARCH = Parameter(
    name="drop_ratio_search", kind="float", meaning="share of small weights of the query left out", low=0, high=1,
    default=0.0, ladder=(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0), recall_knob=True,
)  # fmt: skip
_SPARSE_INVERTED = IndexType(
    name="SPARSE_INVERTED_INDEX",
    summary="For each dimension the rows that have it: exact unless small weights are dropped.",
    vector_kind="SPARSE_FLOAT_VECTOR",
    metrics=("IP", "BM25"),
    build=(
        Parameter(
            name="inverted_index_algo",
            kind="word",
            meaning="how lists are walked",
            choices=("DAAT_MAXSCORE", "DAAT_WAND", "TAAT_NAIVE"),
            default="DAAT_MAXSCORE",
            since="2.5",
        ),
        Parameter(name="bm25_k1", kind="float", meaning="saturation of BM25", low=0, high=3, since="2.5"),
        Parameter(name="bm25_b", kind="float", meaning="weight of the length in BM25", low=0, high=1, since="2.5"),
        _DROP_RATIO_BUILD,
    ),
    search=(
        _DROP_RATIO_SEARCH,
        Parameter(
            name="dim_max_score_ratio",
            kind="float",
            meaning="how boldly lists are skipped",
            low=0.5,
            high=1.3,
            default=1.05,
            since="2.5",
        ),
    ),
    since="2.4",
    is_exact=True,
    is_in_lite=True,
    memory=sizes.sparse_bytes,
    source="Milvus docs 2.5, sparse_vector.md; knowhere, sparse_inverted_index_config.h; measured on Lite 3.2.2",
    note="drop_ratio_build does nothing any more. Lite walks all lists and knows none of the search parameters.",
)
_SPARSE_WAND = dataclasses.replace(
    _SPARSE_INVERTED,
    name="SPARSE_WAND",
    summary="The inverted index walked by WAND; from 2.5.4 on a name for inverted_index_algo DAAT_WAND.",
    build=(_DROP_RATIO_BUILD,),
    is_in_lite=False,
    source="Milvus docs 2.4, sparse_vector.md; 2.5, index.md",
    note="Deprecated from 2.5.4 on.",
)
SPARSE_TYPES = (_SPARSE_INVERTED, _SPARSE_WAND)

_GPU = "a Milvus built for GPUs, and a GPU"
_CACHE_ON_DEVICE = Parameter(
    name="cache_dataset_on_device", kind="bool", meaning="whether vectors are kept on the GPU", default=False,
)  # fmt: skip
_GPU_NOTE = "2.3.5 without a GPU takes it and never finishes the build (measured)."
_GPU_IVF_FLAT = IndexType(
    name="GPU_IVF_FLAT",
    summary="IVF_FLAT on a GPU: for many queries at once.",
    vector_kind="FLOAT_VECTOR",
    metrics=("L2", "IP"),
    build=(NLIST, _CACHE_ON_DEVICE),
    search=(NPROBE,),
    since="2.3",
    needs=_GPU,
    memory=sizes.ivf_flat_bytes,
    source="Milvus docs 2.4, gpu_index.md",
    note=_GPU_NOTE,
)
_GPU_IVF_PQ = dataclasses.replace(
    _GPU_IVF_FLAT,
    name="GPU_IVF_PQ",
    summary="IVF_PQ on a GPU: less of its memory for a bounded recall.",
    build=(
        NLIST,
        Parameter(name="m", kind="int", meaning="parts of a vector", low=1, divides="dim", is_required=True),
        Parameter(name="nbits", kind="int", meaning="bits of a code", low=4, high=8, default=8, suggested=8),
        _CACHE_ON_DEVICE,
    ),
    memory=sizes.ivf_pq_bytes,
)
_GPU_BRUTE_FORCE = IndexType(
    name="GPU_BRUTE_FORCE",
    summary="Compares a query with every row on a GPU: exact.",
    vector_kind="FLOAT_VECTOR",
    metrics=("L2", "IP"),
    since="2.4",
    needs=_GPU,
    is_exact=True,
    memory=sizes.raw_bytes,
    source="Milvus docs 2.4, gpu_index.md",
)
_GPU_CAGRA = IndexType(
    name="GPU_CAGRA",
    summary="A graph built and searched on a GPU: the fastest for many queries at once.",
    vector_kind="FLOAT_VECTOR",
    other_kinds={"FLOAT16_VECTOR": "2.6", "INT8_VECTOR": "2.6"},
    metrics=("L2", "IP", "COSINE"),
    build=(
        Parameter(
            name="intermediate_graph_degree",
            kind="int",
            meaning="links before pruning",
            low=1,
            default=128,
        ),
        Parameter(
            name="graph_degree",
            kind="int",
            meaning="links after pruning",
            low=1,
            high_from="intermediate_graph_degree",
            default=64,
        ),
        Parameter(
            name="build_algo",
            kind="word",
            meaning="how the graph begins",
            choices=("IVF_PQ", "NN_DESCENT"),
            default="IVF_PQ",
        ),
        _CACHE_ON_DEVICE,
        Parameter(
            name="adapt_for_cpu",
            kind="bool",
            meaning="whether it is built on a GPU and searched on a CPU as HNSW",
            default=False,
        ),
    ),
    search=(
        Parameter(
            name="itopk_size",
            kind="int",
            meaning="candidates kept while searching, in steps of 32",
            low=1,
            low_from="limit",
            ladder=tuple(32 * step for step in count_ladder(1, 32)),
            recall_knob=True,
        ),
        Parameter(name="search_width", kind="int", meaning="nodes expanded in a step", low=1),
        Parameter(name="min_iterations", kind="int", meaning="fewest steps", low=0, default=0),
        Parameter(name="max_iterations", kind="int", meaning="most steps; 0 is free", low=0, default=0),
        Parameter(
            name="team_size",
            kind="int",
            meaning="threads for one distance; 0 is free",
            low=0,
            high=32,
            default=0,
        ),
        Parameter(
            name="ef",
            kind="int",
            meaning="candidates, where it is searched on a CPU",
            low=1,
            low_from="limit",
        ),
    ),
    since="2.4",
    needs=_GPU,
    memory=sizes.cagra_bytes,
    source="Milvus docs 2.4, gpu_index.md; 2.6, gpu-cagra.md; knowhere, gpu_raft_cagra_config.h",
)
GPU_TYPES = (_GPU_BRUTE_FORCE, _GPU_CAGRA, _GPU_IVF_FLAT, _GPU_IVF_PQ)

_SCALAR_SOURCE = "Milvus docs 2.5, index-scalar-fields.md"
SCALAR_TYPES = (
    IndexType(
        name="BITMAP",
        summary="A bit for each row and value: for fields of few values.",
        vector_kind="",
        metrics=(),
        since="2.5",
        memory=sizes.inverted_bytes,
        source=_SCALAR_SOURCE,
    ),
    IndexType(
        name="INVERTED",
        summary="The rows of each value: for every scalar, JSON paths and arrays.",
        vector_kind="",
        metrics=(),
        since="2.4",
        memory=sizes.inverted_bytes,
        source=_SCALAR_SOURCE,
        note="2.3.5 refuses it (measured).",
    ),
    IndexType(
        name="NGRAM",
        summary="The rows of each short piece of a text: for LIKE filters.",
        vector_kind="",
        metrics=(),
        build=(
            Parameter(
                name="min_gram",
                kind="int",
                meaning="letters of the shortest piece",
                low=1,
                high_from="max_gram",
                is_required=True,
                suggested=2,
            ),
            Parameter(
                name="max_gram",
                kind="int",
                meaning="letters of the longest piece",
                low=1,
                is_required=True,
                suggested=3,
            ),
        ),
        since="2.6",
        memory=sizes.inverted_bytes,
        source="Milvus docs 2.6, ngram.md",
    ),
    IndexType(
        name="STL_SORT",
        summary="Sorted values: for ranges of numbers.",
        vector_kind="",
        metrics=(),
        memory=sizes.scalar_bytes,
        source="Milvus docs 2.3, scalar_index.md; measured on 2.2.16 and 2.3.5",
    ),
    IndexType(
        name="Trie",
        summary="A tree of letters: for beginnings of strings.",
        vector_kind="",
        metrics=(),
        memory=sizes.scalar_bytes,
        source="Milvus docs 2.3, scalar_index.md; measured on 2.2.16 and 2.3.5",
        note="2.2 and 2.3 take only this spelling, 2.3 marisa-trie too (measured).",
    ),
)
