"""A whole evaluation through a real Lite server with the real encoder, on pictures drawn for it."""

import dataclasses
import io
import json
import re

import numpy as np
import pytest

from milvuslab.apps.image.classify import classify_by_neighbours, classify_stored, fit_calibration
from milvuslab.apps.image.cluster import cluster_images
from milvuslab.apps.image.collection import create_image_collection
from milvuslab.apps.image.evaluate import EvaluationPlan, evaluate_collection, evaluate_images
from milvuslab.apps.image.evaluation_page import render_evaluation
from milvuslab.apps.image.figures import (
    as_plotly,
    count_confusion,
    draw_duplicates,
    draw_grid,
    make_confusion,
    make_map,
)
from milvuslab.apps.image.ingest import ingest_images
from milvuslab.apps.image.projection import project_map, read_kept_map
from milvuslab.apps.image.variants import VARIANTS, make_variant
from milvuslab.apps.image.vector_table import fetch_digest, fetch_vectors
from milvuslab.data.images.source import ImageItem
from milvuslab.embed.images.catalog import open_image_encoder
from milvuslab.gateway import connect
from milvuslab.model.errors import SchemaError, UsageError

CLASSES = ("discs", "stripes", "checks")
EACH = 8


def draw(kind, number):
    """A PNG of one of the three kinds, in colours, sizes and places of its own."""
    image_module = pytest.importorskip("PIL.Image")
    dice = np.random.default_rng(sum(map(ord, kind)) * 100 + number)
    side = 160
    rows, columns = np.mgrid[:side, :side]
    step = int(dice.integers(12, 24))
    if kind == "discs":
        middles = dice.integers(20, side - 20, (5, 2))
        mask = np.any([(rows - y) ** 2 + (columns - x) ** 2 < step**2 for y, x in middles], axis=0)
    elif kind == "stripes":
        mask = (rows + int(dice.integers(0, step))) // step % 2 == 0
    else:
        mask = (rows // step + columns // step) % 2 == 0
    ink, paper = dice.integers(0, 120, 3), dice.integers(150, 256, 3)
    out = io.BytesIO()
    image_module.fromarray(np.where(mask[..., None], ink, paper).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def make_items(*, each=EACH):
    for kind in CLASSES:
        for number in range(each):
            content = draw(kind, number)
            yield ImageItem(
                key=f"{kind}/{number}.png", label=kind, source="drawn", name=f"{kind} {number}",
                read=lambda content=content: content, resume_token="",
            )  # fmt: skip


@pytest.fixture(scope="module")
def gateway(lite_endpoint):
    with connect(lite_endpoint) as opened:
        yield opened


@pytest.fixture(scope="module")
def encoder(server_settings):
    return open_image_encoder("efficientnet-lite0", settings=server_settings)


@pytest.fixture(scope="module")
def collection(gateway, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    made = create_image_collection(gateway, "milvuslab_test_drawn", encoder=encoder, pictures_dir=folder)
    ingest_images(made, make_items())
    yield made
    gateway.collections.drop(made.name)


def test_a_picture_gets_the_class_of_its_neighbours_and_never_its_own_vote(collection):
    table = fetch_vectors(collection)
    assert len(table.ids) == len(CLASSES) * EACH
    assert table.has_labels
    answers = classify_stored(collection, table, range(len(table.ids)), k=5)
    right = [one.best_label == label for one, label in zip(answers, table.labels, strict=True)]
    assert np.mean(right) > 0.9
    assert all(vote.nearest_id != table.ids[row] for row, one in enumerate(answers) for vote in one.votes)
    with_itself = classify_by_neighbours(collection, table.vectors[0], k=1)[0]
    assert with_itself.votes[0].nearest_id == table.ids[0]


def test_it_abstains_below_the_threshold_and_says_what_its_confidence_is(collection):
    table = fetch_vectors(collection)
    lost = table.vectors.mean(axis=0)
    (unsure,) = classify_by_neighbours(collection, lost / np.linalg.norm(lost), k=20, threshold=0.99)
    assert unsure.label == ""
    assert unsure.best_label in CLASSES
    assert not unsure.is_calibrated
    calibration = fit_calibration(collection, table, k=5)
    (sure,) = classify_by_neighbours(collection, table.vectors[0], k=5, calibration=calibration)
    assert sure.is_calibrated
    assert sure.label == table.labels[0]
    assert 0 < sure.confidence <= 1


@pytest.mark.parametrize("how", [{"k": 0}, {"threshold": 1.5}])
def test_a_question_out_of_range_is_refused(collection, how):
    with pytest.raises(UsageError):
        classify_by_neighbours(collection, np.zeros((1, 1280), dtype=np.float32), **how)
    with pytest.raises(SchemaError):
        classify_by_neighbours(collection, np.zeros((1, 3), dtype=np.float32))


def test_groups_are_told_by_keys_with_a_middle_and_examples(collection):
    found = cluster_images(collection, k=3, example_count=4)
    assert [group.number for group in found.groups] == [0, 1, 2]
    assert sum(group.image_count for group in found.groups) == len(found.ids) == len(found.labels)
    assert found.nmi > 0.5
    for group in found.groups:
        assert group.example_ids[0] == group.medoid_id
        assert found.labels[found.ids.index(group.medoid_id)] == group.number


def test_a_map_is_kept_until_the_content_changes(collection):
    first = project_map(collection)
    assert read_kept_map(collection).digest == first.digest == fetch_digest(collection)
    assert (project_map(collection).xy == first.xy).all()
    kept = collection.pictures.folder / "map.npz"
    kept.write_bytes(b"damaged")
    assert read_kept_map(collection) is None
    assert project_map(collection).digest == first.digest
    image_id = first.ids[0]
    row = collection.gateway.rows.get(collection.name, [image_id])
    collection.gateway.rows.delete(collection.name, ids=[image_id])
    assert fetch_digest(collection) != first.digest
    collection.gateway.rows.insert(collection.name, row)
    assert fetch_digest(collection) == first.digest


def test_an_evaluation_measures_everything_and_leaves_nothing(gateway, encoder, tmp_path):
    before = set(gateway.collections.list())
    broken = ImageItem(
        key="broken.png", label="discs", source="drawn", name="broken", read=lambda: b"\x89PNG\r\n", resume_token=""
    )
    plan = EvaluationPlan(near_count=6, variants=("jpeg", "flip"))
    found = evaluate_images(
        [*make_items(), broken], source="drawn <b>", encoder=encoder, gateway=gateway, plan=plan, scratch_dir=tmp_path
    )
    assert set(gateway.collections.list()) == before
    assert list(tmp_path.iterdir()) == []
    names = ["map@10", "p@1", "knn accuracy", "near: jpeg", "near: flip"]
    assert [one.name for one in found.measures][: len(names)] == names
    for one in found.measures:
        assert one.low <= one.mean <= one.high
        assert one.mean > one.chance, one
    assert found.measure("p@1").mean > 0.85
    assert found.measure("p@1").chance == pytest.approx((EACH - 1) / (3 * EACH - 1))
    assert found.measure("near: jpeg").mean > 0.6
    assert found.measure("near: flip").count == 6
    # All of six prove less than always.
    assert found.measure("p@1").low < 1
    assert found.ingest.corrupt_count == 1
    told = json.loads(json.dumps(found.as_dict()))
    assert told["label_counts"] == dict.fromkeys(CLASSES, EACH)
    page = render_evaluation(found)
    assert "drawn &lt;b&gt;" in page
    assert "drawn <b>" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=['\"]http", page)


def test_an_interrupted_evaluation_leaves_nothing(gateway, encoder, tmp_path):
    before = set(gateway.collections.list())

    def stop(progress):
        if progress.step == "classify":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_images(
            make_items(each=3), source="drawn", encoder=encoder, gateway=gateway, scratch_dir=tmp_path, observer=stop
        )
    assert set(gateway.collections.list()) == before
    assert list(tmp_path.iterdir()) == []


def test_without_labels_only_what_needs_none_is_measured(gateway, encoder):
    items = [dataclasses.replace(item, label="") for item in make_items(each=3)]
    plan = EvaluationPlan(near_count=0)
    found = evaluate_images(items, source="drawn", encoder=encoder, gateway=gateway, plan=plan)
    assert [one.name for one in found.measures] == ["silhouette"]
    assert "no class has two pictures" in found.absent[0]
    assert found.confusion is None


def test_a_collection_that_is_there_is_evaluated_and_stays(collection):
    found = evaluate_collection(collection, source="drawn", plan=EvaluationPlan(near_count=0, query_count=5))
    assert found.measure("p@1").count == 5
    assert collection.gateway.collections.exists(collection.name)


def test_an_unknown_change_is_refused():
    with pytest.raises(UsageError, match="no variant blur"):
        EvaluationPlan(variants=("blur",))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_another_picture_of_the_promised_size(name):
    pixels = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    changed = make_variant(pixels, name)
    sizes = {"crop": (68, 90, 3), "scale": (45, 60, 3), "48px": (36, 48, 3)}
    assert changed.shape == sizes.get(name, pixels.shape)
    assert changed.shape != pixels.shape or (changed != pixels).any()
    if name == "flip":
        assert (changed[:, ::-1] == pixels).all()
    if name == "grey":
        assert (changed == changed[..., :1]).all()


def test_figures_show_the_values(collection):
    points = project_map(collection)
    chart = make_map(points, title="drawn")
    assert {trace["name"] for trace in chart["data"]} == set(CLASSES)
    assert sum(len(trace["x"]) for trace in chart["data"]) == len(points.ids)
    assert as_plotly(chart).data[0].type == "scattergl"
    confusion = count_confusion(["a", "a", "b"], ["a", "b", "c"])
    assert confusion.labels == ("a", "b", "other")
    assert confusion.counts == ((1, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0))
    assert make_confusion(confusion)["data"][0]["x"] == ["a", "b", "other", "none"]
    grid = draw_grid(collection, [*points.ids[:11], "0123456789abcdef-" + "0" * 24], columns=6)
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(grid))
    assert image.size == (6 * 102 + 6, 2 * 102 + 6)


def test_nothing_is_not_drawn(collection):
    report = type("Empty", (), {"groups": ()})()
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_duplicates(collection, report)
