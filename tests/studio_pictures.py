"""A few pictures in the collection of the running studio: shapes in colours, and one copy of one of them."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw

__all__ = ["LABELS", "as_file", "draw_shape", "pictures"]

LABELS = ("circle", "square", "stripes")
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 70), "blue": (50, 80, 200), "gold": (220, 170, 40)}


@pytest.fixture(scope="session")
def pictures(studio):
    """Keys of the stored pictures by name, `red-circle.png` and so on; `copy.jpg` is the red circles, smaller."""
    files = {
        f"{colour}-{label}.png": (label, as_file(draw_shape(label, colour))) for label in LABELS for colour in COLOURS
    }
    files["copy.jpg"] = ("circle", as_file(draw_shape("circle", "red").resize((180, 180)), "JPEG", quality=60))
    with studio.client() as client:
        # The first picture opens the encoder and makes the collection.
        keys = dict([_wait_and_post(client, *next(iter(files.items())))])
        with ThreadPoolExecutor(4) as pool:
            keys |= dict(pool.map(lambda pair: _wait_and_post(client, *pair), list(files.items())[1:]))
    return keys


def draw_shape(label, colour, *, size=240):
    """A picture with enough corners for the geometric check: the shape, many times over, of several sizes."""
    shuffled = np.random.default_rng(LABELS.index(label) * 10 + len(colour))
    picture = Image.new("RGB", (size, size), "white")
    pen = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y, side = (int(value) for value in shuffled.integers((0, 0, 24), (size - 40, size - 40, 90)))
        box = (x, y, x + side, y + side)
        if label == "circle":
            pen.ellipse(box, fill=COLOURS[colour], outline="black", width=3)
        elif label == "square":
            pen.rectangle(box, fill=COLOURS[colour], outline="black", width=3)
        else:
            pen.line((x, 0, size - y, size), fill=COLOURS[colour], width=8)
    return picture


def as_file(picture, kind="PNG", **options):
    """The bytes of a file of that kind."""
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def _wait_and_post(client, name, pair):
    from tests.studios import wait_for

    label, content = pair
    answers = []

    def is_stored():
        answers.append(client.post("/api/v1/images", files={"picture": (name, content)}, data={"label": label}))
        return answers[-1].status_code != 503

    wait_for(is_stored, timeout_s=120, what=lambda: answers[-1].text)
    assert answers[-1].status_code == 201, answers[-1].text
    return name, answers[-1].json()["image_id"]
