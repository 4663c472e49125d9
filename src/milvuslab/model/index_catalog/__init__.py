"""Every index type of Milvus 2.2 to 2.6: parameters with ranges and defaults, versions, sizes, and where that is from."""

from milvuslab.model.index_catalog.catalog import (
    INDEX_TYPES,
    check_build_params,
    check_search_params,
    get_index_type,
)
from milvuslab.model.index_catalog.index_type import IndexType
from milvuslab.model.index_catalog.parameter import Parameter, ParameterKind

__all__ = [
    "INDEX_TYPES",
    "IndexType",
    "Parameter",
    "ParameterKind",
    "check_build_params",
    "check_search_params",
    "get_index_type",
]
