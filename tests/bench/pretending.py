"""A scripted server that holds a real data set: it answers four of five neighbours right, whatever the parameters."""

import concurrent.futures
import contextlib

import grpc
import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

from milvuslab.model.server import Endpoint
from tests.scripted_server import ScriptedMilvus, search_answer

__all__ = ["pretend"]

BUILD = '{"M": 8, "efConstruction": 60}'


class Pretending(ScriptedMilvus):
    """The collection `scripted` with the rows of a set. The reply of the script counts when it is an error."""

    def __init__(self, script, vectors, truth):
        super().__init__(script)
        self._vectors = vectors
        self._truth = truth
        self._number = {query.tobytes(): number for number, query in enumerate(vectors.queries)}

    def DescribeCollection(self, request, context):  # noqa: N802  (Milvus's own name)
        answer = super().DescribeCollection(request, context)
        if request.collection_name != "scripted":
            return answer  # the collection that readiness is asked of, as the base server describes it
        answer.schema.fields[1].type_params[0].value = str(self._vectors.dim)
        return answer

    def DescribeIndex(self, request, context):  # noqa: N802  (Milvus's own name)
        values = {"index_type": "HNSW", "metric_type": "L2", "params": BUILD}
        pairs = [common_pb2.KeyValuePair(key=key, value=value) for key, value in values.items()]
        index = milvus_pb2.IndexDescription(
            index_name="vector", field_name="vector", params=pairs, state=common_pb2.IndexState.Finished
        )
        return milvus_pb2.DescribeIndexResponse(index_descriptions=[index])

    def GetLoadState(self, request, context):  # noqa: N802  (Milvus's own name)
        return milvus_pb2.GetLoadStateResponse(state=common_pb2.LoadState.LoadStateLoaded)

    def Query(self, request, context):  # noqa: N802  (Milvus's own name)
        data = schema_pb2.FieldData(type=schema_pb2.DataType.Int64, field_name="count(*)")
        data.scalars.long_data.data.append(self._vectors.row_count)
        return milvus_pb2.QueryResults(fields_data=[data], collection_name="scripted", output_fields=["count(*)"])

    def Search(self, request, context):  # noqa: N802  (Milvus's own name)
        if not _is_of_the_set(request, self._number):
            return _one_hit()
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        reply = self._script(number)
        if reply.error_code:
            return search_answer(reply)
        query = self._number[_query_bytes(request)]
        # The fourth neighbour is missing: recall is below one, so that a higher `ef` would have to change something.
        places = [0, 1, 2, 4, 5]
        results = schema_pb2.SearchResultData(num_queries=1, top_k=len(places))
        results.ids.int_id.data.extend(self._truth.ids[query, places].tolist())
        results.scores.extend(self._truth.distances[query, places].tolist())
        results.topks.append(len(places))
        return milvus_pb2.SearchResults(status=common_pb2.Status(), results=results)


def _query_bytes(request):
    group = common_pb2.PlaceholderGroup.FromString(request.placeholder_group)
    return np.frombuffer(group.placeholders[0].values[0], dtype="<f4").tobytes()


def _is_of_the_set(request, known):
    return request.collection_name == "scripted" and _query_bytes(request) in known


def _one_hit():
    results = schema_pb2.SearchResultData(num_queries=1, top_k=1, scores=[0.0], topks=[1])
    results.ids.int_id.data.append(1)
    return milvus_pb2.SearchResults(status=common_pb2.Status(), results=results)


@contextlib.contextmanager
def pretend(script, vectors, truth):
    """The server on a free loopback port; gives its endpoint."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Pretending(script, vectors, truth), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield Endpoint(uri=f"http://127.0.0.1:{port}")
    finally:
        server.stop(grace=None).wait()
