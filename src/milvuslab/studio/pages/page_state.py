"""What a search page shows, as its address: everything can be shared, opened in a new tab, and gone back to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

__all__ = ["PageState", "read_state"]

_LIKE_MAX = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """The question, the filters, and the way through similar documents.

    Attributes:
        q: the question, as typed.
        language: `ko`, `en` or empty.
        source: filter, as typed.
        after: filter, a day.
        before: filter, a day.
        min_score: filter, as typed.
        collection: to search in; empty takes the language's.
        channel: `dense`, `lexical` or `hybrid`; empty takes what there is.
        across: `1` asks documents of every language.
        diversity: of similar documents, as typed.
        like: documents whose similar ones were opened, one after the other; the last is shown.
    """

    q: str = ""
    language: str = ""
    source: str = ""
    after: str = ""
    before: str = ""
    min_score: str = ""
    collection: str = ""
    channel: str = ""
    across: str = ""
    diversity: str = ""
    like: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked yet."""
        return not self.q.strip() and not self.like

    @property
    def has_filters(self) -> bool:
        """Whether a filter is set."""
        return any((self.language, self.source, self.after, self.before, self.min_score))

    @property
    def href(self) -> str:
        """The address of this page."""
        pairs = [(name, value) for name, value in dataclasses.asdict(self).items() if name != "like" and value]
        query = urlencode([*pairs, *(("like", document_id) for document_id in self.like)])
        return f"/text?{query}" if query else "/text"

    def similar_to(self, document_id: str) -> PageState:
        """The page of documents similar to that one; going there twice does not lengthen the way."""
        way = self.like[: self.like.index(document_id)] if document_id in self.like else self.like
        return dataclasses.replace(self, like=(*way, document_id)[-_LIKE_MAX:])

    def back_to(self, steps: int) -> PageState:
        """The page after the first `steps` documents of the way; 0 is the question itself."""
        return dataclasses.replace(self, like=self.like[:steps])

    def without_filters(self) -> PageState:
        """The same question with no filter."""
        return PageState(
            q=self.q, collection=self.collection, channel=self.channel, across=self.across, like=self.like,
            diversity=self.diversity,
        )  # fmt: skip

    def spread(self, diversity: str) -> PageState:
        """The same similar documents, more or less different from each other."""
        return dataclasses.replace(self, diversity=diversity)


def read_state(query: str) -> PageState:
    """The page of an address' query part; what is not known is left out.

    >>> read_state("q=snow&like=a&like=b&x=1").like
    ('a', 'b')
    """
    values = parse_qs(query, keep_blank_values=False, max_num_fields=None)
    names = [field.name for field in dataclasses.fields(PageState) if field.name != "like"]
    return PageState(
        **{name: _first(values.get(name, ())) for name in names}, like=tuple(values.get("like", ())[-_LIKE_MAX:])
    )


def _first(values: Sequence[str]) -> str:
    return values[0].strip() if values else ""
