"""Models on disk: built once, whole or absent, checked before use.

A model lies in `cache_dir/models/NAME/` with a `manifest.json` that has the SHA-256 of each file. It is built in a
folder beside it and renamed, so a crash leaves no half model, only a folder `.build-*` that the next build removes.
One process builds at a time (lock file `NAME.lock`); others wait and then take what it made.
Files are checked once per process; a damaged model is thrown away and built again.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from milvuslab.fetch import sha256_of
from milvuslab.machine import hold_lock
from milvuslab.model.errors import CheckFailedError
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["ModelFolder", "open_model"]

_FORMAT = 1
_MANIFEST = "manifest.json"
_LOCK_DEADLINE_S = 900.0

_checked: dict[Path, tuple[tuple[str, int, int], ...]] = {}
_checked_lock = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A model that is whole.

    Attributes:
        path: the folder.
        sha256: of each file, by name.
    """

    path: Path
    sha256: Mapping[str, str]


def open_model(
    name: str,
    *,
    cache_dir: Path,
    build: Callable[[Path], None],
    expected_sha256: Mapping[str, str],
    observer: Observer = silent,
) -> ModelFolder:
    """The model's folder, built when it is not there, is damaged, or holds other files than expected.

    Args:
        name: of the folder.
        build: writes the model's files into the empty folder it is given.
        expected_sha256: checksum of each file, pinned.

    Raises:
        CheckFailedError: what was built has another checksum than the pinned one.
        ConflictError: another process is building it and does not come to an end.
    """
    folder = cache_dir / "models" / name
    damage = _find_damage(folder, expected_sha256)
    if damage:
        lock_path = folder.with_name(f"{name}.lock")
        with hold_lock(lock_path, timeout_s=_LOCK_DEADLINE_S, doing=f"preparing model {name}"):
            damage = _find_damage(folder, expected_sha256)
            if damage:
                _rebuild(folder, damage, build=build, expected_sha256=expected_sha256, observer=observer)
    return ModelFolder(path=folder, sha256=dict(expected_sha256))


def _find_damage(folder: Path, expected_sha256: Mapping[str, str]) -> str:
    """What is wrong with a stored model in a few words; empty when nothing is."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        state = _state_of(folder, expected_sha256)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing" if folder.is_dir() else "it is not there"
    except ValueError:
        return f"{_MANIFEST} is damaged"
    if manifest.get("format") != _FORMAT or manifest.get("files") != dict(expected_sha256):
        return "it was made by another version"
    with _checked_lock:
        if _checked.get(folder) == state:
            return ""
    for name, expected in expected_sha256.items():
        if sha256_of(folder / name) != expected:
            return f"{name} is damaged"
    with _checked_lock:
        _checked[folder] = state
    return ""


def _state_of(folder: Path, names: Mapping[str, str]) -> tuple[tuple[str, int, int], ...]:
    # A file that was exchanged since its check has another time or size.
    stats = {name: (folder / name).stat() for name in names}
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in sorted(stats.items()))


def _rebuild(
    folder: Path,
    damage: str,
    *,
    build: Callable[[Path], None],
    expected_sha256: Mapping[str, str],
    observer: Observer,
) -> None:
    observer(Progress(step=f"prepare model {folder.name}", message=f"model {folder.name}: {damage}; preparing it"))
    for left_behind in folder.parent.glob(f".build-{folder.name}-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".build-{folder.name}-") as workplace:
        fresh = Path(workplace) / "model"
        fresh.mkdir()
        build(fresh)
        findings = [
            f"{name}: sha256 {sha256_of(fresh / name)}, pinned {expected}"
            for name, expected in expected_sha256.items()
            if sha256_of(fresh / name) != expected
        ]
        if findings:
            raise CheckFailedError(
                f"model {folder.name} came out with other bytes than it should",
                findings=findings,
                hint="report it with the version of numpy and the processor of this machine",
            )
        manifest = {"format": _FORMAT, "name": folder.name, "files": dict(expected_sha256)}
        (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        if folder.exists():
            folder.rename(Path(workplace) / "old")
        fresh.rename(folder)
    observer(Progress(step=f"prepare model {folder.name}", done_count=1, total_count=1, unit="models"))
