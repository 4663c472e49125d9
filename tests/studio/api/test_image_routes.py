"""The image routes over real HTTP on a real Milvus with the real encoder."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from milvuslab.model.errors import UsageError
from milvuslab.studio.api.image_routes import read_box
from milvuslab.studio.api.uploads import clean_file_name
from tests.studio_pictures import LABELS, as_file, draw_shape
from tests.studios import wait_for

SEARCH = "/api/v1/images/search"


def file_of(label="circle", colour="blue", **options):
    return as_file(draw_shape(label, colour, **options))


def search(http, *, files=(), **fields):
    answer = http.post(SEARCH, files=files or None, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def study(http, path, **parameters):
    """The value of a study, asked for until it is done."""
    answers = []

    def is_done():
        answers.append(http.get(f"/api/v1/images/{path}", params=parameters))
        return answers[-1].status_code != 202

    wait_for(is_done, timeout_s=90, what=lambda: answers[-1].text)
    assert answers[-1].status_code == 200, answers[-1].text
    return answers[-1].json()["value"]


def test_an_uploaded_picture_finds_itself_first(http, pictures):
    found = search(http, files={"picture": ("mine.png", file_of())}, limit=5)
    first = found["hits"][0]
    assert (first["image_id"], first["name"], first["label"]) == (
        pictures["blue-circle.png"],
        "blue-circle.png",
        "circle",
    )
    assert first["score"] == pytest.approx(1, abs=1e-3)
    assert first["hash_distance"] == 0
    scores = [hit["score"] for hit in found["hits"]]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    timing = found["timing"]
    assert min(timing.values()) > 0
    assert timing["decode_ms"] + timing["embed_ms"] + timing["milvus_ms"] <= timing["total_ms"] + 0.01


def test_a_picture_may_be_the_whole_body_with_parameters_in_the_address(http, pictures):
    answer = http.post(
        f"{SEARCH}?limit=2&label=square", content=file_of("square", "red"), headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 200, answer.text
    assert [hit["label"] for hit in answer.json()["hits"]] == ["square", "square"]
    assert answer.json()["hits"][0]["image_id"] == pictures["red-square.png"]


def test_several_examples_of_both_kinds_are_one_question(http, pictures):
    liked, disliked = pictures["red-circle.png"], pictures["red-square.png"]
    by_key = http.get(SEARCH, params={"like": [liked, pictures["blue-circle.png"]], "unlike": disliked, "limit": 20})
    assert by_key.status_code == 200, by_key.text
    keys = [hit["image_id"] for hit in by_key.json()["hits"]]
    assert not {liked, pictures["blue-circle.png"], disliked} & set(keys)
    files = [("picture", ("a.png", file_of("circle", "red"))), ("unlike_picture", ("b.png", file_of("square", "red")))]
    with_files = search(http, files=files, like=pictures["blue-circle.png"], limit=20)
    assert with_files["hits"][0]["image_id"] == liked
    plain = search(http, files=files[:1], like=pictures["blue-circle.png"], limit=20)
    rank = lambda found: [hit["image_id"] for hit in found["hits"]].index(disliked)  # noqa: E731
    assert rank(with_files) >= rank(plain)


def test_a_crop_looks_at_a_part(http, pictures):
    both = Image.new("RGB", (480, 240), "white")
    both.paste(draw_shape("stripes", "green"), (0, 0))
    both.paste(draw_shape("square", "gold"), (240, 0))
    half = {}
    for name, crop in (("left", "0,0,0.5,1"), ("right", "0.5,0,1,1")):
        found = search(http, files={"picture": ("both.png", as_file(both))}, crop=crop, limit=1)
        half[name] = found["hits"][0]["image_id"]
    assert half == {"left": pictures["green-stripes.png"], "right": pictures["gold-square.png"]}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"limit": "0"}, 422, "validation"),
        ({"limit": "many"}, 422, "validation"),
        ({"limit": "100000"}, 413, "limit"),
        ({"crop": "1,1,0,0"}, 400, "usage"),
        ({"crop": "all"}, 400, "usage"),
        ({"like": "../../etc/passwd"}, 404, "not_found"),
        ({"like": ["x"] * 40}, 422, "validation"),
        ({"collection": "nowhere"}, 404, "not_found"),
        ({"collection": "text_en"}, 409, "conflict"),
        ({"another": "1"}, 422, "validation"),
        ({"text": "a red circle"}, 501, "unsupported"),
        ({}, 400, "usage"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(http, pictures, fields, status, code):
    needs_file = bool(fields) and not set(fields) & {"text", "like"}
    files = {"picture": ("mine.png", file_of())}
    answer = http.post(SEARCH, files=files, data=fields) if needs_file else http.post(SEARCH, params=fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["hint"]


def test_what_is_no_form_and_no_picture_is_refused(http):
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = http.post(SEARCH, content=b"{}", headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "media")
    broken = http.post(SEARCH, content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=y"})
    assert broken.status_code == 400
    stray = http.post(SEARCH, files={"other": ("a.png", b"x")})
    assert (stray.status_code, stray.json()["code"]) == (400, "usage")
    many = http.post(SEARCH, files=[("picture", ("a.png", b"x"))] * 17)
    assert (many.status_code, many.json()["code"]) == (413, "limit")


def test_pictures_are_served_as_we_encoded_them(http, pictures):
    key = pictures["gold-circle.png"]
    for what, side in (("thumbnail", 240), ("original", 240)):
        answer = http.get(f"/api/v1/images/{key}/{what}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        shown = Image.open(io.BytesIO(answer.content))
        assert (shown.format, shown.size) == ("JPEG", (side, side))


@pytest.mark.parametrize(
    "key", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "x", "0" * 64, "4cd5b2b8dcdcc9fa-abababababababababababab"]
)
@pytest.mark.parametrize("what", ["", "/thumbnail", "/original", "/similar"])
def test_a_strange_key_is_not_there(http, pictures, key, what):
    answer = http.get(f"/api/v1/images/{key}{what}")
    assert answer.status_code == 404, answer.text


def test_a_picture_is_stored_found_read_and_removed(http, pictures):
    content = as_file(draw_shape("square", "blue").rotate(30, fillcolor="white"))
    added = http.post("/api/v1/images", files={"picture": ("../turned.png", content)}, data={"label": "turned"})
    assert added.status_code == 201, added.text
    key = added.json()["image_id"]
    again = http.post("/api/v1/images", files={"picture": ("other.png", content)}, data={"label": "turned"})
    assert again.json()["image_id"] == key
    read = http.get(f"/api/v1/images/{key}").json()
    assert (read["label"], read["source"], read["width"]) == ("turned", "studio", 240)
    assert read["name"] in ("turned.png", "other.png")
    similar = http.get(f"/api/v1/images/{key}/similar", params={"limit": 3}).json()["hits"]
    assert key not in [hit["image_id"] for hit in similar]
    assert http.delete(f"/api/v1/images/{key}").json()["image_id"] == key
    for method, address in (("DELETE", f"/api/v1/images/{key}"), ("GET", f"/api/v1/images/{key}/thumbnail")):
        assert http.request(method, address).status_code == 404


def test_some_pictures_can_be_looked_through(http, pictures):
    found = http.get("/api/v1/images", params={"limit": 4, "label": "circle"}).json()["images"]
    assert len(found) == 4
    assert {image["label"] for image in found} == {"circle"}
    assert http.get("/api/v1/images", params={"label": 'circle" or label != "'}).json()["images"] == []


def test_collections_tell_labels_and_what_they_can(http, pictures):
    def facts():
        (one,) = http.get("/api/v1/images/collections").json()["collections"]
        return one

    wait_for(lambda: {one["label"] for one in facts()["labels"]} == set(LABELS), what=lambda: str(facts()))
    assert facts()["collection"] == "images"
    assert facts()["encoder"] == "efficientnet-lite0"
    assert facts()["reads_text"] is False
    assert {one["label"]: one["image_count"] for one in facts()["labels"]} == {"circle": 5, "square": 4, "stripes": 4}


def test_neighbours_vote_for_a_label(http, pictures):
    turned = as_file(draw_shape("stripes", "red").rotate(90))
    found = http.post("/api/v1/images/classify", files={"picture": ("t.png", turned)}, data={"k": 4}).json()
    assert found["best_label"] == "stripes"
    assert sum(vote["share"] for vote in found["votes"]) == pytest.approx(1)
    stored = http.post("/api/v1/images/classify", params={"like": pictures["red-stripes.png"], "k": 3}).json()
    assert stored["best_label"] == "stripes"
    assert pictures["red-stripes.png"] not in [vote["nearest_id"] for vote in stored["votes"]]
    assert http.post("/api/v1/images/classify").status_code == 400


def test_two_pictures_are_compared_and_drawn(http, pictures):
    copy = {"like": [pictures["red-circle.png"], pictures["copy.jpg"]]}
    same = http.post("/api/v1/images/compare", params=copy).json()
    assert same["is_same"] is True
    drawing = Image.open(io.BytesIO(base64.b64decode(same["drawing_png"])))
    assert drawing.format == "PNG"
    assert drawing.width > drawing.height
    other = http.post(
        "/api/v1/images/compare", files={"picture": ("s.png", file_of("stripes", "green"))},
        data={"like": pictures["red-circle.png"]},
    )  # fmt: skip
    assert other.json()["is_same"] is False
    assert http.post("/api/v1/images/compare", params={"like": pictures["copy.jpg"]}).status_code == 400


def test_the_whole_collection_is_looked_at(http, pictures):
    shown = study(http, "map")
    assert set(pictures.values()) <= set(shown["image_ids"])
    assert shown["labels"] == sorted(LABELS)
    assert {len(shown[name]) for name in ("x", "y", "label")} == {len(shown["image_ids"])}
    assert np.abs([shown["x"], shown["y"]]).max() <= 1

    groups = study(http, "clusters", method="kmeans", count=3)
    assert sum(group["image_count"] for group in groups["clusters"]) == len(shown["image_ids"])
    assert -1 <= groups["scores"]["silhouette"] <= 1
    assert http.get("/api/v1/images/clusters", params={"method": "magic"}).status_code == 422

    twins = study(http, "duplicates")
    together = [{image["image_id"] for image in group["images"]} for group in twins["groups"]]
    assert any({pictures["red-circle.png"], pictures["copy.jpg"]} <= group for group in together)


def test_a_box_is_four_shares():
    assert read_box("") is None
    assert read_box("0, 0.1,1,0.5").bottom == 0.5
    for text in ("0,0,1", "nan,0,1,1", "0,0,2,1", "a,b,c,d"):
        with pytest.raises(UsageError):
            read_box(text)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\x\\cat.png", "cat.png"), ("a\r\nSet-Cookie: b.png", "aSet-Cookie: b.png"),
        ("..", ""), ("", ""), ("그림.png", "그림.png"), ("x" * 500, "x" * 199 + "…"),
    ],
)  # fmt: skip
def test_a_file_name_is_its_last_part(name, kept):
    assert clean_file_name(name) == kept
