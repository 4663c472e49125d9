"""The pictures of an evaluation: a folder, an archive or a sample, whole or a sample of it drawn by a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from milvuslab.data.images.source import ImageItem, open_images
from milvuslab.model.errors import UsageError
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milvuslab.data.images.source import ImageSource
    from milvuslab.model.settings import Settings

__all__ = ["PictureSet", "choose_pictures", "open_picture_set"]

_LISTED_MAX = 200_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureSet:
    """Pictures that were chosen, none of them read yet."""

    name: str
    items: tuple[ImageItem, ...]

    @property
    def image_count(self) -> int:
        """How many there are."""
        return len(self.items)


def open_picture_set(
    path: str,
    *,
    settings: Settings,
    per_class: int = 0,
    labels: Sequence[str] = (),
    seed: int = 7,
    observer: Observer = silent,
) -> PictureSet:
    """The pictures of a folder, an archive, a list of addresses, or of a sample by its name.

    Args:
        path: a sample's name is a sample, unless a file or folder is called so.
        settings: where samples are kept.
        per_class: most pictures of one label; 0 takes all.
        labels: only these; empty takes all.
        seed: of the choice.
        observer: sees pictures listed.

    Raises:
        NotFoundError, UnsupportedError, UnreachableError: as `open_images` and `open_image_sample`.
        UsageError: there is no picture, or there are more than 200,000.
    """
    source = _open(path, settings=settings, observer=observer)
    listed: list[ImageItem] = []
    for item in source.items():
        listed.append(item)
        if len(listed) > _LISTED_MAX:
            raise UsageError(f"{path} holds more than {_LISTED_MAX:,} pictures", hint="evaluate a part of it")
        if len(listed) % 1_000 == 0:
            observer(Progress(step="list pictures", done_count=len(listed), unit="images"))
    chosen = choose_pictures(listed, per_class=per_class, labels=labels, seed=seed)
    if not chosen:
        raise UsageError(f"{path} holds no pictures", hint="name a folder with a folder of pictures for each class")
    return PictureSet(name=source.name, items=tuple(chosen))


def choose_pictures(
    items: Iterable[ImageItem], *, per_class: int = 0, labels: Sequence[str] = (), seed: int = 7
) -> list[ImageItem]:
    """At most so many of each label, drawn by the seed, in their old order; those without a label are one class."""
    groups: dict[str, list[tuple[int, ImageItem]]] = {}
    for place, item in enumerate(items):
        if not labels or item.label in labels:
            groups.setdefault(item.label, []).append((place, item))
    dice = np.random.default_rng(seed)
    chosen: list[tuple[int, ImageItem]] = []
    for label in sorted(groups):
        group = groups[label]
        order = dice.permutation(len(group))[: per_class or len(group)]
        chosen += [group[row] for row in order.tolist()]
    return [item for _, item in sorted(chosen, key=lambda pair: pair[0])]


def _open(path: str, *, settings: Settings, observer: Observer) -> ImageSource:
    from pathlib import Path

    from milvuslab.data.images.samples import IMAGE_SAMPLES, open_image_sample

    if path in IMAGE_SAMPLES and not Path(path).exists():
        return open_image_sample(path, settings=settings, observer=observer)
    return open_images(path, settings=settings, observer=observer)
