"""What a person asks to be compared, as a value that checks itself and lies in a file beside the result."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.machine import read_record, write_record
from milvuslab.model.collection import check_name
from milvuslab.model.errors import ConfigError, ForbiddenError, LimitError, NotFoundError, UsageError, suggest
from milvuslab.model.index_catalog import get_index_type

if TYPE_CHECKING:
    from milvuslab.model.settings import Settings

__all__ = ["DATA_KINDS", "ROWS_LIMIT", "LabOrder", "check_file", "job_id_of", "read_order", "write_order"]

DATA_KINDS = ("synthetic", "file", "collection")
ROWS_LIMIT = 1_000_000
"""Most rows of a comparison from a page: each type is built in turn, and a page is for minutes, not for hours."""
_FORMAT = 1
_FILE = "order.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabOrder:
    """A comparison to run.

    Attributes:
        data: where vectors come from: `synthetic`, `file`, or `collection`, a text collection of the studio's server.
        row_count: rows of a synthetic set; most rows taken of the others.
        dim: numbers of a synthetic vector.
        path: of the file.
        collection: of the collection.
        recall_target: recall that every index is tuned to, above 0 and below 1.
        index_types: to compare; empty takes all that the servers build.
        with_stopped: whether servers that do not run are started for it, 2.2.16 with its ANNOY among them.
    """

    data: str = "synthetic"
    row_count: int = 20_000
    dim: int = 64
    path: str = ""
    collection: str = ""
    recall_target: float = 0.95
    index_types: tuple[str, ...] = ()
    with_stopped: bool = False

    def __post_init__(self) -> None:
        if self.data not in DATA_KINDS:
            raise UsageError(f"there are no data {self.data[:40]!r}", hint=suggest(self.data, DATA_KINDS))
        if not 1_000 <= self.row_count <= ROWS_LIMIT:
            raise LimitError(
                f"{self.row_count:,} rows cannot be compared here",
                hint=f"take 1,000 to {ROWS_LIMIT:,}; for more: milvuslab bench scale",
                context={"limit": ROWS_LIMIT},
            )
        if not 16 <= self.dim <= 4_096:
            raise UsageError(f"dim is {self.dim}", hint="take 16 to 4096")
        if not 0.5 <= self.recall_target <= 0.999:
            raise UsageError(f"the recall to tune for is {self.recall_target}", hint="take 0.5 to 0.999")
        if self.data == "file" and not self.path.strip():
            raise UsageError("no file is named", hint="give the path of a file of vectors on this machine")
        for name in self.index_types:
            get_index_type(name)
        if self.data == "collection":
            check_name(self.collection, what="collection")

    @property
    def title(self) -> str:
        """One line that says what is compared."""
        if self.data == "file":
            return Path(self.path).name
        if self.data == "collection":
            return self.collection
        return f"{self.row_count:,} x {self.dim}"

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "index_types": list(self.index_types)}


def check_file(order: LabOrder, *, settings: Settings) -> None:
    """Returns when the file of the order may be read and is there.

    Whoever can open a studio without a key is on this machine already. With a key others can, and they may name files
    of the studio's own folder only.

    Raises:
        ForbiddenError: a key is set and the file lies elsewhere.
        NotFoundError: there is no such file.
    """
    if order.data != "file":
        return
    path = Path(order.path).expanduser().resolve()
    if settings.studio_key and not path.is_relative_to(Path(settings.home_dir).resolve()):
        raise ForbiddenError(
            f"{order.path[:200]} lies outside the studio's folder", hint=f"put it into {settings.home_dir}"
        )
    if not path.is_file():
        raise NotFoundError(
            f"there is no file {order.path[:200]}", hint="name a file of vectors on the machine that runs the studio"
        )


def job_id_of(comparison_id: str) -> str:
    """The job that says how far a comparison is."""
    return f"index-lab-{comparison_id}"


def write_order(folder: Path, order: LabOrder) -> None:
    """Keeps the order beside its result."""
    write_record(folder / _FILE, order.as_dict(), version=_FORMAT)


def read_order(folder: Path) -> LabOrder:
    """The order of a comparison.

    Raises:
        NotFoundError: the folder holds none.
        ConfigError: its file is damaged.
    """
    try:
        values = read_record(folder / _FILE, version=_FORMAT)
        return LabOrder(**{**values, "index_types": tuple(values["index_types"])})
    except FileNotFoundError:
        raise NotFoundError(f"there is no comparison {folder.name}", hint="GET /api/v1/index-lab/comparisons") from None
    except (TypeError, KeyError) as error:
        raise ConfigError(
            f"{folder / _FILE} is no order: {error}", hint=f"move it away: mv {folder} {folder}.bad"
        ) from None
