"""`milvuslab text`: how good the answers are, and how to make them better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import table
from milvuslab.cli.text.noun import CollectionOption, app, open_shelf

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.apps.text.evaluation import EvaluationReport
    from milvuslab.apps.text.tuning import TuningReport
    from milvuslab.data.judgements import Judgements

__all__ = ["JudgementsOption", "TopicsOption"]

JudgementsOption = Annotated[
    str,
    typer.Option("--judgements", help="BEIR folder, TREC file, or a .jsonl file of your own.", metavar="PATH"),
]
TopicsOption = Annotated[
    str, typer.Option("--topics", help="Texts of the queries of a TREC file: .tsv or XML.", metavar="FILE")
]


@command(
    app,
    "evaluate",
    examples=[
        "milvuslab text evaluate --judgements known-item/ko --collection known_ko",
        "milvuslab text evaluate --judgements qrels.txt --topics topics.tsv --json",
    ],
)
def evaluate(
    door: Door, *, judgements: JudgementsOption, topics: TopicsOption = "", collection: CollectionOption = ""
) -> None:
    """Measure the answers to judged questions: every channel, at every setting of the index."""
    from milvuslab.apps.text.evaluation import evaluate_collection
    from milvuslab.data.judgements import read_judgements

    judged = read_judgements(judgements, topics=topics)
    with door.watch() as observer:
        report = evaluate_collection(_choose(door, judged, collection=collection), judged, observer=observer)
    door.show(report.as_dict(), _evaluation_lines(report))


@command(
    app,
    "tune",
    examples=[
        "milvuslab text tune --judgements known-item/ko --collection known_ko",
        "milvuslab text tune --judgements mine.jsonl --dry-run",
    ],
)
def tune(
    door: Door,
    *,
    judgements: JudgementsOption,
    topics: TopicsOption = "",
    collection: CollectionOption = "",
    fold_count: Annotated[int, typer.Option("--folds", help="Folds of the cross-validation.", min=2, max=20)] = 5,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; keep nothing.")] = False,
) -> None:
    """Fit the fusion of words and meaning to judged questions; keep it if it beats the better channel alone."""
    from milvuslab.apps.text.fusion_file import KeptFusions
    from milvuslab.apps.text.tuning import tune_collection
    from milvuslab.data.judgements import read_judgements

    judged = read_judgements(judgements, topics=topics)
    target = _choose(door, judged, collection=collection)
    with door.watch() as observer:
        report = tune_collection(target, judged, fold_count=fold_count, observer=observer)
    kept = KeptFusions(door.workspace.settings.home_dir, server_uri=target.gateway.endpoint.safe_uri)
    is_kept = report.is_accepted and not is_dry_run
    door.show({**report.as_dict(), "collection": target.name, "is_kept": is_kept}, _tuning_lines(report, target))
    if not is_dry_run:
        kept.keep(target.name, report)


@command(
    app, "judgements", examples=["milvuslab text judgements help-ko help-en --output known-item"],
)  # fmt: skip
def judgements(
    door: Door,
    *,
    korean: Annotated[str, typer.Argument(metavar="KOREAN", help="Sample with the Korean pages.")] = "help-ko",
    english: Annotated[str, typer.Argument(metavar="ENGLISH", help="Sample with the English pages.")] = "help-en",
    output: Annotated[str, typer.Option("--output", help="Folder to write to.", metavar="FOLDER")],
    limit_words: Annotated[int, typer.Option("--words", help="Words kept of each page; 0 keeps all.", min=0)] = 0,
) -> None:
    """Make judged questions out of pages in two languages: a title asks, its page is the answer."""
    from milvuslab.data.known_item import PairRules, pair_documents, write_known_items
    from milvuslab.data.samples import read_sample

    with door.watch() as observer:
        pages = [
            [
                item.document
                for item in read_sample(
                    name, settings=door.workspace.settings, on_skip=lambda _: None, observer=observer
                )
            ]
            for name in (korean, english)
        ]
    items = pair_documents(*pages, rules=PairRules(limit_words=limit_words or None))
    folders = write_known_items(Path(output), items)
    door.show(
        {"pair_count": len(items.korean), "folders": [str(folder) for folder in folders]},
        [f"{len(items.korean):,} pages in both languages", *(str(folder) for folder in folders)],
    )


def _choose(door: Door, judged: Judgements, *, collection: str) -> TextCollection:
    """The named collection, else the one that the first question would go to."""
    return open_shelf(door).choose(next(iter(judged.queries.values())), collection=collection)


def _evaluation_lines(report: EvaluationReport) -> list[str]:
    head = [
        f"{report.collection} ({report.encoder}), {report.passage_count:,} passages, {report.question_count:,} questions"
    ]
    if report.unjudged_count:
        head.append(f"{report.unjudged_count:,} questions left out: nothing is relevant to them")
    if report.missing_count:
        head.append(f"{report.missing_count:,} judged documents are not in the collection and count as not found")
    if report.note:
        head.append(f"no search by words: {report.note}")
    rows = [
        [row.channel, row.setting or "-", row.ndcg_at_10, row.recall_at_10, row.recall_at_100, row.mrr_at_100]
        for row in report.rows
    ]
    names = ["channel", "index", "nDCG@10", "recall@10", "recall@100", "MRR@100"]
    tail = [f"hybrid: {report.fusion}"] if report.fusion else []
    return [*head, "", *table(names, rows), "", *tail, "Each with its 95 % interval."]


def _tuning_lines(report: TuningReport, target: TextCollection) -> list[str]:
    rows = [[f"{name} alone", interval] for name, interval in report.channels.items()]
    rows += [["default fusion", report.default], ["tuned fusion, held out", report.tuned]]
    return [
        f"{target.name}, {report.question_count:,} questions, {len(report.fold_fusions)} folds",
        "",
        *table(["ranking", "nDCG@10 (95 % interval)"], rows),
        "",
        f"best on all questions: {report.fusion}",
        report.reason,
    ]
