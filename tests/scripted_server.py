"""A gRPC server that speaks Milvus's words and does what a script says: known latencies, errors, stalls.

The one place where tests do not use a real Milvus: a benchmark's own arithmetic can only be checked against a server
whose behaviour is known beforehand.
"""

import concurrent.futures
import contextlib
import dataclasses
import threading
import time

import grpc
import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

from milvuslab.model.server import Endpoint

__all__ = ["Reply", "ScriptedMilvus", "search_answer", "serve"]

DIM = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reply:
    """What becomes of one search.

    Attributes:
        after_s: how long the server takes.
        ids: hits of each query, best first; the scores are 0, 1, 2, ...
        status: code that aborts the call, None answers it.
        reason: with `error_code`, a failure inside the answer, as Milvus itself sends them.
    """

    after_s: float = 0.0
    ids: tuple[int, ...] = (1, 2, 3)
    status: grpc.StatusCode | None = None
    error_code: int = 0
    reason: str = ""


class ScriptedMilvus(milvus_pb2_grpc.MilvusServiceServicer):
    """One loaded collection `scripted` with an INT64 key and a vector field of four dimensions, metric L2.

    `script(number)` gives the reply to search number 0, 1, ...; `stall` makes all answers wait until a time.
    """

    def __init__(self, script):
        self._script = script
        self._lock = threading.Lock()
        self._stalled_until_s = 0.0
        self.requests = []
        self.arrived_s = []

    def stall(self, duration_s):
        """No answer leaves for so long."""
        self._stalled_until_s = time.monotonic() + duration_s

    def GetVersion(self, request, context):  # noqa: N802  (Milvus's own name)
        return milvus_pb2.GetVersionResponse(version="v2.3.5-scripted")

    def DescribeCollection(self, request, context):  # noqa: N802  (Milvus's own name)
        schema = schema_pb2.CollectionSchema(
            name="scripted",
            fields=[
                schema_pb2.FieldSchema(fieldID=100, name="id", is_primary_key=True, data_type=schema_pb2.DataType.Int64),
                schema_pb2.FieldSchema(
                    fieldID=101, name="vector", data_type=schema_pb2.DataType.FloatVector,
                    type_params=[common_pb2.KeyValuePair(key="dim", value=str(DIM))],
                ),
            ],
        )  # fmt: skip
        return milvus_pb2.DescribeCollectionResponse(schema=schema, collectionID=1, shards_num=1)

    def DescribeIndex(self, request, context):  # noqa: N802  (Milvus's own name)
        params = [
            common_pb2.KeyValuePair(key=key, value=value)
            for key, value in {"index_type": "FLAT", "metric_type": "L2", "params": "{}"}.items()
        ]
        index = milvus_pb2.IndexDescription(index_name="vector", field_name="vector", params=params)
        return milvus_pb2.DescribeIndexResponse(index_descriptions=[index])

    def Search(self, request, context):  # noqa: N802  (Milvus's own name)
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            self.arrived_s.append(time.monotonic())
        reply = self._script(number)
        pause(max(reply.after_s, self._stalled_until_s - time.monotonic()))
        if reply.status is not None:
            context.abort(reply.status, reply.reason)
        return search_answer(reply, query_count=request.nq)


def pause(duration_s):
    if duration_s > 0:
        threading.Event().wait(duration_s)


def search_answer(reply, *, query_count=1):
    """The message that carries a reply."""
    if reply.error_code:
        return milvus_pb2.SearchResults(status=common_pb2.Status(code=reply.error_code, reason=reply.reason))
    results = schema_pb2.SearchResultData(num_queries=query_count, top_k=len(reply.ids))
    results.ids.int_id.data.extend(list(reply.ids) * query_count)
    results.scores.extend(np.arange(len(reply.ids), dtype=np.float32).tolist() * query_count)
    results.topks.extend([len(reply.ids)] * query_count)
    return milvus_pb2.SearchResults(status=common_pb2.Status(), results=results)


@contextlib.contextmanager
def serve(script, *, worker_count=16):
    """The server on a free loopback port, and its endpoint."""
    milvus = ScriptedMilvus(script)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(worker_count))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(milvus, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield milvus, Endpoint(uri=f"http://127.0.0.1:{port}")
    finally:
        server.stop(grace=None).wait()
