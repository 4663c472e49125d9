"""Pictures in: new, again, changed, renamed, corrupt, twice; on both servers."""

import numpy as np
import pytest

from milvuslab.apps.image.collection import compute_image_id
from milvuslab.apps.image.image import add_image, collect_image_stats, delete_image, get_image, read_picture
from milvuslab.apps.image.ingest import ImageIngestReport, ingest_images
from milvuslab.model.errors import MediaError, NotFoundError, UsageError
from tests.apps.image.conftest import as_png, draw


def key_of(item):
    import hashlib

    return compute_image_id(
        source=item.source, origin_id=item.key, content_sha256=hashlib.sha256(item.read()).hexdigest()
    )


def rows_of(collection):
    from milvuslab.model.collection import Consistency

    found = collection.gateway.rows.query(collection.name, consistency=Consistency.STRONG)
    return dict(zip(found["image_id"], found["name"], strict=True))


def test_the_life_of_a_load(collection, make_item):
    pictures = [make_item(f"{number}.png", as_png(draw(number)), label="drawn") for number in range(6)]
    broken = make_item("broken.png", as_png(draw(9))[:300])
    tokens = []
    first = ingest_images(
        collection, [*pictures, broken], batch_images=3, on_checkpoint=lambda token, report: tokens.append(token)
    )
    assert (first.image_count, first.added_count, first.corrupt_count) == (7, 6, 1)
    assert tokens == ["2.png", "5.png", "broken.png"]
    assert "broken.png" in first.faults[0] and "damaged" in first.faults[0]

    stored = get_image(collection, key_of(pictures[0]))
    assert (stored.label, stored.source, stored.width, stored.height) == ("drawn", "tests", 200, 150)
    assert collection.pictures.original(stored.image_id) == pictures[0].read()
    assert collection.pictures.thumbnail(stored.image_id)[:2] == b"\xff\xd8"
    assert np.array_equal(read_picture(collection, stored.image_id).pixels, draw(0))

    again = ingest_images(collection, pictures, batch_images=3)
    assert (again.unchanged_count, again.added_count, again.replaced_count) == (6, 0, 0)

    changed = [
        make_item("0.png", as_png(draw(20)), label="drawn"),
        make_item("1.png", as_png(draw(1)), label="new"),
        make_item("2.png", b"no picture at all", label="drawn"),
        make_item("copy.png", as_png(draw(3))),
    ]
    second = ingest_images(collection, changed)
    assert (second.replaced_count, second.added_count, second.corrupt_count) == (2, 1, 1)
    assert second.duplicates == ((key_of(changed[3]), key_of(pictures[3])),)
    expected = {key_of(item) for item in (*changed[:2], *pictures[2:6], changed[3])}
    assert set(rows_of(collection)) == expected
    assert not collection.pictures.has(key_of(pictures[0])), "the files of what was replaced are gone"
    assert get_image(collection, key_of(changed[1])).label == "new"
    assert collect_image_stats(collection).image_count == 7

    delete_image(collection, key_of(changed[3]))
    assert collection.pictures.has(key_of(pictures[3])), "the same content is still there under another key"
    delete_image(collection, key_of(pictures[3]))
    assert not collection.pictures.has(key_of(pictures[3]))
    with pytest.raises(NotFoundError):
        get_image(collection, key_of(pictures[3]))


@pytest.mark.parametrize("gateway", ["lite"], indirect=True)
def test_the_same_place_or_content_in_batches_that_follow_each_other(collection, make_item):
    items = [
        make_item("a.png", as_png(draw(1))),
        make_item("b.png", as_png(draw(1))),
        make_item("a.png", as_png(draw(2))),
        make_item("c.png", b""),
        make_item("d.png", b""),
    ]
    report = ingest_images(collection, items, batch_images=1)
    assert (report.added_count, report.replaced_count, report.corrupt_count) == (2, 1, 2)
    assert report.duplicates == ((key_of(items[1]), key_of(items[0])),)
    assert set(rows_of(collection)) == {key_of(items[1]), key_of(items[2])}
    assert collection.pictures.has(key_of(items[1]))


@pytest.mark.parametrize("gateway", ["lite"], indirect=True)
def test_what_a_crash_between_insert_and_delete_left_is_cleaned_by_the_next_load(collection, make_item, monkeypatch):
    old, new = make_item("a.png", as_png(draw(1))), make_item("a.png", as_png(draw(2)))
    ingest_images(collection, [old])

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(collection.gateway.rows, "delete", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest_images(collection, [new])
    assert set(rows_of(collection)) == {key_of(old), key_of(new)}, "both are there, none is missing"
    assert ingest_images(collection, [new]).unchanged_count == 1
    assert set(rows_of(collection)) == {key_of(new)}


@pytest.mark.parametrize("gateway", ["lite"], indirect=True)
def test_one_picture_is_added_or_refused(collection):
    image_id = add_image(collection, as_png(draw(1)), name="mine.png", label="x")
    assert add_image(collection, as_png(draw(2)), name="mine.png") != image_id
    assert len(rows_of(collection)) == 1
    with pytest.raises(MediaError):
        add_image(collection, b"<svg xmlns='http://www.w3.org/2000/svg'/>", name="mine.png")
    with pytest.raises(UsageError):
        add_image(collection, b"", name="mine.png")
    assert len(rows_of(collection)) == 1


def test_a_report_is_read_back_as_it_was_written():
    report = ImageIngestReport(image_count=2, corrupt_count=1, duplicates=(("a", "b"),), faults=("x: y",))
    assert ImageIngestReport.from_dict(report.as_dict()) == report
    assert report.plus(report).faults == ("x: y", "x: y")
