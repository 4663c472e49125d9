"""The rows are the same wherever passages are embedded."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from milvuslab.apps.text.engine import check_engine, open_engine
from milvuslab.apps.text.load import load_source
from milvuslab.apps.text.shelf import Shelf
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import UnreachableError, UnsupportedError, UsageError
from milvuslab.model.settings import resolve

HAS_RAY = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'milvuslab[ray]'")


@pytest.fixture
def gateway(lite_gateway):
    """Where vectors come from does not depend on the kind of server."""
    return lite_gateway


@pytest.fixture
def ray_settings(server_settings, tmp_path):
    flags = {
        "home_dir": str(tmp_path / "home"), "cache_dir": str(server_settings.cache_dir), "embed_cache_bytes": "0",
        "ray_workers": "2",
    }  # fmt: skip
    return resolve(flags=flags, environment={"HOME": str(tmp_path)})


def test_an_engine_that_is_none_is_named(shelf_of_nothing, tmp_path, ray_settings) -> None:
    assert check_engine("ray") == "ray"
    with pytest.raises(UsageError, match="rey") as caught:
        load_source(shelf_of_nothing, str(tmp_path), settings=ray_settings, engine="rey")
    assert "ray" in caught.value.hint


@pytest.fixture
def shelf_of_nothing(gateway):
    return Shelf(gateway, open_encoder=lambda _: pytest.fail("nothing is opened"))


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_extra_is_named(minilm, ray_settings) -> None:
    with (
        pytest.raises(UnsupportedError) as caught,
        open_engine("ray", fingerprint=minilm.fingerprint, settings=ray_settings),
    ):
        pass
    assert "milvuslab[ray]" in caught.value.hint


@with_ray
@pytest.mark.filterwarnings("ignore")
def test_the_rows_of_ray_workers_are_those_of_this_process(
    gateway, minilm, ray_settings, unique_name, tmp_path
) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"id": f"r{n}", "title": f"Row {n}", "text": f"Text of row {n}. " * (1 + n % 9)}) for n in range(70)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    shelf = Shelf(gateway, open_encoder=lambda _: minilm)
    rows = []
    for engine in ("local", "ray"):
        name = f"{unique_name}_{engine}"
        stopped = iter([True])

        def stop_once(progress, engine=engine, stopped=stopped):
            if engine == "ray" and progress.step == "embed and insert" and next(stopped, False):
                raise KeyboardInterrupt

        given = {"settings": ray_settings, "collection": name, "encoder": "minilm", "language": "en", "engine": engine}
        if engine == "ray":
            with pytest.raises(KeyboardInterrupt):
                load_source(shelf, str(path), observer=stop_once, **given)
        report = load_source(shelf, str(path), **given)
        assert report.ingest.document_count == 70
        found = gateway.rows.query(name, fields=["origin_id", "text", "vector"], consistency=Consistency.STRONG)
        order = np.argsort(found["origin_id"])
        rows.append(([found["text"][row] for row in order], found["vector"][order]))
        gateway.collections.drop(name)
    assert rows[0][0] == rows[1][0]
    assert np.array_equal(rows[0][1], rows[1][1])


@with_ray
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_named(minilm, ray_settings) -> None:
    settings = resolve(
        flags={"cache_dir": str(ray_settings.cache_dir), "ray_address": "127.0.0.1:1"},
        environment={"HOME": str(ray_settings.home_dir)},
    )
    with (
        pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"),
        open_engine("ray", fingerprint=minilm.fingerprint, settings=settings),
    ):
        pass
