"""Documents and questions of somebody who wishes us ill: they are stored and shown as the text they are."""

import pytest

HOSTILE = [
    "<script>alert('owned')</script> in the middle of a sentence about locksmiths",
    '"><img src=x onerror=alert(1)> is what the locksmith wrote',
    "{{ constructor.constructor('alert(1)')() }} said the locksmith",
    "'; DROP TABLE documents; -- the locksmith's lunch",
    'x" or document_id != "" or title == "locksmith',
    "null \u0000 bell \u0007 and escape \u001b[31m around a locksmith",
    "right \u202e to left \u202c locksmith",
    "a locksmith \\' with \\\\ backslashes \\u0000 \\x00",
    "locksmith " + "가" * 3_000 + " end",
    "locksmith\r\nSet-Cookie: a=b\r\n\r\n<html>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_document_comes_back_as_text(http, text):
    posted = http.post("/api/v1/text/documents?wait=true", json={"title": text[:100], "text": text, "language": "en"})
    assert posted.status_code == 201, posted.text
    address = f"/api/v1/text/documents/{posted.json()['document_id']}"
    stored = http.get(address).json()
    kept = "".join(letter for letter in text if letter in "\r\n\u202e\u202c" or letter.isprintable())
    assert " ".join(stored["text"].split()) == " ".join(kept.split())
    assert http.delete(address).status_code == 200


@pytest.mark.parametrize("question", HOSTILE[:8])
def test_a_hostile_question_is_only_a_question(http, question):
    answer = http.get("/api/v1/text/search", params={"q": question, "source": question[:60]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["hits"] == []


def test_the_answers_of_the_api_cannot_become_a_page(http):
    answer = http.get("/api/v1/text/search", params={"q": "<script>alert(1)</script>"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
