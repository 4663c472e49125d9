"""What runs in a Lite server's process: its arguments are the data folder and the port.

It is run as a file, outside our package, so it imports nothing of it.

Lite's own command ends on Ctrl-C only and does not close its files on SIGTERM; this one ends on both, answers the
calls that are under way and closes the folder.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading

__all__ = ["main"]

_GRACE_S = 2.0


def main(arguments: list[str]) -> int:
    """Serves until a signal comes; returns the exit code."""
    data_dir, port = arguments[0], int(arguments[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    log = logging.getLogger("milvuslab.runtime.lite")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    server, database, bound_port = start_server_in_thread(data_dir=data_dir, host="127.0.0.1", port=port)
    log.info("serving %s on 127.0.0.1:%d", data_dir, bound_port)
    try:
        ended.wait()
    finally:
        server.stop(grace=_GRACE_S).wait()
        database.close()
        log.info("closed %s", data_dir)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
