"""Nothing that is put into markup can become markup."""

import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.studio.pages.answers import render_passage
from milvuslab.studio.pages.markup import Html, join, safe_link, tag

HOSTILE = st.text(alphabet=st.sampled_from("<>&\"'/= abonload가"), max_size=40)


class Reader(html.parser.HTMLParser):
    """Collects what a browser would see."""

    def __init__(self):
        super().__init__()
        self.tags, self.text, self.attributes = [], "", []

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


def read(markup):
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(text=HOSTILE, value=HOSTILE)
def test_text_and_attributes_stay_what_they_are(text, value):
    seen = read(tag("p", text, title=value))
    assert seen.tags == ["p"]
    assert seen.text == text
    assert seen.attributes == [("title", value)]


@given(text=HOSTILE, cut=st.integers(0, 40))
def test_a_passage_shows_exactly_its_text(text, cut):
    cut = min(cut, len(text))
    seen = read(render_passage(text, [(0, cut)]))
    assert seen.text == text
    assert seen.tags == ["mark"]


def test_parts_may_be_nested_missing_and_marked_up():
    assert join("a<", None, [Html("<b>"), "c"], ()) == "a&lt;<b>c"
    assert tag("input", name="q", required=True, hidden=False, value=None) == '<input name="q" required>'


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "//evil",
        "",
        "http://",
        "http://[bad",
        "file:///etc/passwd",
    ],
)
def test_only_web_addresses_become_links(url):
    assert safe_link(url) is None


def test_a_web_address_becomes_a_link():
    assert safe_link("https://example.org/a?b=c") == "https://example.org/a?b=c"
