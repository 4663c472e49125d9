"""Hits of a text search for a person: numbered, with the words of the question marked, folded to the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from milvuslab.cli.output import cell_width, format_time

if TYPE_CHECKING:
    from milvuslab.apps.text.search import HitExplanation, TextAnswer, TextHit
    from milvuslab.apps.text.similar import SimilarAnswer

__all__ = ["answer_lines", "similar_lines", "snippet"]

_SNIPPET_CHARS = 280
_CHANNEL_WORDS = {"dense": "by meaning", "lexical": "by words", "hybrid": "by meaning and words"}
_MARK, _TITLE, _DIM, _END = "\x1b[1;33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


def answer_lines(
    answer: TextAnswer, *, width: int | None = None, is_color: bool | None = None, is_explained: bool = False
) -> Iterator[str]:
    """Lines of an answer.

    Args:
        answer: what was found.
        width: columns; None takes the terminal's, at most 100.
        is_color: whether marks are terminal colours or `[words]` in brackets; None looks at stdout.
        is_explained: whether each hit says why it stands where it stands, and the answer why words were not searched.
    """
    width = width or min(100, shutil.get_terminal_size((100, 24)).columns)
    is_color = sys.stdout.isatty() if is_color is None else is_color
    if not answer.hits:
        yield f"nothing found in {answer.collection}"
    for number, hit in enumerate(answer.hits, start=1):
        yield from _hit_lines(hit, number=number, width=width, is_color=is_color)
        if is_explained and hit.explanation is not None:
            yield from _explanation_lines(hit.explanation, channel=answer.channel, is_color=is_color)
        yield ""
    yield f"{len(answer.hits)} from {answer.collection} ({answer.encoder}), {_CHANNEL_WORDS[answer.channel]}: {_times(answer)}"
    if answer.note and is_explained:
        yield f"not searched by words: {answer.note}"


def similar_lines(answer: SimilarAnswer, *, width: int | None = None, is_color: bool | None = None) -> Iterator[str]:
    """Lines of similar documents, each with its copies; `width` and `is_color` as `answer_lines`."""
    width = width or min(100, shutil.get_terminal_size((100, 24)).columns)
    is_color = sys.stdout.isatty() if is_color is None else is_color
    yield from _copy_lines(answer, answer.document_id, lead="copies of it")
    if not answer.hits:
        yield f"nothing similar in {answer.collection}"
    for number, hit in enumerate(answer.hits, start=1):
        yield from _hit_lines(hit, number=number, width=width, is_color=is_color)
        yield from _copy_lines(answer, hit.document_id, lead="    also at")
        yield ""
    yield (
        f"{len(answer.hits)} from {answer.collection} ({answer.encoder}): "
        f"{answer.total_ms:.0f} ms = read {answer.embed_ms:.0f} + Milvus {answer.milvus_ms:.0f} + the rest"
    )


def _copy_lines(answer: SimilarAnswer, document_id: str, *, lead: str) -> Iterator[str]:
    for same in answer.also_at.get(document_id, ()):
        yield f"{lead}: {same.title} | {same.source} | {same.document_id} ({same.overlap:.0%} of the words)"


def snippet(
    text: str, highlights: tuple[tuple[int, int], ...], *, limit_chars: int = _SNIPPET_CHARS
) -> list[tuple[str, bool]]:
    """The part of a passage worth showing, as (text, is marked) pieces; it holds the first marked word.

    >>> snippet("about vectors", ((6, 13),))
    [('about ', False), ('vectors', True)]
    """
    begin = 0
    if highlights and highlights[0][0] > limit_chars // 2:
        begin = text.rfind(" ", 0, highlights[0][0] - limit_chars // 4) + 1
    end = len(text)
    if end - begin > limit_chars:
        end = max(text.rfind(" ", begin, begin + limit_chars), begin + limit_chars // 2)
    pieces = [("… ", False)] if begin else []
    at = begin
    for first, last in highlights:
        if first >= at and last <= end:
            pieces += [(text[at:first], False), (text[first:last], True)]
            at = last
    pieces.append((text[at:end] + (" …" if end < len(text) else ""), False))
    return [(" ".join(piece.split("\n")), is_marked) for piece, is_marked in pieces if piece]


def _times(answer: TextAnswer) -> str:
    words = f"words {answer.lexical_ms:.0f}"
    parts = {
        "dense": f"embed {answer.embed_ms:.0f} + Milvus {answer.milvus_ms:.0f}",
        "lexical": f"{words} (of them Milvus {answer.milvus_ms:.0f})",
        "hybrid": f"embed {answer.embed_ms:.0f} + Milvus {answer.milvus_ms:.0f}, meanwhile {words}, "
        f"then merge {answer.fuse_ms:.0f}",
    }[answer.channel]
    return f"{answer.total_ms:.0f} ms = {parts} + the rest"


def _explanation_lines(explanation: HitExplanation, *, channel: str, is_color: bool) -> Iterator[str]:
    lines = [_place("by meaning", explanation.dense_rank, explanation.dense_score, explanation.dense_share, "cosine")]
    if channel != "dense":
        lines.append(
            _place("by words", explanation.lexical_rank, explanation.lexical_score, explanation.lexical_share, "BM25")
        )
        if channel == "lexical":
            lines = lines[1:]
    if channel == "hybrid":
        lines.append(_movement(explanation))
    if explanation.matched_terms:
        lines.append(f"words: {', '.join(explanation.matched_terms)}")
    for line in lines:
        yield f"    {_DIM}{line}{_END}" if is_color else f"    {line}"


def _place(name: str, rank: int | None, score: float | None, share: float, measure: str) -> str:
    if rank is None or score is None:
        return f"{name}: not among the candidates"
    return f"{name}: place {rank}, {measure} {score:.3f}, gave {share:.0%} of the score"


def _movement(explanation: HitExplanation) -> str:
    if explanation.dense_rank is None:
        return f"place {explanation.final_rank}, by words alone"
    moved = explanation.dense_rank - explanation.final_rank
    if moved == 0:
        return f"place {explanation.final_rank}, where meaning alone puts it"
    return f"place {explanation.final_rank}, words moved it {'up' if moved > 0 else 'down'} by {abs(moved)}"


def _hit_lines(hit: TextHit, *, number: int, width: int, is_color: bool) -> Iterator[str]:
    title = f"{_TITLE}{hit.title}{_END}" if is_color else hit.title
    yield f"{number:>2}. {title}  ({hit.score:.3f})"
    yield from _fold(snippet(hit.text, hit.highlights), width=width - 4, is_color=is_color)
    about = " | ".join(
        part for part in (hit.language, hit.source, _day(hit.published_at_s), hit.url, hit.document_id) if part
    )
    yield f"    {_DIM}{about}{_END}" if is_color else f"    {about}"


def _day(published_at_s: int | None) -> str:
    return "" if published_at_s is None else format_time(published_at_s)[:10]


def _fold(pieces: list[tuple[str, bool]], *, width: int, is_color: bool) -> Iterator[str]:
    """Lines of at most `width` columns, indented, broken between words."""
    open_mark, close_mark = (_MARK, _END) if is_color else ("[", "]")
    line, used = "", 0
    for word, columns in _words(pieces, open_mark, close_mark, mark_columns=0 if is_color else 2):
        if used and used + 1 + columns > width:
            yield f"    {line}"
            line, used = "", 0
        line, used = (f"{line} {word}", used + 1 + columns) if used else (word, columns)
    if line:
        yield f"    {line}"


def _words(
    pieces: list[tuple[str, bool]], open_mark: str, close_mark: str, *, mark_columns: int
) -> Iterator[tuple[str, int]]:
    """Words with their columns; a mark may cover a part of a word."""
    word, columns = "", 0
    for text, is_marked in pieces:
        for index, part in enumerate(text.split(" ")):
            if index:
                if word:
                    yield word, columns
                word, columns = "", 0
            if part:
                word += f"{open_mark}{part}{close_mark}" if is_marked else part
                columns += cell_width(part) + (mark_columns if is_marked else 0)
    if word:
        yield word, columns
