"""The tool's program: what is refused, what a program that is not the tool leads to, and one real run."""

import os
import sys
import time
from pathlib import Path

import pytest

from milvuslab.bench.vectordbbench import COLLECTION, Tool, ToolCase, run_side_by_side, run_tool
from milvuslab.bench.vectordbbench.install import find_tool, install_tool
from milvuslab.data.vectors import make_clustered
from milvuslab.gateway import connect
from milvuslab.model.errors import ConflictError, RejectedError, UnreachableError, UnsupportedError, UsageError
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import Secret

CASE = ToolCase(row_count=3_000, dim=16, in_flight=2, duration_s=1)


@pytest.fixture(scope="session")
def tool(server_settings):
    """The real tool: from the person's cache, installed under MILVUSLAB_REQUIRE_ALL only, for it is 1.2 GB."""
    found = find_tool(cache_dir=server_settings.cache_dir)
    if found is None and os.environ.get("MILVUSLAB_REQUIRE_ALL") == "1":
        found = install_tool(cache_dir=server_settings.cache_dir)
    if found is None:
        pytest.skip("VectorDBBench is not in the cache: milvuslab bench vectordbbench installs it")
    return found


@pytest.fixture
def dataset_dir(tmp_path):
    folder = tmp_path / "data" / "milvuslab" / "set"
    folder.mkdir(parents=True)
    return folder


def test_both_sides_search_the_same_collection(tool, standalone_endpoint, tmp_path):
    vectors = make_clustered(row_count=CASE.row_count, dim=CASE.dim, query_count=50)
    with connect(standalone_endpoint) as gateway:
        try:
            found = run_side_by_side(
                gateway, tool, vectors, CASE, folder=tmp_path, environment={"PATH": os.environ["PATH"]}, repeat_count=1
            )
        finally:
            gateway.collections.drop(COLLECTION)
    (theirs,) = found.tool
    assert (theirs.in_flight, theirs.k, theirs.failed_count) == (2, 10, 0)
    assert theirs.recall == pytest.approx(found.ours[0]["recall"], abs=0.01)
    assert theirs.recall > 0.9
    assert found.consistency == "Bounded"
    assert found.index.spec.params["efConstruction"] in (200, "200")
    assert found.compute_metrics()["qps_ratio_median"] > 0
    assert found.as_dict()["tool_versions"]["vectordb-bench"] == "1.0.20"


def test_a_collection_of_somebody_else_is_left_alone(standalone_endpoint, tmp_path):
    from milvuslab.bench.vectordbbench import prepare_collection
    from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec

    fields = (
        FieldSpec(name="pk", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4),
    )
    with connect(standalone_endpoint) as gateway:
        gateway.collections.create(CollectionSpec(name=COLLECTION, fields=fields))
        try:
            with pytest.raises(ConflictError, match=COLLECTION):
                prepare_collection(gateway, make_clustered(row_count=3_000, dim=16), CASE)
            assert gateway.collections.describe(COLLECTION).field("vector").dim == 4
        finally:
            gateway.collections.drop(COLLECTION)


def test_vectors_of_another_size_than_the_case_are_refused(standalone_endpoint):
    from milvuslab.bench.vectordbbench import prepare_collection

    with connect(standalone_endpoint) as gateway, pytest.raises(UsageError, match="2,000 vectors"):
        prepare_collection(gateway, make_clustered(row_count=2_000, dim=16), CASE)


def test_a_program_that_is_not_the_tool_ends_with_its_own_words(dataset_dir, tmp_path):
    stranger = Tool(python=Path(sys.executable), versions={})
    endpoint = Endpoint(uri="http://127.0.0.1:1", token=Secret("reader:s3cret-word"))
    with pytest.raises(RejectedError, match="vectordb_bench"):
        run_tool(
            stranger, CASE, endpoint=endpoint, dataset_dir=dataset_dir, folder=tmp_path / "run", environment=os.environ
        )
    told = tmp_path / "run" / "config.yml"
    assert "s3cret-word" in told.read_text()
    assert told.stat().st_mode & 0o077 == 0


def test_a_server_with_certificates_of_its_own_is_refused(dataset_dir, tmp_path):
    endpoint = Endpoint(uri="https://127.0.0.1:1", ca_pem_path="ca.pem")
    with pytest.raises(UnsupportedError, match="VectorDBBench"):
        run_tool(
            Tool(python=Path(sys.executable), versions={}), CASE, endpoint=endpoint, dataset_dir=dataset_dir,
            folder=tmp_path / "run", environment={},
        )  # fmt: skip


def test_without_a_network_a_tool_that_is_not_there_is_told_at_once(tmp_path):
    begun_s = time.monotonic()
    with pytest.raises(UnreachableError, match="not in the cache"):
        install_tool(cache_dir=tmp_path, is_offline=True)
    assert time.monotonic() - begun_s < 5
    assert find_tool(cache_dir=tmp_path) is None


def test_what_an_interrupted_installation_left_is_no_tool(tmp_path):
    (tmp_path / "vectordbbench" / "1.0.20-py3.11" / "bin").mkdir(parents=True)
    assert find_tool(cache_dir=tmp_path) is None
