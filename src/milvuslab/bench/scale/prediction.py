"""What a scale run will take: memory, disk and time, said before anything is made, and held against what there is.

Every figure is a constant per row, per byte or per product of rows and lists, measured on 2 cores; `COSTS` says where.
Times are of a quiet machine. During the run the same prediction, corrected by what the finished steps really took,
gives the time left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from milvuslab.bench.scale.case import ScaleCase
from milvuslab.model.errors import LimitError

__all__ = ["COSTS", "Costs", "Prediction", "check_fits", "predict"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Measured constants. `docs/howto/ten-million.md` has the runs they come from.

    Attributes:
        generate_s_per_value: making one number of a vector and writing it to the staged file.
        compare_s_per_product: comparing one number of a row with one of a query, for the exact answers.
        load_s_per_part: bulk load of a file, whatever its size: the server's own looks at its tasks.
        load_s_per_row: bulk load of a row, besides what grows with its bytes.
        load_s_per_byte: bulk load of one byte.
        index_cpu_s_per_byte: encoding and writing one byte of an index.
        assign_cpu_s_per_product: one number of a row compared with one of a list's centre.
        train_cpu_s_per_product: lists squared x dim: the training of one segment.
        index_core_ratio: share of the cores that index builds keep busy.
        open_s: until a collection is loaded, besides what grows with it.
        open_s_per_byte: reading one byte of index.
        open_segments: segments whose index is held twice while a collection is loaded, at most.
        measure_s: choosing the parameter and one search at a time, besides the open loop.
        measure_s_per_row: the same, for each row.
        start_s: start of the server, and the report.
        server_base_bytes: memory of a server without rows.
        build_bytes_per_byte: memory of an index build for each byte of its segment.
        import_bytes: memory of a bulk load, whatever the size of its file.
        loaded_bytes_per_row: memory of a searchable row besides its vector or code.
        disk_base_bytes: a server without rows: metadata, log of writes, its logs.
        disk_bytes_per_row: a row on disk besides its vector and its index: key, row number, time.
        stored_ratio: bytes on disk of a byte of vector, which the server compresses.
        index_ratios: the same of a byte in the index, by its type.
        client_bytes: memory of this process.
    """

    generate_s_per_value: float = 6.8e-9
    compare_s_per_product: float = 2.95e-11
    load_s_per_part: float = 1.5
    load_s_per_row: float = 1.0e-6
    load_s_per_byte: float = 1.68e-8
    index_cpu_s_per_byte: float = 5.2e-8
    assign_cpu_s_per_product: float = 9.5e-11
    train_cpu_s_per_product: float = 2.5e-7
    index_core_ratio: float = 0.88
    open_s: float = 4.2
    open_s_per_byte: float = 5.9e-9
    open_segments: float = 3.2
    measure_s: float = 5.0
    measure_s_per_row: float = 3.0e-7
    start_s: float = 6.0
    server_base_bytes: float = 220e6
    build_bytes_per_byte: float = 2.4
    import_bytes: float = 750e6
    loaded_bytes_per_row: float = 70.0
    disk_base_bytes: float = 350e6
    disk_bytes_per_row: float = 24.0
    stored_ratio: float = 0.89
    index_ratios: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"IVF_FLAT": 0.755, "IVF_SQ8": 0.92})
    client_bytes: float = 290e6


COSTS = Costs()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a run takes.

    Attributes:
        server_memory_bytes: the server's highest resident memory.
        loaded_memory_bytes: its memory once the collection can be searched.
        client_memory_bytes: this process's highest.
        disk_bytes: what stays on disk.
        disk_peak_bytes: the most at any time: the indexes come when the last staged part is gone.
        generate_s: making rows, staging them and finding the exact answers.
        bulk_load_s: the server reading them.
        index_s: building the indexes.
        load_s: until searches are answered.
        measure_s: all searches.
        start_s: the rest.
    """

    server_memory_bytes: int
    loaded_memory_bytes: int
    client_memory_bytes: int
    disk_bytes: int
    disk_peak_bytes: int
    generate_s: float
    bulk_load_s: float
    index_s: float
    load_s: float
    measure_s: float
    start_s: float

    @property
    def memory_bytes(self) -> int:
        """Server and client together."""
        return self.server_memory_bytes + self.client_memory_bytes

    @property
    def total_s(self) -> float:
        """One run from nothing to its report."""
        return self.start_s + self.generate_s + self.bulk_load_s + self.index_s + self.load_s + self.measure_s

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        values = {name: round(value, 1) for name, value in dataclasses.asdict(self).items()}
        return {**values, "memory_bytes": self.memory_bytes, "total_s": round(self.total_s, 1)}


def predict(case: ScaleCase, *, costs: Costs = COSTS) -> Prediction:
    """What the case takes on a quiet machine with `case.core_count` cores."""
    rows, dim, lists, parts = case.row_count, case.dim, case.list_count, case.part_count
    vector_bytes = 4.0 * rows * dim
    part_bytes = (4.0 * dim + 8) * case.part_rows
    builds = min(case.core_count, parts)
    speed = case.core_count / 2  # generation and comparison use all cores; the constants are of two
    code_bytes = float(rows) * case.code_bytes
    index_cpu_s = (
        costs.index_cpu_s_per_byte * code_bytes
        + costs.assign_cpu_s_per_product * rows * dim * lists
        + costs.train_cpu_s_per_product * parts * dim * lists**2
    )
    loaded_bytes = costs.server_base_bytes + code_bytes + rows * costs.loaded_bytes_per_row
    build_bytes = costs.server_base_bytes + costs.build_bytes_per_byte * part_bytes * builds
    open_bytes = loaded_bytes + min(costs.open_segments, parts) * code_bytes / parts
    stored_bytes = costs.disk_base_bytes + costs.stored_ratio * vector_bytes + rows * costs.disk_bytes_per_row
    disk_bytes = stored_bytes + costs.index_ratios[case.index_type] * code_bytes
    return Prediction(
        server_memory_bytes=int(max(open_bytes, build_bytes, costs.server_base_bytes + costs.import_bytes)),
        loaded_memory_bytes=int(loaded_bytes),
        client_memory_bytes=int(costs.client_bytes),
        disk_bytes=int(disk_bytes),
        disk_peak_bytes=int(max(disk_bytes, stored_bytes + part_bytes)),
        generate_s=(costs.generate_s_per_value + costs.compare_s_per_product * case.query_count) * rows * dim / speed,
        bulk_load_s=costs.load_s_per_part * parts
        + costs.load_s_per_row * rows
        + costs.load_s_per_byte * (vector_bytes + 8 * rows),
        index_s=3.0 + index_cpu_s / (costs.index_core_ratio * case.core_count),
        load_s=costs.open_s + costs.open_s_per_byte * code_bytes,
        measure_s=costs.measure_s + costs.measure_s_per_row * rows + case.duration_s,
        start_s=costs.start_s,
    )


def check_fits(
    prediction: Prediction, *, disk_free_bytes: int, memory_free_bytes: int, disk_used_bytes: int = 0
) -> None:
    """Returns when the run fits; nothing has been made yet.

    Args:
        prediction: what the run takes.
        disk_free_bytes: of the disk that holds the server's folder.
        memory_free_bytes: what programs may still take.
        disk_used_bytes: what an interrupted run of the same case has on the disk already.

    Raises:
        LimitError: disk or memory is too small; the message has all four numbers.
    """
    needed_bytes = max(0, prediction.disk_peak_bytes - disk_used_bytes)
    is_disk_short = needed_bytes > disk_free_bytes
    is_memory_short = prediction.memory_bytes > memory_free_bytes
    if not (is_disk_short or is_memory_short):
        return
    short = " and ".join(name for name, is_short in (("disk", is_disk_short), ("memory", is_memory_short)) if is_short)
    raise LimitError(
        f"the {short} is too small: the run takes {needed_bytes / 1e9:.1f} GB of disk ({disk_free_bytes / 1e9:.1f} GB "
        f"free) and {prediction.memory_bytes / 1e9:.1f} GB of memory ({memory_free_bytes / 1e9:.1f} GB free)",
        hint="take fewer rows with --rows, or a larger disk with --home-dir FOLDER",
        context={
            "disk_needed_bytes": needed_bytes,
            "disk_free_bytes": disk_free_bytes,
            "memory_needed_bytes": prediction.memory_bytes,
            "memory_free_bytes": memory_free_bytes,
            "prediction": prediction.as_dict(),
        },
    )
