"""How good image search is with the encoder that the application opens by itself, through a real Milvus.

Three sets, all from packages: the 20 ImageNet pictures (top-1 of the encoder's head), clip-arts of ten categories that name
things (27 of each, drawn by a seed; 268 of them changed in seven ways and looked for), and emoji by subcategory (base
pictures). A picture is never its own neighbour, nor is a copy of its file. Each figure has its bootstrap interval and the
level of chance. The clip-arts of the ten largest categories, playing cards and jigsaw pieces among them, are measured
beside as the harder case.

    python -m benchmarks.image_quality            writes benchmarks/results/image_quality.json
    python -m benchmarks.image_quality --smoke    a few pictures, writes nothing
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.apps.image.evaluate import EvaluationPlan, ImageEvaluation, evaluate_images
from milvuslab.apps.image.picture_set import PictureSet, open_picture_set
from milvuslab.apps.image.shelf import DEFAULT_ENCODER
from milvuslab.cli.progress import PlainLines
from milvuslab.data.images.decode import decode_image
from milvuslab.embed.images.catalog import open_image_encoder
from milvuslab.ops.servers import start, stop
from milvuslab.ops.workspace import open_workspace

if TYPE_CHECKING:
    from milvuslab.embed.images.encoder import ImageClassifier, ImageEncoder
    from milvuslab.gateway.client import Gateway
    from milvuslab.model.settings import Settings

SEED = 7
CLIPART_COUNT = 268
THINGS = (
    "animals", "buildings", "food", "geography", "office", "people", "plants", "recreation", "tools", "transportation",
)  # fmt: skip
LARGEST = (
    "computer", "shapes", "signs_and_symbols", "recreation", "people", "food", "animals", "transportation", "geography",
    "tools",
)  # fmt: skip


def main() -> None:
    """Runs the case and writes `benchmarks/results/image_quality.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="lite")
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="milvuslab-image-") as folder:
        flags = {"home_dir": f"{folder}/home", "server": given.server}
        workspace = open_workspace(flags=flags, environment=os.environ, folder=Path(folder))
        start(workspace, given.server)
        try:
            with workspace.connect(given.server) as gateway:
                raw = measure(workspace.settings, gateway, is_smoke=given.smoke)
                version = gateway.server_version
        finally:
            stop(workspace, given.server)
    metrics = pick_figures(raw)
    print("\n".join(f"{name}: {value}" for name, value in metrics.items()))
    if not given.smoke:
        manifest = collect_manifest(
            packages=["onnxruntime", "opencv-python-headless", "pillow", "pymilvus", "scikit-learn"],
            extra={"server_version": version, "encoder": raw["encoder"], "seed": SEED},
        )
        case = {
            "clipart": THINGS,
            "clipart_largest": LARGEST,
            "clipart_count": CLIPART_COUNT,
            "encoder": DEFAULT_ENCODER,
        }
        print(write_result("image_quality", manifest=manifest, case=case, raw=raw, metrics=metrics))


def measure(settings: Settings, gateway: Gateway, *, is_smoke: bool) -> dict[str, Any]:
    """All sets, as JSON."""
    encoder = open_image_encoder(DEFAULT_ENCODER, settings=settings)
    found: dict[str, Any] = {"encoder": encoder.fingerprint.as_dict(), "imagenet": classify_imagenet(encoder, settings)}
    per_class, near_count = (4, 4) if is_smoke else (27, CLIPART_COUNT)
    sets = {"clipart": THINGS} if is_smoke else {"clipart": THINGS, "clipart_largest": LARGEST}
    for name, labels in sets.items():
        pictures = open_picture_set("clipart", settings=settings, per_class=per_class, labels=labels, seed=SEED)
        kept = PictureSet(name=name, items=pictures.items[:CLIPART_COUNT])
        found[name] = evaluate(kept, encoder, gateway, near_count=near_count).as_dict()
    emoji = open_picture_set("emoji", settings=settings, per_class=1 if is_smoke else 0, seed=SEED)
    found["emoji"] = evaluate(emoji, encoder, gateway, near_count=0).as_dict()
    return found


def evaluate(pictures: PictureSet, encoder: ImageEncoder, gateway: Gateway, *, near_count: int) -> ImageEvaluation:
    """The figures of one set."""
    return evaluate_images(
        pictures.items, source=pictures.name, encoder=encoder, gateway=gateway, total_images=pictures.image_count,
        plan=EvaluationPlan(near_count=near_count, seed=SEED), observer=PlainLines(sys.stderr, interval_s=20),
    )  # fmt: skip


def classify_imagenet(encoder: ImageClassifier | Any, settings: Settings) -> dict[str, Any]:
    """Top-1 of the encoder's own head on the 20 pictures."""
    items = open_picture_set("imagenet-20", settings=settings).items
    classes = np.argmax(encoder.classify([decode_image(item.read()).pixels for item in items]), axis=1)
    rows = [
        {"name": item.name, "label": item.label, "answer": int(answer)}
        for item, answer in zip(items, classes, strict=True)
    ]
    return {"rows": rows, "right_count": sum(row["label"] == str(row["answer"]) for row in rows), "count": len(rows)}


def pick_figures(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Figure by name: mean, ends of the interval, chance."""
    figures: dict[str, Any] = {"imagenet top-1": [raw["imagenet"]["right_count"], raw["imagenet"]["count"]]}
    for name in ("clipart", "clipart_largest", "emoji"):
        for one in raw.get(name, {}).get("measures", ()):
            figures[f"{name} {one['name']}"] = as_figures(one)
    return figures


def as_figures(measure: Mapping[str, Any]) -> Sequence[float]:
    """Mean, low, high, chance."""
    return [round(measure[name], 4) for name in ("mean", "low", "high", "chance")]


if __name__ == "__main__":
    main()
