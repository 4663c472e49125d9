"""Questions to a collection: by picture, part, key, examples for and against; filters; copies found again."""

import numpy as np
import pytest

from milvuslab.apps.image.collection import is_image_collection, open_image_collection
from milvuslab.apps.image.duplicates import find_near_duplicates
from milvuslab.apps.image.ingest import ingest_images
from milvuslab.apps.image.near import rank_near_duplicates
from milvuslab.apps.image.search import NEGATIVE_SHARE, Box, ImageQuery, combine_examples, search_images
from milvuslab.apps.image.variants import VARIANTS, make_variant
from milvuslab.data.images.decode import decode_image
from milvuslab.embed.images.hash import compute_hash
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import ConflictError, NotFoundError, UnsupportedError, UsageError
from tests.apps.image.conftest import as_png, draw

INKS = ("red", "green", "blue")


@pytest.fixture
def filled(collection, make_item):
    """Twelve drawings of three colours; the last two are wider."""
    ingest_images(
        collection,
        [
            make_item(f"{number}.png", as_png(draw(number, ink=INKS[number % 3], side_px=260 if number > 9 else 200)),
                      label=INKS[number % 3], source="even" if number % 2 == 0 else "odd")
            for number in range(12)
        ],
    )  # fmt: skip
    return collection


def names(answer):
    return [hit.name for hit in answer.hits]


def test_questions(filled):
    """One story on each server: a collection is filled once, everything is asked of it."""
    whole = search_images(filled, ImageQuery(pictures=[as_png(draw(4, ink="green"))], limit=3))
    best = whole.hits[0]
    assert (best.name, best.hash_distance) == ("4.png", 0) and best.score == pytest.approx(1, abs=1e-4)
    stored = filled.gateway.rows.get(filled.name, [best.image_id], ["hash"], consistency=Consistency.STRONG)
    assert int(stored["hash"][0]) == compute_hash(draw(4, ink="green"))
    assert len(whole.hits) == 3 and whole.decode_ms > 0 and whole.embed_ms > 0 and whole.milvus_ms > 0
    assert whole.total_ms == pytest.approx(whole.decode_ms + whole.embed_ms + whole.milvus_ms, abs=5)

    by_id = search_images(filled, ImageQuery(ids=[best.image_id], limit=12))
    assert "4.png" not in names(by_id) and len(by_id.hits) == 11
    assert names(by_id)[:2] == names(whole)[1:]

    box = Box(left=0, top=0, right=0.9, bottom=0.9)
    for question in (ImageQuery(ids=[best.image_id], box=box), ImageQuery(pictures=[draw_png(4)], box=box)):
        assert search_images(filled, question).hits[0].name in {"4.png", names(whole)[1]}

    assert {hit.label for hit in search_images(filled, ImageQuery(ids=[best.image_id], label="red")).hits} == {"red"}
    assert {hit.source for hit in search_images(filled, ImageQuery(ids=[best.image_id], source="odd")).hits} == {"odd"}
    wide = search_images(filled, ImageQuery(ids=[best.image_id], width_min=201, height_min=100))
    assert sorted(names(wide)) == ["10.png", "11.png"]
    near = search_images(filled, ImageQuery(pictures=[draw_png(4)], min_score=0.999))
    assert names(near) == ["4.png"]

    plain = search_images(filled, ImageQuery(pictures=[draw_png(0)], limit=12))
    other = next(hit for hit in plain.hits if hit.name == "1.png")
    pushed = search_images(filled, ImageQuery(pictures=[draw_png(0)], negative_ids=[other.image_id], limit=12))
    assert "1.png" not in names(pushed)
    by_name = {hit.name: hit.score for hit in pushed.hits}
    assert by_name["0.png"] < 1 - 1e-3, "the question moved away from the disliked one"

    with pytest.raises(NotFoundError):
        search_images(filled, ImageQuery(ids=["0" * 16 + "-" + "0" * 24]))
    with pytest.raises(UnsupportedError, match="text tower"):
        search_images(filled, ImageQuery(text="a red square"))


def draw_png(number):
    return as_png(draw(number, ink=INKS[number % 3]))


def test_a_copy_is_found_again_and_reported(filled, make_item):
    for name in VARIANTS:
        shown = decode_image(as_png(make_variant(draw(5, ink="blue"), name)))
        answer = rank_near_duplicates(filled, shown, limit=3)
        best = answer.found[0]
        assert best.hit.name == "5.png" and best.is_same, name
        assert best.is_mirrored == (name == "flip"), name
        assert len(answer.found) == 3 and best.likeness > answer.found[1].likeness
    assert answer.geometry_ms > 0 and answer.total_ms >= answer.geometry_ms

    ingest_images(
        filled,
        [
            make_item("5-again.png", draw_png(5)),
            make_item("5-crop.png", as_png(make_variant(draw(5, ink="blue"), "crop"))),
            make_item("6-flip.png", as_png(make_variant(draw(6), "flip"))),
        ],
    )
    events = []
    report = find_near_duplicates(filled, min_score=0.5, neighbour_count=8, observer=events.append)
    groups = [sorted(image.name for image in group.images) for group in report.groups]
    assert groups == [["5-again.png", "5-crop.png", "5.png"], ["6-flip.png", "6.png"]]
    evidence = {pair.evidence for pair in report.groups[0].pairs}
    assert evidence == {"file", "geometry"}
    assert report.image_count == 15 and report.is_complete and events
    cut_short = find_near_duplicates(filled, min_score=0.5, checks_max=0)
    assert not cut_short.is_complete and len(cut_short.groups) == 1, "equal files need no look at points"


@pytest.mark.parametrize("gateway", ["lite"], indirect=True)
def test_a_collection_is_bound_to_its_encoder_and_kind(collection, efficientnet, tmp_path):
    import dataclasses
    from types import SimpleNamespace

    described = collection.gateway.collections.describe(collection.name)
    assert is_image_collection(described)
    assert not is_image_collection(dataclasses.replace(described, description='{"kind": "milvuslab-text"}'))
    stranger = SimpleNamespace(fingerprint=dataclasses.replace(efficientnet.fingerprint, sha256="0" * 64))
    with pytest.raises(ConflictError, match="the vectors were made by"):
        open_image_collection(
            collection.gateway, collection.name, open_encoder=lambda _: stranger, pictures_dir=tmp_path
        )
    for folder in ("../../elsewhere", "", "0" * 15, "ABCDEF0123456789"):
        changed = described.description.replace('"pictures": "', f'"pictures": "{folder}", "was": "')
        assert not is_image_collection(dataclasses.replace(described, description=changed)), folder


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "  "},
        {"ids": ["x"], "limit": 0},
        {"ids": ["x"], "min_score": 2},
        {"ids": ["x"] * 33},
        {"ids": ["x", "y"], "box": Box(left=0, top=0, right=1, bottom=1)},
    ],
    ids=str,
)
def test_a_question_that_cannot_be_asked(values):
    with pytest.raises(UsageError):
        ImageQuery(**values)


@pytest.mark.parametrize("sides", [(0.5, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0.6, 0, 0.5, 1)], ids=str)
def test_a_box_lies_within_the_picture(sides):
    with pytest.raises(UsageError):
        Box(left=sides[0], top=sides[1], right=sides[2], bottom=sides[3])


def test_a_box_cuts_its_part():
    pixels = np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3)
    assert np.array_equal(Box(left=0.5, top=0, right=1, bottom=0.5).cut(pixels), pixels[:5, 10:])
    assert Box(left=0.999, top=0.999, right=1, bottom=1).cut(pixels).shape == (1, 1, 3)


def test_examples_become_one_direction():
    x, y = np.eye(2, dtype=np.float32)
    assert combine_examples([x, y]) == pytest.approx([0.5**0.5] * 2)
    away = combine_examples([x], [y])
    assert away == pytest.approx(np.array([1, -NEGATIVE_SHARE]) / np.hypot(1, NEGATIVE_SHARE))
    assert combine_examples([x * NEGATIVE_SHARE], [x]) == pytest.approx(x), "nothing is left: the liked ones are taken"
