"""The address of a search page: everything it shows, and back again."""

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from milvuslab.studio.pages.page_state import PageState, read_state

WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), max_size=12)


@given(q=WORD, source=WORD, like=st.lists(st.text("abc0", min_size=1, max_size=6), max_size=5, unique=True))
def test_an_address_leads_back_to_its_page(q, source, like):
    state = PageState(q=q, source=source, like=tuple(like))
    assert read_state(urlsplit(state.href).query) == state


def test_an_empty_page_has_a_plain_address():
    assert PageState().href == "/text"
    assert PageState().is_empty
    assert not PageState(like=("a",)).is_empty


def test_the_way_through_similar_documents_can_be_walked_back():
    state = PageState(q="snow").similar_to("a").similar_to("b").similar_to("c")
    assert state.like == ("a", "b", "c")
    assert state.back_to(1).like == ("a",)
    assert state.back_to(0) == PageState(q="snow")


def test_going_in_a_circle_does_not_lengthen_the_way():
    assert PageState(like=("a", "b", "c")).similar_to("b").like == ("a", "b")


def test_the_way_is_bounded():
    state = PageState()
    for number in range(100):
        state = state.similar_to(str(number))
    assert state.like[-1] == "99"
    assert len(state.like) <= 12
    assert len(read_state("&".join(f"like={number}" for number in range(500))).like) <= 12


def test_unknown_and_repeated_parts_are_left_out():
    assert read_state("q=a&q=b&page=7&x") == PageState(q="a")
