"""What a comparison is made of: vectors of a sample, of a file, of a real collection; and which servers it takes."""

import numpy as np
import pytest

from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import UnreachableError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Progress, silent
from milvuslab.studio.lab.order import LabOrder, write_order
from milvuslab.studio.lab.work import narrate, open_vectors_of, run_order
from tests.studios import make_workspace


def test_a_sample_is_synthetic_and_the_same_every_time(tmp_path):
    workspace = make_workspace(tmp_path, server="lite")
    first, metric = open_vectors_of(workspace, LabOrder(row_count=1_000, dim=16), silent)
    again, _ = open_vectors_of(workspace, LabOrder(row_count=1_000, dim=16), silent)
    assert (first.row_count, first.dim, metric) == (1_000, 16, Metric.L2)
    assert first.checksum == again.checksum


def test_a_file_of_vectors_is_read_up_to_the_rows_that_were_asked_for(tmp_path):
    rows = np.random.default_rng(3).normal(size=(3_000, 24)).astype(np.float32)
    path = tmp_path / "mine.npy"
    np.save(path, rows)
    order = LabOrder(data="file", path=str(path), row_count=2_000)
    vectors, metric = open_vectors_of(make_workspace(tmp_path, server="lite"), order, silent)
    assert (vectors.dim, metric) == (24, Metric.L2)
    assert 1_000 <= vectors.row_count <= 2_000


def test_the_vectors_of_a_collection_keep_their_metric(studio):
    name, rows = "lab_source", np.random.default_rng(4).normal(size=(400, 16)).astype(np.float32)
    fields = (
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="embedding", data_type=DataType.FLOAT_VECTOR, dim=16),
    )
    with studio.workspace.connect(studio.server) as gateway:
        index = IndexSpec(field_name="embedding", index_type="FLAT", metric=Metric.IP)
        gateway.collections.create(CollectionSpec(name=name, fields=fields), [index])
        try:
            gateway.rows.insert(name, {"id": np.arange(400), "embedding": rows})
            gateway.collections.flush(name)
            gateway.collections.load(name)
            order = LabOrder(data="collection", collection=name, row_count=1_000)
            vectors, metric = open_vectors_of(studio.workspace, order, silent)
        finally:
            gateway.collections.drop(name)
    assert metric is Metric.IP
    assert vectors.row_count + len(vectors.queries) == 400
    assert len(vectors.queries) == 40


def test_without_a_running_server_nothing_is_started(tmp_path):
    workspace = make_workspace(tmp_path, server="lite")
    folder = workspace.settings.home_dir / "comparisons" / "20250102-030405-ab12"
    write_order(folder, LabOrder(row_count=1_000, dim=16))
    with pytest.raises(UnreachableError, match="no server runs"):
        run_order(workspace, folder)


def test_a_step_within_a_type_does_not_move_the_bar():
    told = []
    observe = narrate(told.append)
    observe(Progress(step="start lite"))
    observe(Progress(step="compare on lite", done_count=2, total_count=5, unit="index types", message="HNSW"))
    observe(Progress(step="build index", done_count=10, total_count=20, unit="rows"))
    assert [one.step for one in told] == ["start lite", "HNSW · lite", "HNSW · lite: build index"]
    assert [(one.done_count, one.total_count) for one in told] == [(0, None), (2, 5), (2, 5)]
