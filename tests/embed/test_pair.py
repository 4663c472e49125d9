"""Two encoders in one vector: what the inner product means, what the name says, and what it finds across languages."""

import json

import numpy as np
import pytest

from milvuslab.embed import open_encoder
from milvuslab.embed.pair import open_pair, read_centre
from milvuslab.embed.pair.centre import render_means
from milvuslab.model.errors import ConfigError, NotFoundError
from tests.embed.samples import ENGLISH, KOREAN

QUESTIONS = ["주가가 떨어진 이유", "식물은 어떻게 양분을 만드는가", "베토벤 연주회"]
ANSWERS = [ENGLISH[2], ENGLISH[5], ENGLISH[3]]


@pytest.fixture(scope="module")
def plain(e5, use):
    """The pair without means, whose scores can be told from those of its parts."""
    return open_pair("e5-small+use?weight=0.25&centred=no", open_encoder={"e5-small": e5, "use": use}.__getitem__)


def test_the_score_is_the_weighted_mean_of_both_cosines(plain, e5, use):
    joined = plain.encode_queries(QUESTIONS) @ plain.encode_passages(ENGLISH).T
    parts = [each.encode_queries(QUESTIONS) @ each.encode_passages(ENGLISH).T for each in (e5, use)]
    assert joined == pytest.approx((parts[0] + 0.25 * parts[1]) / 1.25, abs=1e-5)


def test_taking_the_mean_of_each_language_away_brings_translations_nearer(pair, plain):
    def lead(encoder):
        """How much nearer the right English passage is than the best wrong one, on average."""
        scores = encoder.encode_queries(QUESTIONS) @ encoder.encode_passages(ENGLISH).T
        right = [ENGLISH.index(answer) for answer in ANSWERS]
        wrong = scores.copy()
        wrong[range(len(right)), right] = -1
        return float((scores[range(len(right)), right] - wrong.max(axis=1)).mean())

    assert lead(pair) > 1.5 * lead(plain) > 0


def test_korean_and_english_lie_on_one_shelf(pair):
    shelf = [*ENGLISH, *KOREAN]
    found = (pair.encode_queries(["cat on a mat"]) @ pair.encode_passages(shelf).T)[0].argsort()[::-1]
    assert {shelf[place] for place in found[:3]} == {ENGLISH[0], ENGLISH[1], KOREAN[4]}


def test_both_parts_read_the_same_piece_of_a_long_text(pair):
    body = "고양이 " * (pair.limit_tokens + 10)
    assert np.array_equal(pair.encode_passages([body + "하나"]), pair.encode_passages([body + "둘이서 하나"]))


def test_the_name_opens_the_same_pair_again(pair, plain):
    assert pair.fingerprint.name == "pair:e5-small+use"
    assert plain.fingerprint.name == "pair:e5-small+use?weight=0.25&centred=no"
    assert len({pair.fingerprint.sha256, plain.fingerprint.sha256}) == 2
    assert pair.fingerprint.dim == 896


def test_the_catalog_opens_the_encoders_of_a_pair(settings, e5):
    with pytest.raises(NotFoundError, match="nobody"):
        open_encoder("pair:e5-small+nobody", settings=settings)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ("e5-small", "names no pair"),
        ("a+b+c", "names no pair"),
        ("+use", "names no pair"),
        ("a+b?wait=1", "names no pair"),
        ("a+b?centred=perhaps", "names no pair"),
        ("a+b?weight=much", "much"),
        ("a+b?weight=0", "weight"),
        ("a+b?weight=nan", "weight"),
    ],
)
def test_a_pair_that_is_none_is_refused_before_anything_is_opened(described, said):
    with pytest.raises(ConfigError, match=said):
        open_pair(described, open_encoder=lambda name: pytest.fail(f"{name} was opened"))


def test_an_encoder_without_means_is_used_as_it_is(use, minilm):
    opened = open_pair("minilm+use", open_encoder={"minilm": minilm, "use": use}.__getitem__)
    assert read_centre("minilm") is None
    assert opened.encode_passages(ENGLISH)[:, :384] * np.sqrt(1.9) == pytest.approx(
        minilm.encode_passages(ENGLISH), abs=1e-5
    )


def test_means_survive_writing():
    kept = read_centre("use")
    again = json.loads(render_means({"use": kept.means}))["use"]
    assert again == json.loads(render_means({"use": read_centre("use").means}))["use"]
    assert {vector.shape for vector in kept.means.values()} == {(512,)}
