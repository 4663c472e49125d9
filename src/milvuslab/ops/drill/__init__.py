"""Failure drills: a server is broken on purpose under calls, mended, and judged by what clients saw and by what became of the data."""

from milvuslab.ops.drill.drills import DRILLS, Drill, get_drill
from milvuslab.ops.drill.suite import heal, list_reports, read_report, run_named, run_suite
from milvuslab.ops.drill.timeline import OPERATIONS, OperationReport, Probe
from milvuslab.ops.drill.verdict import Control, Verdict

__all__ = [
    "DRILLS",
    "OPERATIONS",
    "Control",
    "Drill",
    "OperationReport",
    "Probe",
    "Verdict",
    "get_drill",
    "heal",
    "list_reports",
    "read_report",
    "run_named",
    "run_suite",
]
