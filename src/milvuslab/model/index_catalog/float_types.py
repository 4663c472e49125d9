"""Index types of dense float vectors that run on a CPU."""

from __future__ import annotations

import dataclasses

from milvuslab.model.index_catalog import sizes
from milvuslab.model.index_catalog.index_type import IndexType
from milvuslab.model.index_catalog.ladders import count_ladder
from milvuslab.model.index_catalog.parameter import Parameter

__all__ = ["FLOAT_METRICS", "FLOAT_TYPES", "HALF_KINDS", "NLIST", "NPROBE", "REFINE", "REFINE_K", "REFINE_TYPE"]

FLOAT_METRICS = ("L2", "IP", "COSINE")
"""COSINE from 2.3 on (measured: 2.2.16 refuses it)."""

HALF_KINDS = {"FLOAT16_VECTOR": "2.4", "BFLOAT16_VECTOR": "2.4"}
_HNSW_KINDS = {**HALF_KINDS, "INT8_VECTOR": "2.6"}
_INT_MAX = 2_147_483_647

NLIST = Parameter(
    name="nlist", kind="int", meaning="clusters", low=1, high=65_536, default=128, is_required=True, suggested=128
)
NPROBE = Parameter(
    name="nprobe", kind="int", meaning="clusters searched", low=1, high_from="nlist", default=8,
    ladder=count_ladder(1, 65_536), recall_knob=True,
)  # fmt: skip
_M = Parameter(
    name="M", kind="int", meaning="links of a row in the graph", low=2, high=2048, default=30, is_required=True,
    suggested=16,
)  # fmt: skip
_EF_CONSTRUCTION = Parameter(
    name="efConstruction", kind="int", meaning="candidates for the links of a row", low=1, high=_INT_MAX, default=360,
    is_required=True, suggested=200,
)  # fmt: skip
_EF = Parameter(
    name="ef", kind="int", meaning="candidates kept while searching", low=1, high=_INT_MAX, low_from="limit",
    ladder=count_ladder(10, 32_768), recall_knob=True,
)  # fmt: skip
_PQ_M = Parameter(
    name="m", kind="int", meaning="parts of a vector, each with a code of its own", low=1, high=65_536, divides="dim"
)
_NBITS = Parameter(name="nbits", kind="int", meaning="bits of a code", low=1, high=24, default=8, suggested=8)
REFINE = Parameter(name="refine", kind="bool", meaning="whether a finer copy is kept", default=False)
REFINE_TYPE = Parameter(
    name="refine_type", kind="word", meaning="the finer copy", choices=("SQ6", "SQ8", "FP16", "BF16", "FP32", "FLAT"),
)  # fmt: skip
REFINE_K = Parameter(
    name="refine_k", kind="float", meaning="times limit: candidates compared by the finer copy", low=1, default=1.0, ladder=(1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0),
)  # fmt: skip

_FLAT = IndexType(
    name="FLAT",
    summary="Compares a query with every row: exact, and slower with each row.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    is_exact=True,
    is_in_lite=True,
    memory=sizes.raw_bytes,
    source="Milvus docs 2.5, index.md; measured on 2.2.16, 2.3.5 and Lite 3.2.2",
)
_IVF_FLAT = IndexType(
    name="IVF_FLAT",
    summary="Sorts rows into clusters and searches the nearest of them: quick to build, small overhead.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(NLIST,),
    search=(NPROBE,),
    is_in_lite=True,
    memory=sizes.ivf_flat_bytes,
    source="Milvus docs 2.5, index.md; knowhere, ivf_config.h; measured on 2.2.16, 2.3.5 and Lite 3.2.2",
    note="Lite searches 10 clusters unless told, servers 8. Servers take an nprobe above nlist as nlist.",
)
_IVF_SQ8 = IndexType(
    name="IVF_SQ8",
    summary="IVF_FLAT with one byte a dimension: a quarter of the memory for a little recall.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(NLIST,),
    search=(NPROBE,),
    is_in_lite=True,
    memory=sizes.ivf_sq8_bytes,
    source="Milvus docs 2.5, index.md; knowhere, ivf_config.h; measured on 2.2.16, 2.3.5 and Lite 3.2.2",
)
_IVF_PQ = IndexType(
    name="IVF_PQ",
    summary="Clusters of product-quantized codes: the smallest of the old types, bounded in recall by its codes.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(NLIST, dataclasses.replace(_PQ_M, is_required=True), _NBITS),
    search=(NPROBE,),
    memory=sizes.ivf_pq_bytes,
    source="Milvus docs 2.5, index.md; knowhere, ivf_config.h; measured on 2.2.16 and 2.3.5",
    note="Recall ends below 1 however many clusters are searched; more parts (m) raise the end.",
)
_IVF_RABITQ = IndexType(
    name="IVF_RABITQ",
    summary="Clusters of one bit a dimension, with a finer copy if recall above 0.9 is wanted.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(
        dataclasses.replace(NLIST, is_required=False),
        REFINE,
        REFINE_TYPE,
    ),
    search=(
        NPROBE,
        Parameter(
            name="rbq_query_bits",
            kind="int",
            meaning="bits of the query; 0 leaves it as it is",
            low=0,
            high=8,
            default=0,
        ),
        REFINE_K,
    ),
    since="2.6",
    memory=sizes.ivf_rabitq_bytes,
    source="Milvus docs 2.6, ivf-rabitq.md",
)
_HNSW = IndexType(
    name="HNSW",
    summary="A graph of near rows that a search walks: fast at high recall, for memory and build time.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=_HNSW_KINDS,
    metrics=FLOAT_METRICS,
    build=(_M, _EF_CONSTRUCTION),
    search=(_EF,),
    is_in_lite=True,
    memory=sizes.hnsw_bytes,
    source="Milvus docs 2.5, index.md; knowhere, faiss_hnsw_config.h; measured on 2.2.16, 2.3.5 and Lite 3.2.2",
    note="2.2.16 wants M of 4 to 64 and efConstruction of 8 to 512; 2.3.5 takes M from 1. An ef below limit is refused"
    " by servers, and searched with by Lite. Unless told, ef is limit (2.3), at least 16 (2.5), or 64 (Lite).",
)
_HNSW_SQ = IndexType(
    name="HNSW_SQ",
    summary="HNSW over scalar-quantized vectors: less memory for a little recall.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=_HNSW_KINDS,
    metrics=FLOAT_METRICS,
    build=(
        dataclasses.replace(_M, is_required=False),
        dataclasses.replace(_EF_CONSTRUCTION, is_required=False),
        Parameter(
            name="sq_type",
            kind="word",
            meaning="quantizer",
            choices=("SQ4U", "SQ6", "SQ8", "BF16", "FP16"),
            default="SQ8",
            suggested="SQ8",
        ),
        REFINE,
        REFINE_TYPE,
    ),
    search=(_EF, REFINE_K),
    since="2.5",
    is_in_lite=True,
    memory=sizes.hnsw_sq_bytes,
    source="Milvus docs 2.5, index.md; 2.6, hnsw-sq.md; measured on Lite 3.2.2",
    note="SQ4U from 2.6.8 on. Lite always quantizes to one byte and keeps no finer copy.",
)
_HNSW_PQ = IndexType(
    name="HNSW_PQ",
    summary="HNSW over product-quantized vectors: little memory, slower than HNSW_SQ.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(
        dataclasses.replace(_M, is_required=False),
        dataclasses.replace(_EF_CONSTRUCTION, is_required=False),
        dataclasses.replace(_PQ_M, default=32),
        _NBITS,
        REFINE,
        REFINE_TYPE,
    ),
    search=(_EF, REFINE_K),
    since="2.5",
    memory=sizes.hnsw_prq_bytes,
    source="Milvus docs 2.5, index.md; knowhere, faiss_hnsw_config.h",
)
_HNSW_PRQ = IndexType(
    name="HNSW_PRQ",
    summary="HNSW_PQ whose error is quantized again: more recall at the same size, a longer build.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(
        dataclasses.replace(_M, is_required=False),
        dataclasses.replace(_EF_CONSTRUCTION, is_required=False),
        dataclasses.replace(_PQ_M, default=2),
        Parameter(name="nrq", kind="int", meaning="rounds of quantizing", low=1, high=16, default=2),
        _NBITS,
        REFINE,
        REFINE_TYPE,
    ),
    search=(_EF, REFINE_K),
    since="2.5",
    memory=sizes.hnsw_prq_bytes,
    source="Milvus docs 2.5, index.md; knowhere, faiss_hnsw_config.h",
)
_SCANN = IndexType(
    name="SCANN",
    summary="Clusters of 4-bit codes compared in registers, the best candidates again exactly: fast at high recall.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    build=(
        NLIST,
        Parameter(
            name="with_raw_data",
            kind="bool",
            meaning="whether the index keeps the vectors",
            default=True,
            suggested=True,
        ),
    ),
    search=(
        NPROBE,
        Parameter(
            name="reorder_k",
            kind="int",
            meaning="candidates compared exactly",
            low=1,
            low_from="limit",
            ladder=count_ladder(16, 8_192),
            suggested=200,
        ),
    ),
    since="2.3",
    needs="AVX2",
    memory=sizes.scann_bytes,
    source="Milvus docs 2.5, index.md; knowhere, ivf_config.h; measured on 2.3.5",
    note="Unless told, reorder_k is limit, which costs much recall: 0.59 against 0.99 with 100 (3,000 rows, all"
    " clusters searched, limit 10; measured on 2.3.5). The first version with sub_dim as a parameter is not known here.",
)
_DISKANN = IndexType(
    name="DISKANN",
    summary="A graph on a fast disk with codes in memory: much data in little memory.",
    vector_kind="FLOAT_VECTOR",
    other_kinds=HALF_KINDS,
    metrics=FLOAT_METRICS,
    search=(
        Parameter(
            name="search_list",
            kind="int",
            meaning="candidates kept while searching",
            low=1,
            low_from="limit",
            default=16,
            ladder=count_ladder(10, 16_384),
            recall_knob=True,
        ),
    ),
    needs="queryNode.enableDisk and a local NVMe disk",
    memory=sizes.diskann_memory_bytes,
    disk=sizes.diskann_disk_bytes,
    source="Milvus docs 2.3, disk_index.md; measured on 2.2.16 and 2.3.5",
    note="Both take it and then never finish the build where queryNode.enableDisk is off, as it is in the packages that"
    " run without Docker: capabilities tell. Its build parameters are server settings (common.DiskIndex).",
)
_ANNOY = IndexType(
    name="ANNOY",
    summary="A forest of random splits: the only type of trees, gone after 2.2.",
    vector_kind="FLOAT_VECTOR",
    metrics=("L2", "IP"),
    build=(Parameter(name="n_trees", kind="int", meaning="trees", low=1, high=1024, is_required=True, suggested=16),),
    search=(
        Parameter(
            name="search_k",
            kind="int",
            meaning="rows looked at in all trees",
            low=1,
            low_from="limit",
            is_required=True,
            ladder=count_ladder(64, 4_194_304),
            recall_knob=True,
        ),
    ),
    until="2.2",
    memory=sizes.annoy_bytes,
    source="Milvus docs 2.2, index.md; measured on 2.2.16, refused by 2.3.5",
    note="2.2.16 refuses a search without search_k, and -1, which its docs allow (measured).",
)
_AUTOINDEX = IndexType(
    name="AUTOINDEX",
    summary="The server chooses; in open-source Milvus and in Lite that is HNSW with parameters of its settings.",
    vector_kind="FLOAT_VECTOR",
    other_kinds={**_HNSW_KINDS, "BINARY_VECTOR": "2.3", "SPARSE_FLOAT_VECTOR": "2.4"},
    metrics=FLOAT_METRICS,
    search=(dataclasses.replace(_EF, meaning="candidates kept while searching, where the server chose HNSW"),),
    is_in_lite=True,
    # The build parameters are the server's (`autoIndex.params.build`, milvus.yaml 2.3: M 18).
    memory=lambda shape: sizes.hnsw_bytes(dataclasses.replace(shape, params={"M": 18})),
    source="Milvus docs 2.3, milvus.yaml autoIndex; measured on 2.2.16, 2.3.5 and Lite 3.2.2",
    note="ef moves recall on 2.3.5 and Lite (measured); level does nothing there.",
)

_RHNSW = tuple(
    IndexType(
        name=name,
        summary="An older HNSW of Milvus 2.0 and 2.1.",
        vector_kind="FLOAT_VECTOR",
        metrics=("L2", "IP"),
        build=(_M, _EF_CONSTRUCTION, *more),
        search=(_EF,),
        since="2.0",
        until="2.1",
        memory=sizes.hnsw_bytes,
        source="Milvus docs 2.1 for Go, indexLimitations.md; measured on 2.2.16",
        note="2.2.16 still takes the name and never finishes the build (measured); take HNSW.",
    )
    for name, more in (
        ("RHNSW_FLAT", ()),
        (
            "RHNSW_PQ",
            (
                Parameter(
                    name="PQM",
                    kind="int",
                    meaning="parts of a vector",
                    low=1,
                    divides="dim",
                    is_required=True,
                ),
            ),
        ),
        ("RHNSW_SQ", ()),
    )
)

FLOAT_TYPES = (
    _FLAT, _IVF_FLAT, _IVF_SQ8, _IVF_PQ, _IVF_RABITQ, _HNSW, _HNSW_SQ, _HNSW_PQ, _HNSW_PRQ, _SCANN, _DISKANN, _ANNOY,
    _AUTOINDEX, *_RHNSW,
)  # fmt: skip
