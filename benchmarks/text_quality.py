"""How well text search answers: known items in Korean, in English and across the two, through Milvus Lite.

The questions are the titles of the LibreOffice help pages that are translated (`milvuslab.data.known_item`), the one right
answer is the page, without its title. Each language has a collection of its own encoder with a lexical channel; pages of
both languages are asked across through the multilingual encoder. The fusion is fitted by five-fold cross-validation: no question is
scored by a fusion that was chosen on it. Pages are cut into passages of up to `--limit-tokens`, most pages being one; a page
stands where its best passage stands.

    python -m benchmarks.text_quality
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.manifest import RESULTS_DIR, collect_manifest, write_result
from milvuslab.apps.text.collection import PassageCut, create_text_collection
from milvuslab.apps.text.evaluation import evaluate_collection
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.tuning import tune_collection
from milvuslab.data.document import Document, Item
from milvuslab.data.known_item import KnownItems, PairRules, pair_documents
from milvuslab.data.readers.source import first_line
from milvuslab.data.samples import read_manifest, read_sample
from milvuslab.embed.catalog import open_encoder
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.gateway.client import Gateway
    from milvuslab.model.settings import Settings
    from milvuslab.ops.workspace import Workspace

DIRECTIONS = {"ko": ("ko", "ko"), "en": ("en", "en"), "ko-en": ("ko", "en"), "en-ko": ("en", "ko")}
"""By name: language of the questions, language of the pages."""
BY_WHAT = ("ko=e5-small", "en=e5-small", "en=minilm", "ko-en=pair:e5-small+use", "en-ko=pair:e5-small+use")

SAMPLES = ("help-ko", "help-en")
PACKAGES = ("milvus-lite", "pymilvus", "numpy", "onnxruntime", "tokenizers", "kiwipiepy", "snowballstemmer")


def main() -> None:
    """Runs the case and writes `benchmarks/results/NAME.json`."""
    given = read_arguments()
    rules = PairRules(limit_words=given.words or None)
    cut = PassageCut(limit_tokens=given.limit_tokens, overlap_tokens=given.limit_tokens // 8)
    with (
        tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder,
        running(Path(folder), given.server) as workspace,
    ):
        items = read_items(workspace.settings, rules=rules, limit=given.pairs)
        case = {
            "pairs": len(items.korean),
            "rules": dataclasses.asdict(rules),
            "folds": 5,
            "server": given.server,
            "cut": dataclasses.asdict(cut),
        }
        samples = {name: read_manifest(workspace.settings.cache_dir / "samples" / name) for name in SAMPLES}
        with workspace.connect(given.server) as gateway:
            for wanted in given.runs:
                direction, encoder_name = wanted.split("=", 1)
                manifest = collect_manifest(
                    packages=PACKAGES, extra={"server_version": gateway.server_version, "samples": samples}
                )
                encoder = open_encoder(encoder_name, settings=workspace.settings)
                result = measure(gateway, items, direction=direction, encoder=encoder, cut=cut)
                print(wanted, summary(result), flush=True)
                print(keep(given.name, wanted, result, manifest=manifest, case=case), flush=True)


def keep(
    name: str, run: str, result: Mapping[str, Any], *, manifest: Mapping[str, Any], case: Mapping[str, Any]
) -> Path:
    """Writes the run beside the others of the same case that were kept before; each has its own manifest."""
    path = RESULTS_DIR / f"{name}.json"
    kept: dict[str, Any] = {}
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        kept = before["metrics"] if before["case"] == case else {}
    metrics = {**kept, run: {**result, "manifest": manifest}}
    return write_result(name, manifest=manifest, case=case, raw=None, metrics=metrics)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="lite", help="profile: lite or standalone")
    parser.add_argument("--pairs", type=int, default=0, help="pages of each language; 0 takes all")
    parser.add_argument("--words", type=int, default=0, help="words of each page; 0 takes all")
    parser.add_argument("--limit-tokens", type=int, default=512, help="of a passage")
    parser.add_argument("--name", default="text_quality", help="of the result")
    parser.add_argument("runs", nargs="*", default=BY_WHAT, help="DIRECTION=ENCODER")
    return parser.parse_args()


@contextlib.contextmanager
def running(folder: Path, server: str) -> Iterator[Workspace]:
    """A server of this run's own."""
    workspace = open_workspace(
        flags={"home_dir": str(folder / "home"), "server": server}, environment=os.environ, folder=folder
    )
    start(workspace, server)
    try:
        yield workspace
    finally:
        stop(workspace, server)


def read_items(settings: Settings, *, rules: PairRules, limit: int) -> KnownItems:
    """The pairs of pages, or the first of them."""
    korean, english = (
        [item.document for item in read_sample(name, settings=settings, on_skip=lambda _: None)] for name in SAMPLES
    )
    items = pair_documents(korean, english, rules=rules)
    keys = sorted(items.korean)[: limit or None]
    return KnownItems(
        korean={key: items.korean[key] for key in keys}, english={key: items.english[key] for key in keys}
    )


def measure(
    gateway: Gateway, items: KnownItems, *, direction: str, encoder: TextEncoder, cut: PassageCut
) -> dict[str, Any]:
    """One direction with one encoder: the fitted fusion and the table of channels and settings, with that fusion."""
    asked, answered = DIRECTIONS[direction]
    judgements = items.judgements(asked, answered)
    name = f"quality_{answered}_{''.join(letter if letter.isalnum() else '_' for letter in encoder.fingerprint.name)}"
    collection = fill(gateway, name, items.corpus(answered), encoder=encoder, cut=cut)
    tuned = tune_collection(collection, judgements)
    fused = dataclasses.replace(collection, fusion=tuned.fusion)
    return {
        "encoder": encoder.fingerprint.as_dict(),
        "tuning": tuned.as_dict(),
        "evaluation": evaluate_collection(fused, judgements).as_dict(),
    }


def fill(
    gateway: Gateway, name: str, corpus: Mapping[str, Mapping[str, str]], *, encoder: TextEncoder, cut: PassageCut
) -> TextCollection:
    """The collection with all pages, made when it is not there."""
    is_there = gateway.collections.exists(name)
    collection = create_text_collection(gateway, name, encoder=encoder, cut=cut)
    if not is_there:
        documents = (
            Document(
                document_id=key,
                title=first_line(row["text"]),
                text=row["text"],
                language=row["language"],
                source="known",
            )
            for key, row in corpus.items()
        )
        began = time.perf_counter()
        ingest_documents(collection, (Item(document, "") for document in documents))
        gateway.collections.settle(name)
        print(f"{name}: {gateway.rows.count(name):,} passages in {time.perf_counter() - began:.0f} s", flush=True)
    return collection


def summary(result: Mapping[str, Any]) -> str:
    """One line of what came of it."""
    tuning = result["tuning"]
    parts = [f"{name} {channel['mean']:.3f}" for name, channel in tuning["channels"].items()]
    return f"{', '.join(parts)}, default {tuning['default']['mean']:.3f}, tuned {tuning['tuned']['mean']:.3f}; {tuning['fusion']}"


if __name__ == "__main__":
    main()
