"""The only importer of pymilvus: collections, rows, indexes and searches as values, over gRPC.

`connect` is the door. Nothing here imports a package that is slow to load before a connection is made.
"""

from milvuslab.gateway.bulk import BulkReport
from milvuslab.gateway.catalog import Collections
from milvuslab.gateway.client import Gateway, connect
from milvuslab.gateway.indexes import Indexes
from milvuslab.gateway.prepared import PreparedSearches, SentSearch
from milvuslab.gateway.retry import RetryPolicy
from milvuslab.gateway.router import connect_any
from milvuslab.gateway.rows import Rows, WriteReport

__all__ = [
    "BulkReport",
    "Collections",
    "Gateway",
    "Indexes",
    "PreparedSearches",
    "RetryPolicy",
    "Rows",
    "SentSearch",
    "WriteReport",
    "connect",
    "connect_any",
]
