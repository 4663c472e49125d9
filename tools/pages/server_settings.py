"""The page of what a standalone server is started with, from the tables in `runtime/options.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from milvuslab.model.server import ServerKind
from milvuslab.model.settings import SETTINGS
from milvuslab.runtime.options import Option, etcd_options, milvus_options
from milvuslab.runtime.profile import PORT_NAMES

__all__ = ["render_page"]

_HEAD = """# What a standalone server is started with

A standalone server of ours is the real Milvus binary out of the PyPI package `milvus` (2.3.5 and 2.2.16 on Linux
x86_64; 2.3.9, 2.3.4 and 2.3.3 on macOS, which we have not run). At each start three files are written to
`HOME/servers/NAME/config/`: `milvus.yaml`, `etcd.yaml` for the metadata store inside the server, and `glog.conf`.
Changes made there by hand are lost at the next start.

`milvus.yaml` is the template that came with the build with the rows below laid over it. Rows that a version does not
know are ignored by it. `FOLDER` is the server's folder, `<proxy>` and its
like are ports out of its `profile.json`.

## milvus.yaml

"""
_ETCD = """## etcd.yaml

"""
_TAIL = """## Environment of the process

Nothing of your environment is handed on. The process gets `LD_LIBRARY_PATH` (macOS: `DYLD_LIBRARY_PATH`) for the
libraries of the build, `MILVUSCONF` for the files above, `METRICS_PORT`, `DEPLOY_MODE=STANDALONE` (2.2 refuses its
embedded etcd without it), and `MILVUS_RUN_DIR`, `TMPDIR` and `HOME` below `FOLDER/run`: the first two else lie in
`/run/milvus` and `/tmp/milvus`, which two users of one machine would fight for.

## Who can reach it

- `etcd` and `etcd_peer` listen on 127.0.0.1 only; so does a Lite server, whose only port is `proxy`.
- **All other ports of a standalone listen on all interfaces**, whatever `ip` says: `proxy`, `proxy_internal`,
  `metrics` and one for each coordinator and node (2.3 has no index coordinator of its own and leaves that port alone). `ip` only sets what the roles tell each other. This was measured on
  2.3.5 and 2.2.16, and neither has a setting for it. The server asks for no password, so on a network that you do not trust
  close these ports with the machine's firewall; `milvuslab server status NAME --json` lists them.
- 2.2.16 tells its roles the machine's own address even though `ip` says 127.0.0.1; when the address changes while
  it runs (another wireless network), restart it.

## How it stops

SIGTERM, then SIGKILL after `stop_timeout_s`. 2.3.5 ends within 1 to 2 s with the rows above. 2.2.16 does not end by
itself while a collection is loaded, so it is killed after 3 s. What a server acknowledged is in its log on disk and
survives both: the tests of `tests/runtime/test_server.py` count the rows.
"""
_FOLDER = Path("/FOLDER")
_FIRST_PORT = 90_000  # no real port, so that each can be found again in the values


def render_page(root_dir: Path) -> str:
    """Both tables with the text around them."""
    del root_dir
    names = PORT_NAMES[ServerKind.STANDALONE]
    ports = {name: _FIRST_PORT + number for number, name in enumerate(names)}
    milvus = milvus_options(
        ports=ports,
        folder=_FOLDER,
        session_ttl_s=SETTINGS["session_ttl_s"].default,
        index_build_parallel=SETTINGS["index_build_parallel"].default,
    )
    etcd = etcd_options(ports=ports, folder=_FOLDER)
    return f"{_HEAD}{_table(milvus, names)}\n{_ETCD}{_table(etcd, names)}\n{_TAIL}"


def _table(rows: Sequence[Option], names: Sequence[str]) -> str:
    lines = [f"| `{row.path}` | `{_shown(row.value, names)}` | {row.reason} |\n" for row in rows]
    return "".join(["| setting | value | why |\n|---|---|---|\n", *lines])


def _shown(value: str | float, names: Sequence[str]) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value).replace("/FOLDER", "FOLDER")
    return re.sub(r"90\d{3}", lambda match: f"<{names[int(match.group()) - _FIRST_PORT]}>", text)
