"""Readers: from files, folders and addresses to documents, one at a time, each with a place to go on from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from milvuslab.data.document import Item
from milvuslab.data.readers.files import (
    FORMATS,
    Format,
    checked_path,
    format_of,
    named_format,
    read_folder,
    read_one,
)
from milvuslab.data.readers.source import Skipped, Source, log_skipped
from milvuslab.model.errors import UsageError
from milvuslab.model.progress import Observer, silent
from milvuslab.model.settings import Settings

__all__ = ["FORMATS", "Format", "Skipped", "format_of", "log_skipped", "read_documents"]


def read_documents(
    path_or_url: str | Path,
    *,
    format: str | None = None,
    language: str | None = None,
    source: str | None = None,
    resume_token: str = "",
    on_skip: Callable[[Skipped], None] = log_skipped,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    document_limit_chars: int | None = None,
    settings: Settings | None = None,
    observer: Observer = silent,
) -> Iterator[Item]:
    """Documents of a file, a folder or an http(s) address, in a fixed order.

    Nothing is read whole but files that are one document, and those only within the limit. A bad row is reported to
    `on_skip` and passed over; what makes a single file unreadable is raised.

    Args:
        path_or_url: a folder gives every file of known format below it, ordered by name.
        format: one of `FORMATS`; None goes by the ending of the name, then by the content type of the answer.
        language: for documents that do not say; None takes the dump's own, else tells Korean from English by the
            share of Hangul.
        source: what documents carry as source; None takes the dump's own name, else the name of the file or folder.
        resume_token: that of the last item taken; reading goes on behind it. The files must be the same.
        on_skip: told of everything that is not taken; writes to the log `milvuslab.data` by default.
        columns: our field (`text`, `title`, `id`, `language`, `url`, `published_at`) to the column's name.
        encoding: of text files without a byte order mark.
        document_limit_chars: longer documents are skipped; None takes the setting, else 500,000.
        settings: needed for an address: cache folder, size limit, whether private addresses are allowed.
        observer: told of a download.

    Raises:
        NotFoundError: nothing is there.
        UsageError: unknown format, or a token of another source.
        UnsupportedError: the format cannot be told from the name, or an extra is missing.
        SchemaError: the file is not of its format.
        PartialError: a dump is damaged behind the last item given.
        ForbiddenError: the address is private, or leads to one.
    """
    chosen = named_format(format)
    content_type = url = ""
    if isinstance(path_or_url, str) and path_or_url.lower().startswith(("http://", "https://")):
        path, name, content_type = _download(path_or_url, settings, observer)
        url = path_or_url
    else:
        path = checked_path(Path(path_or_url))
        name = path.resolve().name
    limit = document_limit_chars or (settings.document_limit_chars if settings else 500_000)
    whole = Source(
        path=path,
        name=name,
        source=source or "",
        language=language,
        encoding=encoding,
        document_limit_chars=limit,
        columns=dict(columns or {}),
        url=url,
        on_skip=on_skip,
    )
    if path.is_dir():
        yield from read_folder(whole if source else whole.named(name[:64]), format=chosen, token=resume_token)
    else:
        chosen = chosen or format_of(name, content_type=content_type)
        yield from read_one(whole, format=chosen, token=resume_token)


def _download(url: str, settings: Settings | None, observer: Observer) -> tuple[Path, str, str]:
    if settings is None:
        raise UsageError("an address needs settings: cache folder and limits", hint="pass settings to read_documents")
    from milvuslab.fetch.url import fetch_url

    fetched = fetch_url(
        url,
        folder=settings.cache_dir / "downloads",
        limit_bytes=settings.download_limit_bytes,
        are_private_addresses_allowed=settings.private_addresses_allowed,
        is_offline=settings.offline,
        observer=observer,
    )
    return fetched.path, fetched.name, fetched.content_type
