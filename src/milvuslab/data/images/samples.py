"""Real pictures to start with: fetched from package registries, unpacked once, read like any other folder.

A sample lies at `cache_dir/image-samples/NAME` with `files/`, `files/labels.csv` and `manifest.json`. The folder is built
beside and renamed into place, so one that is there is whole; a manifest of another recipe means: build again. Nothing of it
is part of this project (docs/reference/samples.md names the licences).

`clipart` is a choice of 268 from ten of the package's 22 categories, made by this rule and no other: pictures of 64 to 2,000
pixels on each side and at most 1 MB; equal files once; in each category in the order of the SHA-256 of the path below
the category folder; one of each category in turn until there are 268. The categories left out say how a picture is
used or drawn (shapes, signs, logos, ...), not what is in it.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import json
import re
import shutil
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from milvuslab.data.deb import deb_version, extract_deb_folder
from milvuslab.data.images.decode import ImageLimits
from milvuslab.data.images.header import read_header
from milvuslab.data.images.source import ImageFault, ImageSource, log_fault, open_images
from milvuslab.fetch import Package, extract_members, fetch_package, safe_path, sha256_of
from milvuslab.model.errors import CheckFailedError, MediaError, NotFoundError, suggest
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.settings import Settings

__all__ = ["CLIPART_CATEGORIES", "IMAGE_SAMPLES", "ImageSample", "Row", "fetch_image_sample", "open_image_sample"]

_RECIPE = 1
"""Raised when samples are unpacked differently, so that folders of an older recipe are built again."""

CLIPART_CATEGORIES = (
    "animals", "buildings", "computer", "food", "geography", "people", "plants", "recreation", "tools", "transportation",
)  # fmt: skip
_CLIPART_COUNT = 268
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

Row = tuple[str, str, str]
"""Path, label and title of one picture."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageSample:
    """A sample: what it is, where it comes from, how it is unpacked.

    Attributes:
        licence: SPDX expression, or a sentence where there is none.
        image_count: pictures it gives, for the build whose checksum is known.
        known_sha256: of a package without a pinned version, the build for which the count was taken.
        unpack: fills a folder from the package and gives the rows of its `labels.csv`.
    """

    name: str
    title: str
    licence: str
    package: Package
    image_count: int
    unpack: Callable[[Path, Path], list[Row]]
    known_sha256: str = ""


def fetch_image_sample(name: str, *, settings: Settings, observer: Observer = silent) -> Path:
    """Folder of a sample's pictures, fetched and unpacked when it is not there yet.

    Raises:
        NotFoundError: there is no such sample.
        UnreachableError: the registry does not answer, or fetching is switched off.
        CheckFailedError: what came is not what was pinned, or is damaged.
        UnsupportedError: the registry's client is not on this machine (clip-art needs apt, emoji npm).
    """
    if name not in IMAGE_SAMPLES:
        raise NotFoundError(f"there is no sample {name!r}", hint=suggest(name, IMAGE_SAMPLES))
    sample = IMAGE_SAMPLES[name]
    folder: Path = settings.cache_dir / "image-samples" / name
    if _read_recipe(folder) == _RECIPE:
        return folder / "files"
    archive = fetch_package(
        sample.package, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer
    )
    observer(Progress(step=f"unpack {name}", unit="pictures"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as workplace:
        built = Path(workplace) / "built"
        (built / "files").mkdir(parents=True)
        rows = sample.unpack(archive, built / "files")
        _write_labels(built / "files" / "labels.csv", rows)
        manifest = json.dumps(_manifest(sample, archive, len(rows)), indent=1, ensure_ascii=False)
        (built / "manifest.json").write_text(manifest + "\n", "utf-8")
        _put_in_place(built, folder, Path(workplace) / "old")
    observer(Progress(step=f"unpack {name}", done_count=len(rows), total_count=len(rows), unit="pictures"))
    return folder / "files"


def open_image_sample(
    name: str,
    *,
    settings: Settings,
    on_fault: Callable[[ImageFault], None] = log_fault,
    observer: Observer = silent,
) -> ImageSource:
    """Pictures of a sample in a fixed order, fetched first when it is not there yet.

    Raises:
        As `fetch_image_sample`.
    """
    folder = fetch_image_sample(name, settings=settings, observer=observer)
    return open_images(folder, source=name, settings=settings, on_fault=on_fault)


def _read_recipe(folder: Path) -> object:
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest.get("recipe") if isinstance(manifest, dict) else None


def _put_in_place(built: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.replace(old)
    try:
        built.replace(folder)
    except OSError:
        # Another process was quicker; its folder is as good as ours.
        if _read_recipe(folder) != _RECIPE:
            raise


def _write_labels(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label", "title"), *sorted(rows)])


def _manifest(sample: ImageSample, archive: Path, image_count: int) -> dict[str, Any]:
    package, sha256 = sample.package, sha256_of(archive)
    return {
        "recipe": _RECIPE,
        "name": sample.name,
        "title": sample.title,
        "licence": sample.licence,
        "registry": package.registry,
        "package": package.name,
        "version": package.version or deb_version(archive),
        "sha256": sha256,
        "is_known_build": sha256 == (package.sha256 or sample.known_sha256),
        "image_count": image_count,
    }


def _unpack_clipart(archive: Path, folder: Path) -> list[Row]:
    with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
        root = Path(unpacked)
        extract_deb_folder(
            archive, "usr/share/openclipart/png", root, endings=(".png",), limit_bytes=1 << 30, limit_files=50_000
        )
        rows = []
        for category, path in _choose_clipart(root):
            name = f"{category}/{'_'.join(path.relative_to(root / category).parts)}"
            (folder / category).mkdir(exist_ok=True)
            shutil.copyfile(path, folder / name)
            rows.append((name, category, re.sub(r"[_\-]+", " ", path.stem).strip()))
    return rows


def _choose_clipart(root: Path) -> list[tuple[str, Path]]:
    seen: set[str] = set()
    queues = [_order_category(root / category, seen) for category in CLIPART_CATEGORIES]
    turns = itertools.zip_longest(*queues)
    chosen = [(path.relative_to(root).parts[0], path) for turn in turns for path in turn if path is not None]
    return chosen[:_CLIPART_COUNT]


def _order_category(folder: Path, seen: set[str]) -> list[Path]:
    paths = {
        hashlib.sha256(path.relative_to(folder).as_posix().encode()).hexdigest(): path for path in folder.rglob("*.png")
    }
    fitting = []
    for _, path in sorted(paths.items()):
        digest = sha256_of(path)
        if digest not in seen and _is_everyday(path):
            seen.add(digest)
            fitting.append(path)
    return fitting


def _is_everyday(path: Path) -> bool:
    if path.stat().st_size > 1_000_000:
        return False
    try:
        header = read_header(path.read_bytes())
    except MediaError:
        return False
    return min(header.width, header.height) >= 64 and max(header.width, header.height) <= 2_000


def _unpack_emoji(archive: Path, folder: Path, *, has_skin_tones: bool) -> list[Row]:
    """Pictures of 64 pixels; the label is the subcategory. Skin tones of one emoji are nearly the same picture."""
    inner, described, limit = "package/img/google/64/", [], ImageLimits().size_bytes_max
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            for member in tar:
                if member.isreg() and member.size <= limit and member.name.startswith((inner, "package/emoji.json")):
                    opened = tar.extractfile(member)
                    assert opened is not None
                    contents[member.name] = opened.read()
        described = json.loads(contents["package/emoji.json"])
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError) as error:
        raise CheckFailedError(f"{archive.name} is damaged: {error}"[:300], findings=[archive.name]) from None
    rows = []
    for entry in described:
        variants = list((entry.get("skin_variations") or {}).values()) if has_skin_tones else []
        for form in [entry, *variants]:
            content = contents.get(inner + form["image"])
            if content is not None and form.get("has_img_google"):
                safe_path(folder, form["image"]).write_bytes(content)
                rows.append((form["image"], entry["subcategory"], _emoji_title(entry)))
    return rows


def _emoji_title(entry: dict[str, Any]) -> str:
    return unicodedata.normalize("NFC", str(entry.get("name") or entry["short_name"])).lower()


def _unpack_foolbox(archive: Path, folder: Path, *, prefix: str, labels: tuple[str, ...]) -> list[Row]:
    """Names are `SET_NUMBER_CLASS.ending`; the label is the class's name where there is a list, else its number."""
    pattern = re.compile(rf"foolbox/data/({prefix}_\d\d_(\d+)\.\w+)")
    with zipfile.ZipFile(archive) as opened:
        found = [match for name in opened.namelist() if (match := pattern.fullmatch(name))]
    rows = []
    for match, path in zip(found, extract_members(archive, [match[0] for match in found], folder), strict=True):
        path.replace(folder / match[1])
        rows.append((match[1], labels[int(match[2])] if labels else match[2], match[1]))
    shutil.rmtree(folder / "foolbox")
    return rows


_OPENCLIPART = Package(
    registry="debian", name="openclipart-png", version="", sha256="", filename="openclipart-png.deb",
    size_bytes=130_910_028,
)  # fmt: skip
_EMOJI = Package(
    registry="npm",
    name="emoji-datasource-google",
    version="16.0.0",
    sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
    filename="emoji-datasource-google-16.0.0.tgz",
    size_bytes=74_344_091,
)
_FOOLBOX = Package(
    registry="pypi",
    name="foolbox",
    version="3.3.4",
    sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
    filename="foolbox-3.3.4-py3-none-any.whl",
    size_bytes=1_677_112,
)

IMAGE_SAMPLES: dict[str, ImageSample] = {
    sample.name: sample
    for sample in (
        ImageSample(
            name="clipart",
            title="Open Clip Art Library, 268 pictures of ten categories",
            licence="public domain (CC-PDDC)",
            package=_OPENCLIPART,
            image_count=_CLIPART_COUNT,
            unpack=_unpack_clipart,
            known_sha256="f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
        ),
        ImageSample(
            name="emoji",
            title="Noto emoji by Google, one skin tone",
            licence="Apache-2.0",
            package=_EMOJI,
            image_count=1_911,
            unpack=lambda archive, folder: _unpack_emoji(archive, folder, has_skin_tones=False),
        ),
        ImageSample(
            name="emoji-all",
            title="Noto emoji by Google, all skin tones",
            licence="Apache-2.0",
            package=_EMOJI,
            image_count=3_786,
            unpack=lambda archive, folder: _unpack_emoji(archive, folder, has_skin_tones=True),
        ),
        ImageSample(
            name="imagenet-20",
            title="20 pictures of ImageNet, labelled with class numbers (for tests)",
            licence="none named: each picture is its photographer's; for research on your machine only",
            package=_FOOLBOX,
            image_count=20,
            unpack=lambda archive, folder: _unpack_foolbox(archive, folder, prefix="imagenet", labels=()),
        ),
        ImageSample(
            name="cifar-20",
            title="20 pictures of CIFAR-10 (for tests)",
            licence="none named: published for research",
            package=_FOOLBOX,
            image_count=20,
            unpack=lambda archive, folder: _unpack_foolbox(archive, folder, prefix="cifar10", labels=_CIFAR10),
        ),
    )
}
"""All samples by name."""
