"""Index types side by side: the same data, each tuned to the same recall, measured alike, kept as files.

`compare_indexes` measures, `read_comparison` reads a folder of it, finished or not, `write_report` makes the page.
"""

from milvuslab.tune.comparison.measuring import QUERY_COUNT, CompareTask, compare_indexes
from milvuslab.tune.comparison.one_type import Budget
from milvuslab.tune.comparison.report import write_report
from milvuslab.tune.comparison.store import list_comparisons, read_comparison
from milvuslab.tune.comparison.values import Comparison, CurvePoint, IndexResult, PlannedIndex, find_front

__all__ = [
    "QUERY_COUNT",
    "Budget",
    "CompareTask",
    "Comparison",
    "CurvePoint",
    "IndexResult",
    "PlannedIndex",
    "compare_indexes",
    "find_front",
    "list_comparisons",
    "read_comparison",
    "write_report",
]
