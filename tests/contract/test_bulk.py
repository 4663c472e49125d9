"""Files that the server reads itself. Only where tests and server share a disk."""

import dataclasses
import json

import numpy as np
import pytest

from milvuslab.model.collection import CollectionSpec, Consistency
from milvuslab.model.errors import RejectedError, SchemaError, UnsupportedError
from tests.contract.conftest import FLAT, KEY, TITLE, VECTOR, book_columns, vectors

SPEC = CollectionSpec(name="replaced", fields=(KEY, VECTOR, TITLE))


def test_columns_in_files_become_rows(gateway, name, needs, tmp_path, backend):
    needs("bulk_load")
    if backend == "remote":
        pytest.skip("the server may not see our disk")
    gateway.collections.create(dataclasses.replace(SPEC, name=name), [FLAT])
    columns = book_columns(300)
    files = []
    for field in ("id", "vector", "title"):
        files.append(str(tmp_path / f"{field}.npy"))
        np.save(files[-1], np.array(columns[field]))
    with pytest.raises(SchemaError, match="title"):
        gateway.bulk_load(name, files[:2])
    seen = []
    report = gateway.bulk_load(name, files, timeout_s=120, observer=seen.append)
    assert report.row_count == 300
    assert seen[-1].total_count == 100
    gateway.collections.load(name)
    found = gateway.rows.get(name, [7], ["vector", "title"], consistency=Consistency.STRONG)
    assert found["title"] == ["book 7"]
    np.testing.assert_array_equal(found["vector"], vectors(300)[7:8])
    assert gateway.rows.count(name) == 300


def test_a_task_that_the_server_has_is_taken_up_and_loads_nothing_twice(gateway, name, needs, tmp_path, backend):
    needs("bulk_load")
    if backend == "remote":
        pytest.skip("the server may not see our disk")
    gateway.collections.create(dataclasses.replace(SPEC, name=name), [FLAT])
    files = []
    for field, column in book_columns(200).items():
        if field in ("id", "vector", "title"):
            files.append(str(tmp_path / f"{field}.npy"))
            np.save(files[-1], np.array(column))
    first = gateway.bulk_load(name, files, is_taken_up=True, timeout_s=120)
    again = gateway.bulk_load(name, files, is_taken_up=True, timeout_s=120)
    assert again == first
    gateway.collections.load(name)
    assert gateway.rows.count(name) == 200
    assert gateway.bulk_load(name, files, timeout_s=120).task_ids != first.task_ids


def test_a_file_that_cannot_be_read_is_said(gateway, name, needs, tmp_path):
    needs("bulk_load")
    gateway.collections.create(dataclasses.replace(SPEC, name=name), [FLAT])
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"rows": [{"id": 1}]}), encoding="utf-8")
    with pytest.raises(RejectedError, match="bulk load"):
        gateway.bulk_load(name, [str(path)], timeout_s=60)


def test_what_a_server_does_not_load_is_said(gateway, name, capabilities):
    gateway.collections.create(dataclasses.replace(SPEC, name=name), [FLAT])
    with pytest.raises(UnsupportedError, match="parquet"):
        gateway.bulk_load(name, ["rows.parquet"])
    if not capabilities.has("bulk_load"):
        with pytest.raises(UnsupportedError):
            gateway.bulk_load(name, ["rows.json"])
