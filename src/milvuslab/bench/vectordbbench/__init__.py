"""VectorDBBench 1.0.20 as it is, run against a server of ours on our data, beside our own closed loop.

The tool lives in an environment of its own, because it wants an older pymilvus and pydantic than we have; it is told
what to do by a file and read from the files it writes. Nothing of it is imported here.
"""

from milvuslab.bench.vectordbbench.case import COLLECTION, TOOL_LIMITS, ToolCase
from milvuslab.bench.vectordbbench.dataset import write_dataset
from milvuslab.bench.vectordbbench.install import TOOL_VERSION, Tool, install_tool
from milvuslab.bench.vectordbbench.launch import run_tool
from milvuslab.bench.vectordbbench.result import ToolResult, read_result
from milvuslab.bench.vectordbbench.side_by_side import SideBySide, prepare_collection, run_side_by_side

__all__ = [
    "COLLECTION",
    "TOOL_LIMITS",
    "TOOL_VERSION",
    "SideBySide",
    "Tool",
    "ToolCase",
    "ToolResult",
    "install_tool",
    "prepare_collection",
    "read_result",
    "run_side_by_side",
    "run_tool",
    "write_dataset",
]
