"""Why a hit stands where it stands, as HTML: what each channel gave, which words matched, how far words moved it."""

from __future__ import annotations

from milvuslab.apps.text.search import HitExplanation, TextHit
from milvuslab.studio.pages.markup import Html, join, tag
from milvuslab.studio.words.words import Words

__all__ = ["render_why"]


def render_why(words: Words, hit: TextHit, *, channel: str) -> Html | None:
    """A line that opens; None where there is nothing to tell."""
    told = hit.explanation
    if told is None:
        return None
    rows = [_meaning(words, told), _by_words(words, told)] if channel != "dense" else [_meaning(words, told)]
    if channel == "lexical":
        rows = [_by_words(words, told)]
    if channel == "hybrid":
        rows.append((words("why.place"), _movement(words, told)))
    if told.matched_terms:
        chips = [tag("span", term, class_="badge is-term") for term in told.matched_terms]
        rows.append((words("why.terms"), join(chips)))
    elif channel != "dense":
        rows.append((words("why.terms"), words("why.no_terms")))
    return tag(
        "details",
        tag("summary", words("why.summary"), _shares(words, told) if channel == "hybrid" else None),
        tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in rows]),
        class_="why",
        data_key=f"why-{hit.passage_id}",
    )


def _shares(words: Words, told: HitExplanation) -> Html:
    """A bar of two colours: how much of the score came from meaning, and how much from words."""
    label = words("why.shares", dense=f"{told.dense_share:.0%}", lexical=f"{told.lexical_share:.0%}")
    parts = [
        tag("span", class_=f"share-{name}", style=f"width:{100 * share:.0f}%")
        for name, share in (("dense", told.dense_share), ("lexical", told.lexical_share))
    ]
    return tag("span", parts, class_="share", role="img", aria_label=label, title=label)


def _meaning(words: Words, told: HitExplanation) -> tuple[str, str]:
    if told.dense_rank is None or told.dense_score is None:
        return words("why.dense"), words("why.absent")
    return words("why.dense"), words(
        "why.dense_detail", rank=told.dense_rank, score=f"{told.dense_score:.3f}", share=f"{told.dense_share:.0%}"
    )


def _by_words(words: Words, told: HitExplanation) -> tuple[str, str]:
    if told.lexical_rank is None or told.lexical_score is None:
        return words("why.lexical"), words("why.absent")
    return words("why.lexical"), words(
        "why.lexical_detail",
        rank=told.lexical_rank,
        score=f"{told.lexical_score:.2f}",
        share=f"{told.lexical_share:.0%}",
    )


def _movement(words: Words, told: HitExplanation) -> str:
    if told.dense_rank is None:
        return words("why.words_alone", rank=told.final_rank)
    moved = told.dense_rank - told.final_rank
    if moved == 0:
        return words("why.unmoved", rank=told.final_rank)
    return words("why.up" if moved > 0 else "why.down", rank=told.final_rank, count=abs(moved))
