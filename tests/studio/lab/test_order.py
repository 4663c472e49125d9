"""What may be ordered, and what comes back from the file beside the result."""

import pytest

from milvuslab.model.errors import ConfigError, ForbiddenError, LimitError, MilvusLabError, NotFoundError, UsageError
from milvuslab.model.settings import resolve
from milvuslab.studio.lab.order import LabOrder, check_file, read_order, write_order


def settings_of(tmp_path, **flags):
    return resolve(environment={"HOME": str(tmp_path)}, flags={"home_dir": str(tmp_path / "home"), **flags})


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({}, "20,000 x 64"),
        ({"data": "file", "path": "/data/sift.hdf5"}, "sift.hdf5"),
        ({"data": "collection", "collection": "text_ko"}, "text_ko"),
    ],
)
def test_an_order_says_what_is_compared_and_survives_its_file(tmp_path, values, title):
    order = LabOrder(index_types=("HNSW", "FLAT"), recall_target=0.9, with_stopped=True, **values)
    write_order(tmp_path, order)
    assert read_order(tmp_path) == order
    assert order.title == title


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"data": "mine"}, UsageError),
        ({"row_count": 10}, LimitError),
        ({"row_count": 2_000_000}, LimitError),
        ({"dim": 8}, UsageError),
        ({"recall_target": 1.0}, UsageError),
        ({"data": "file", "path": " "}, UsageError),
        ({"data": "collection"}, MilvusLabError),
        ({"index_types": ("HNWS",)}, NotFoundError),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(values, kind):
    with pytest.raises(kind):
        LabOrder(**values)


def test_a_file_must_be_there(tmp_path):
    order = LabOrder(data="file", path=str(tmp_path / "missing.npy"))
    with pytest.raises(NotFoundError, match=r"missing\.npy"):
        check_file(order, settings=settings_of(tmp_path))


def test_with_a_key_only_files_of_the_studios_own_folder_may_be_named(tmp_path):
    keyed = settings_of(tmp_path, studio_key="k" * 24)
    outside, inside = tmp_path / "outside.npy", tmp_path / "home" / "inside.npy"
    inside.parent.mkdir()
    for path in (outside, inside):
        path.write_bytes(b"x")
    check_file(LabOrder(data="file", path=str(inside)), settings=keyed)
    check_file(LabOrder(data="file", path=str(outside)), settings=settings_of(tmp_path))
    for path in (outside, tmp_path / "home" / ".." / "outside.npy"):
        with pytest.raises(ForbiddenError):
            check_file(LabOrder(data="file", path=str(path)), settings=keyed)


def test_a_folder_without_an_order_and_a_damaged_one_are_told_apart(tmp_path):
    with pytest.raises(NotFoundError):
        read_order(tmp_path)
    (tmp_path / "order.json").write_text('{"format": 1, "index_types": [], "colour": "red"}')
    with pytest.raises(ConfigError, match="colour"):
        read_order(tmp_path)
