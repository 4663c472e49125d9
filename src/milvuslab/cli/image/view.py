"""Found pictures for a person: a table with the key of each, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from milvuslab.cli.output import shorten, table

if TYPE_CHECKING:
    from milvuslab.apps.image.duplicates import DuplicateReport
    from milvuslab.apps.image.near import NearAnswer
    from milvuslab.apps.image.search import ImageAnswer

__all__ = ["answer_lines", "duplicate_lines", "near_lines"]

_NAME_COLUMNS = 40


def answer_lines(answer: ImageAnswer) -> Iterator[str]:
    """Lines of an answer."""
    rows = [
        [number, f"{hit.score:.3f}", shorten(hit.name, _NAME_COLUMNS), hit.label, hit.source,
         f"{hit.width}x{hit.height}", hit.image_id]
        for number, hit in enumerate(answer.hits, start=1)
    ]  # fmt: skip
    head = ["", "score", "name", "label", "source", "pixels", "key"]
    yield from table(head, rows, empty=f"nothing found in {answer.collection}")
    yield ""
    yield (
        f"{len(answer.hits)} from {answer.collection} ({answer.encoder}): {answer.total_ms:.0f} ms = "
        f"decode {answer.decode_ms:.0f} + embed {answer.embed_ms:.0f} + Milvus {answer.milvus_ms:.0f} + the rest"
    )


def near_lines(answer: NearAnswer) -> Iterator[str]:
    """Lines of a search for the same picture."""
    rows = [
        [number, "same" if one.is_same else "no", one.inlier_count, "yes" if one.is_mirrored else "",
         f"{one.hit.score:.3f}", shorten(one.hit.name, _NAME_COLUMNS), one.hit.image_id]
        for number, one in enumerate(answer.found, start=1)
    ]  # fmt: skip
    head = ["", "same", "points", "mirrored", "score", "name", "key"]
    yield from table(head, rows, empty=f"nothing found in {answer.collection}")
    yield ""
    yield (
        f"{len(answer.found)} from {answer.collection}: {answer.total_ms:.0f} ms = embed {answer.embed_ms:.0f} + "
        f"Milvus {answer.milvus_ms:.0f} + geometry {answer.geometry_ms:.0f} + the rest"
    )


def duplicate_lines(report: DuplicateReport) -> Iterator[str]:
    """Lines of a report of near-duplicates."""
    for number, group in enumerate(report.groups, start=1):
        yield f"{number}. {len(group.images)} pictures"
        evidence = {pair.image_id: pair for pair in group.pairs} | {pair.other_id: pair for pair in group.pairs}
        for image in group.images:
            pair = evidence[image.image_id]
            why = {
                "file": "the same file",
                "hash": f"hash {pair.hash_distance} bits apart",
                "geometry": f"{pair.inlier_count} matched points",
            }[pair.evidence]
            yield f"   {image.image_id}  {shorten(image.name, _NAME_COLUMNS)}  {image.width}x{image.height}  ({why})"
        yield ""
    pictures = sum(len(group.images) for group in report.groups)
    yield (
        f"{len(report.groups):,} groups with {pictures:,} of {report.image_count:,} pictures in {report.collection}; "
        f"{report.candidate_count:,} pairs looked alike, {report.checked_count:,} were compared point by point"
    )
    if not report.is_complete:
        yield "not every pair was compared: raise --checks"
