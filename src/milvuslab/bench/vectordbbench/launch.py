"""One run of the tool: told by a file, watched by its exit, read from what it wrote."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.bench.vectordbbench.case import ToolCase
from milvuslab.bench.vectordbbench.result import ToolResult, read_result
from milvuslab.machine import write_text
from milvuslab.model.errors import RejectedError, TimedOutError, UnsupportedError
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.bench.vectordbbench.install import Tool
    from milvuslab.model.server import Endpoint

__all__ = ["run_tool"]

_LABEL = "milvuslab"
_START_S = 240.0
"""What the tool may need besides the timed loop: starting `in_flight` interpreters, the serial pass, its own pauses."""


def run_tool(
    tool: Tool,
    case: ToolCase,
    *,
    endpoint: Endpoint,
    dataset_dir: Path,
    folder: Path,
    environment: Mapping[str, str],
    is_serial_too: bool = True,
    observer: Observer = silent,
) -> ToolResult:
    """Searches the collection, which is there and loaded, with the tool; returns what it found.

    Args:
        tool: its installation.
        case: what to do.
        endpoint: the server.
        dataset_dir: what `write_dataset` wrote.
        folder: of this run, empty: the tool's log, its result and what it was told stay there.
        environment: what the tool inherits.
        is_serial_too: whether it makes its second pass, which gives recall and latency one at a time.
        observer: told that it runs.

    Raises:
        UnsupportedError: the server is reached by TLS or inside this process, which the tool's client does not do.
        CheckFailedError: the tool's case failed.
        RejectedError: the tool ended without a result.
        TimedOutError: it did not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config_path = folder / "config.yml"
    write_text(config_path, _config(case, endpoint, dataset_dir.name, is_serial_too=is_serial_too))
    observer(Progress(step="run VectorDBBench", message=f"{case.in_flight} processes, {case.duration_s} s"))
    log_path = folder / "tool.log"
    code = _run(
        [str(tool.python), "-m", "vectordb_bench.cli.vectordbbench", "milvushnsw", "--config-file", config_path.name],
        folder=folder,
        environment=_environment(environment, folder=folder, dataset_dir=dataset_dir, log_path=log_path),
        timeout_s=_START_S + case.duration_s,
    )
    written = sorted((folder / "results").glob("*/result_*.json"))
    if not written:
        raise RejectedError(
            f"VectorDBBench ended with code {code} and no result: {_last_line(folder / 'output.txt')}",
            hint=f"see {folder / 'output.txt'}",
        )
    return read_result(written[-1], log_path=log_path)


def _config(case: ToolCase, endpoint: Endpoint, dataset_name: str, *, is_serial_too: bool) -> str:
    """The tool's options as its `--config-file`: a file of ours only, because it may hold a password."""
    import yaml

    if endpoint.is_embedded or endpoint.ca_pem_path or endpoint.client_pem_path or endpoint.server_name:
        raise UnsupportedError(
            f"VectorDBBench on {endpoint.safe_uri}",
            needs="a server at http://HOST:PORT",
            has="one that is embedded or has certificates of its own",
            hint="milvuslab server start standalone, then --server standalone",
        )
    user, _, password = endpoint.token.reveal().partition(":")
    options = {
        "uri": endpoint.uri, "user_name": user or None, "password": password or None,
        "m": case.m, "ef_construction": case.ef_construction, "ef_search": case.ef, "k": case.k,
        "num_concurrency": str(case.in_flight), "concurrency_duration": case.duration_s,
        "search_serial": is_serial_too, "drop_old": False, "load": False,
        "case_type": "PerformanceCustomDataset", "custom_case_name": _LABEL, "custom_dataset_name": _LABEL,
        "custom_dataset_dir": dataset_name, "custom_dataset_size": case.row_count, "custom_dataset_dim": case.dim,
        "custom_dataset_metric_type": str(case.metric), "custom_dataset_file_count": 1,
        "db_label": _LABEL, "task_label": _LABEL,
    }  # fmt: skip
    return str(yaml.safe_dump({"milvushnsw": {name: value for name, value in options.items() if value is not None}}))


def _environment(inherited: Mapping[str, str], *, folder: Path, dataset_dir: Path, log_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in inherited.items() if not name.startswith("PYTHON")}
    # The tool looks for a dataset at DATASET_LOCAL_DIR/NAME/FOLDER, the name being ours.
    assert dataset_dir.parent.name == _LABEL, f"the dataset must lie in a folder {_LABEL}: {dataset_dir}"
    return {
        **kept,
        "DATASET_LOCAL_DIR": str(dataset_dir.parent.parent),
        "RESULTS_LOCAL_DIR": str(folder / "results"),
        "LOG_FILE": str(log_path),
        "LOG_LEVEL": "INFO",
    }


def _run(argv: list[str], *, folder: Path, environment: Mapping[str, str], timeout_s: float) -> int:
    """Runs the tool to its end; when it takes too long, or we are stopped, its processes go with it."""
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimedOutError(
                f"VectorDBBench did not end within {timeout_s:.0f} s", hint=f"see {folder / 'output.txt'}"
            ) from None
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the tool and the processes it left, all of the session that was opened for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
