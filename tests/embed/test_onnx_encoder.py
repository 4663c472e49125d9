"""What real encoders promise: meaning, order, batches, any text, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from milvuslab.embed import ENCODERS
from tests.embed.samples import ENGLISH, EVERYTHING, KOREAN, in_nfd


@pytest.fixture(scope="session")
def encoders(minilm, e5, e5_q4, use, pair):
    return {"minilm": minilm, "e5-small": e5, "e5-small-q4": e5_q4, "use": use, "pair:e5-small+use": pair}


@pytest.fixture(params=[*ENCODERS, "pair:e5-small+use"])
def encoder(request, encoders):
    return encoders[request.param]


def best(encoder, question, passages):
    scores = encoder.encode_passages(passages) @ encoder.encode_queries([question])[0]
    return passages[int(scores.argmax())]


ENGLISH_PAIRS = [
    ("a feline on a carpet", ENGLISH[0]),
    ("why did share prices drop", ENGLISH[2]),
    ("classical concert", ENGLISH[3]),
    ("start a new page in my text", ENGLISH[4]),
    ("how do plants make food", ENGLISH[5]),
]

KOREAN_PAIRS = [
    ("한국의 수도는 어디인가", KOREAN[0]),
    ("큰 항구 도시", KOREAN[1]),
    ("금리 인상으로 주식 시장이 하락", KOREAN[2]),
    ("새 페이지로 넘기는 방법", KOREAN[3]),
    ("식물이 햇빛으로 양분을 만드는 과정", KOREAN[5]),
]


@pytest.mark.parametrize(("question", "answer"), ENGLISH_PAIRS)
def test_an_english_question_finds_its_passage(encoder, question, answer):
    found = best(encoder, question, ENGLISH)
    # Two passages speak of a cat on something soft; either is right.
    assert found in (answer, ENGLISH[1]) if answer == ENGLISH[0] else found == answer


@pytest.mark.parametrize(("question", "answer"), KOREAN_PAIRS)
@pytest.mark.parametrize("name", ["e5-small", "e5-small-q4", "use", "pair:e5-small+use"])
def test_a_korean_question_finds_its_passage(encoders, name, question, answer):
    assert best(encoders[name], question, KOREAN) == answer


def test_a_korean_question_finds_an_english_passage(e5):
    assert best(e5, "주가가 떨어진 이유", ENGLISH) == ENGLISH[2]
    assert best(e5, "식물은 어떻게 양분을 만드는가", ENGLISH) == ENGLISH[5]


def test_vectors_are_float32_of_length_one(encoder):
    for vectors in (encoder.encode_passages(EVERYTHING), encoder.encode_queries(EVERYTHING)):
        assert vectors.shape == (len(EVERYTHING), encoder.fingerprint.dim) and vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_rows(encoder):
    assert encoder.encode_passages([]).shape == (0, encoder.fingerprint.dim) == encoder.encode_queries([]).shape


def test_a_batch_says_what_single_texts_say(encoder):
    together = encoder.encode_passages(EVERYTHING)
    alone = np.vstack([encoder.encode_passages([text]) for text in EVERYTHING])
    assert np.array_equal(together, alone)


def test_the_order_of_the_texts_is_kept(encoder):
    texts = sorted(ENGLISH + KOREAN, key=len, reverse=True)
    shuffled = [texts[place] for place in np.random.default_rng(7).permutation(len(texts))]
    scores = encoder.encode_passages(texts) @ encoder.encode_passages(shuffled).T
    assert [shuffled[place] for place in scores.argmax(axis=1)] == texts


def test_both_unicode_forms_are_one_text(encoder):
    texts = [*KOREAN, "café naïve"]
    composed = encoder.encode_passages(texts)
    decomposed = encoder.encode_passages([in_nfd(text) for text in texts])
    assert (composed * decomposed).sum(axis=1).min() >= 0.9999


def test_a_very_long_text_is_its_beginning(encoder):
    sentence = "Vectors of long texts are cut at the limit of the model. "
    long = encoder.encode_passages([sentence * 20_000])
    shorter = encoder.encode_passages([sentence * 60])
    assert float((long * shorter).sum()) >= 0.9999
    assert len(encoder.token_offsets(sentence * 60)) > encoder.limit_tokens


def test_what_lies_beyond_the_limit_is_not_seen(encoder):
    body = "word " * (encoder.limit_tokens + 10)
    assert np.array_equal(encoder.encode_passages([body + "one end"]), encoder.encode_passages([body + "other tail"]))


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00", "\ud800", "\u200b", "\x01\x02", "a\x00b"])
def test_odd_texts_have_a_vector(encoder, text):
    assert np.isfinite(encoder.encode_passages([text])).all()


def test_queries_differ_from_passages_only_in_e5(encoder):
    same = float((encoder.encode_queries(["Seoul"]) * encoder.encode_passages(["Seoul"])).sum())
    assert same > 0.99999 if encoder.fingerprint.name in ("minilm", "use") else 0.6 < same < 0.999


def test_the_limits_are_those_of_the_models(encoders):
    assert {name: (each.limit_tokens, each.overhead_tokens) for name, each in encoders.items()} == {
        "minilm": (256, 2),
        "e5-small": (512, 4),
        "e5-small-q4": (512, 4),
        "use": (512, 2),
        "pair:e5-small+use": (512, 4),
    }


def test_a_passage_of_the_limit_less_the_overhead_is_not_cut(encoder):
    room = encoder.limit_tokens - encoder.overhead_tokens
    fitting = " ".join(["cat"] * room)
    assert len(encoder.token_offsets(fitting)) == room
    longer, cut = (encoder.encode_passages([f"{fitting}{end}"]) for end in (" dog", " dog dog"))
    assert np.array_equal(longer, cut) and np.array_equal(encoder.encode_passages([fitting]), longer)


def test_threads_get_the_same_vectors(encoder):
    expected = encoder.encode_passages(KOREAN)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(encoder.encode_passages, [KOREAN] * 12):
            assert np.array_equal(vectors, expected)


def test_minilm_knows_no_korean(minilm):
    pair = minilm.encode_passages([KOREAN[4], ENGLISH[0]])
    assert pair[0] @ pair[1] < 0.3
