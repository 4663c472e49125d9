"""`milvuslab text`: many documents in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.text.noun import CollectionOption, LanguageOption, app, open_shelf

if TYPE_CHECKING:
    from milvuslab.apps.text.load import LoadReport

__all__: list[str] = []


@command(
    app,
    "ingest",
    examples=[
        "milvuslab text ingest notes/ --language en",
        "milvuslab text ingest enwiki.xml.bz2 --language en --source wikipedia",
        "milvuslab text ingest enwiki.xml.bz2 --language en --engine ray",
        "milvuslab text ingest 문서.jsonl --language ko --collection my_docs",
    ],
)
def ingest(
    door: Door,
    *,
    path: Annotated[str, typer.Argument(metavar="PATH_OR_URL", help="File, folder or web address.")],
    language: LanguageOption = "",
    source: Annotated[
        str, typer.Option("--source", help="Name kept with each document; default: the file's.", metavar="NAME")
    ] = "",
    collection: CollectionOption = "",
    encoder: Annotated[
        str, typer.Option("--encoder", help="Encoder of a collection that is made now.", metavar="NAME")
    ] = "",
    file_format: Annotated[
        str, typer.Option("--format", help="Reader; default: by the name's ending.", metavar="NAME")
    ] = "",
    engine: Annotated[
        str,
        typer.Option("--engine", help="Where passages are embedded: local, or ray for a Ray cluster.", metavar="NAME"),
    ] = "local",
    is_restart: Annotated[bool, typer.Option("--restart", help="Forget an earlier, interrupted run.")] = False,
) -> None:
    """Read documents into a collection. Run it again after an interruption and it goes on."""
    from milvuslab.apps.text.load import load_source

    with door.watch() as observer:
        report = load_source(
            open_shelf(door),
            path,
            settings=door.workspace.settings,
            language=language,
            collection=collection,
            encoder=encoder,
            source=source,
            format=file_format or None,
            engine=engine,
            is_restart=is_restart,
            observer=observer,
        )
    door.show(report.as_dict(), _load_lines([report]))


@command(
    app,
    "load-samples",
    examples=[
        "milvuslab text load-samples",
        "milvuslab text load-samples help-en",
        "milvuslab text load-samples help-ko help-en --multilingual",
    ],
)
def load_samples(
    door: Door,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SAMPLE]...", help="wikipedia, news, help-ko, help-en; default: the first three."),
    ] = None,
    is_multilingual: Annotated[
        bool,
        typer.Option("--multilingual", help="All into one collection, for questions across languages."),
    ] = False,
) -> None:
    """Fetch the sample documents and load them; what is loaded already is left alone."""
    from milvuslab.apps.text.load import load_samples as load
    from milvuslab.data.samples import DEMO_SAMPLES

    with door.watch() as observer:
        reports = load(
            open_shelf(door),
            names or DEMO_SAMPLES,
            settings=door.workspace.settings,
            is_multilingual=is_multilingual,
            observer=observer,
        )
    door.show({"loaded": [report.as_dict() for report in reports]}, _load_lines(reports))


def _load_lines(reports: list[LoadReport]) -> list[str]:
    lines = []
    for report in reports:
        done = report.ingest
        line = f"{report.collection}: {done.document_count:,} documents read, {done.added_count:,} new"
        line += f", {done.replaced_count:,} replaced, {done.unchanged_count:,} unchanged"
        lines.append(f"{line}; {done.passage_count:,} passages written")
        if done.duplicate_count:
            lines.append(f"  {done.duplicate_count:,} have the text of another document; they are kept")
        lines += [f"  {count:,} left out: {kind}" for kind, count in report.skipped_counts.items()]
        lines += [f"  {fault}" for fault in report.faults[:5]]
    return lines or ["everything is loaded already"]
