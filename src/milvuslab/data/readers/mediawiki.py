"""Articles of a MediaWiki dump: redirects and pages outside the article namespace left out, markup removed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from milvuslab.data.document import Document
from milvuslab.data.readers.columns import to_unix_s
from milvuslab.data.readers.dump_pages import DumpDamagedError, Page, Site, iterate_pages, read_site
from milvuslab.data.readers.source import Source, bad_token, damaged, parse_position
from milvuslab.data.readers.wikitext import wikitext_to_text
from milvuslab.model.errors import PartialError

__all__ = ["read_mediawiki"]

_MARKUP_PER_TEXT = 4
"""Markup of an article is two to three times as long as its text: with it, only hopeless pages are dropped unparsed."""


def read_mediawiki(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """Articles in the order of the dump; their id is the page id, their time that of the last revision.

    Raises:
        SchemaError: it is no MediaWiki export.
        PartialError: the dump is damaged; every page before the damage has been given.
        UnsupportedError: the extra `text` is not installed.
    """
    stream_offset, skip_pages = parse_position(position, default=(0, 0))
    try:
        site = read_site(source.path)
    except DumpDamagedError as error:
        raise damaged(source, f"no MediaWiki export: {error}") from error
    if stream_offset and not (site.is_multistream and stream_offset < source.path.stat().st_size):
        raise bad_token(position)
    page_count, last_position = 0, position
    pages = iterate_pages(
        source.path,
        site,
        stream_offset=stream_offset,
        skip_pages=skip_pages,
        markup_limit_chars=_MARKUP_PER_TEXT * source.document_limit_chars,
    )
    try:
        for page in pages:
            page_count += 1
            last_position = page.position
            if document := _document(source, site, page):
                yield document, page.position
    except DumpDamagedError as error:
        raise PartialError(
            f"{source.name} is damaged behind page {page_count} of this reading: {error}",
            done_count=page_count,
            resume_token=last_position and f"{last_position}@{source.name}",
            hint="what came before was read; fetch the dump again and go on from there",
        ) from error


def _document(source: Source, site: Site, page: Page) -> Document | None:
    number = int(page.page_id) if page.page_id.isdecimal() else None
    if page.is_redirect:
        source.skip("redirect", f"{page.title!r} is a redirect", row=number)
    elif page.namespace != "0":
        source.skip("namespace", f"{page.title!r} is in namespace {page.namespace}, not an article", row=number)
    elif page.model != "wikitext":
        source.skip("format", f"{page.title!r} is {page.model}, not wikitext", row=number)
    elif page.is_too_long:
        limit = _MARKUP_PER_TEXT * source.document_limit_chars
        source.skip("too long", f"{page.title!r} has more than {limit:,} characters of markup", row=number)
    else:
        named = source if source.source or not site.name else source.named(site.name)
        text = wikitext_to_text(page.markup)
        try:
            published_at_s = to_unix_s(page.changed_at)
        except ValueError:
            published_at_s = None
        return named.document(
            text=text,
            title=page.title,
            row=number,
            own_id=page.page_id,
            language=source.language or site.language or None,
            url=f"{site.base_url}{quote(page.title.replace(' ', '_'), safe='/:()!,;@$*')}"
            if len(site.base_url) > 1
            else "",
            published_at_s=published_at_s,
        )
    return None
