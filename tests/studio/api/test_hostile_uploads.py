"""Pictures of somebody who wishes us ill, sent to a real studio: each is told off, none costs memory, the studio lives.

`benchmarks/hostile_uploads.py` measures the same with every file to every route.
"""

import psutil
import pytest

from tests.hostile_pictures import HOSTILE_PICTURES
from tests.studio_pictures import as_file, draw_shape

STATUS = {"decoded": (200,), "limit": (413,), "media": (415,)}
GROWTH_LIMIT_BYTES = 400_000_000
"""One picture of 40 million pixels on its way costs up to 300 MB (docs/decisions/0094); afterwards it is given back."""


@pytest.mark.parametrize("picture", HOSTILE_PICTURES, ids=lambda picture: ascii(picture.name[:40]))
def test_a_hostile_upload_gets_a_clear_answer(http, pictures, picture):
    files = {"picture": (picture.name, picture.content, picture.media_type)}
    answer = http.post("/api/v1/images/search", files=files, data={"limit": "1"})
    assert answer.status_code in STATUS[picture.outcome], answer.text
    body = answer.json()
    if picture.outcome == "decoded":
        assert len(body["hits"]) == 1
    else:
        assert body["code"] == picture.outcome
        assert body["message"]
        assert body["request_id"]
        assert "Traceback" not in answer.text


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(studio, pictures):
    with studio.client() as client:
        answer = client.post("/api/v1/images/search", content=bytes(21_000_000), headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["context"]["setting"]) == (413, "upload_limit_bytes")


def test_nothing_hostile_is_stored_and_memory_stays(http, studio, pictures):
    process = psutil.Process(studio.process.pid)
    count_before = len(http.get("/api/v1/images", params={"limit": 100}).json()["images"])
    before = process.memory_info().rss
    for picture in HOSTILE_PICTURES:
        if picture.outcome != "decoded":
            answer = http.post("/api/v1/images", files={"picture": (picture.name, picture.content)})
            assert answer.status_code in (413, 415), (picture.name, answer.text)
    assert process.memory_info().rss - before < GROWTH_LIMIT_BYTES
    assert len(http.get("/api/v1/images", params={"limit": 100}).json()["images"]) == count_before
    files = {"picture": ("mine.png", as_file(draw_shape("circle", "red")))}
    found = http.post("/api/v1/images/search", files=files, data={"limit": "1"})
    assert found.json()["hits"][0]["image_id"] == pictures["red-circle.png"]


def test_a_stored_name_is_only_a_name(http, studio):
    content = as_file(draw_shape("square", "red").resize((50, 50)))
    for name in ("../../../../tmp/escaped.png", "<img src=x onerror=alert(1)>.png"):
        added = http.post("/api/v1/images", files={"picture": (name, content)}, data={"source": "hostile"})
        assert added.status_code == 201, added.text
        key = added.json()["image_id"]
        assert "/" not in http.get(f"/api/v1/images/{key}").json()["name"]
        home = studio.workspace.settings.home_dir
        assert not list(home.rglob("*escaped*"))
        assert http.delete(f"/api/v1/images/{key}").status_code == 200
