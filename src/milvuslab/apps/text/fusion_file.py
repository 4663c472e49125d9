"""Where a tuned fusion is kept: one small file for each collection and server, below the workspace's home.

Every process of the workspace reads it: a search at the command line and the studio that runs already, which looks at the
file's time at each use. The file is replaced as a whole, so a reader sees the old fusion or the new one.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.apps.text.fusion import DEFAULT_FUSION, Fusion
from milvuslab.machine import read_record, write_record
from milvuslab.model.errors import CheckFailedError

if TYPE_CHECKING:
    from milvuslab.apps.text.tuning import TuningReport

__all__ = ["KeptFusions"]

_FORMAT = 1


class KeptFusions:
    """The tuned fusions of one server. Safe to use from many threads and processes.

    Args:
        home_dir: of the workspace.
        server_uri: of the server, without anything secret.
    """

    def __init__(self, home_dir: Path, *, server_uri: str) -> None:
        self._folder = home_dir / "fusions"
        self._server_uri = server_uri
        self._read: dict[str, tuple[int, Fusion]] = {}
        self._lock = threading.Lock()

    def find(self, collection: str) -> Fusion:
        """The fusion of a collection: the tuned one, else the default.

        Raises:
            ConfigError: the file is damaged, or of a newer milvuslab.
        """
        path = self._path(collection)
        try:
            changed_ns = path.stat().st_mtime_ns
        except FileNotFoundError:
            return DEFAULT_FUSION
        with self._lock:
            kept = self._read.get(collection)
        if kept is None or kept[0] != changed_ns:
            try:
                fusion = Fusion.from_dict(read_record(path, version=_FORMAT)["fusion"])
            except FileNotFoundError:
                return DEFAULT_FUSION
            kept = (changed_ns, fusion)
            with self._lock:
                self._read[collection] = kept
        return kept[1]

    def keep(self, collection: str, report: TuningReport) -> Path:
        """Writes the fusion of a tuning; from now on searches of the collection use it.

        Raises:
            CheckFailedError: it was refused, being no better than the best channel alone.
        """
        if not report.is_accepted:
            raise CheckFailedError(
                f"the fusion for {collection} was {report.reason}",
                findings=[f"{name}: nDCG@10 {interval}" for name, interval in report.channels.items()],
                hint=f"judge more questions, or search by the better channel: --channel {report.best_channel}",
            )
        values = {
            "collection": collection,
            "server_uri": self._server_uri,
            "fusion": report.fusion.as_dict(),
            "report": report.as_dict(),
        }
        write_record(self._path(collection), values, version=_FORMAT)
        return self._path(collection)

    def forget(self, collection: str) -> bool:
        """Goes back to the default; whether there was anything to forget."""
        path = self._path(collection)
        there = path.is_file()
        path.unlink(missing_ok=True)
        return there

    def _path(self, collection: str) -> Path:
        key = hashlib.sha256(f"{self._server_uri}\0{collection}".encode()).hexdigest()[:12]
        return self._folder / f"{collection}-{key}.json"
