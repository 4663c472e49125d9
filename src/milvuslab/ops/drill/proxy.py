"""A TCP proxy of ours between clients and a server, which can be slow, deaf or rude on demand.

It runs in a thread of this process and listens on loopback. A mode holds for connections that are open and for new ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Literal

__all__ = ["Mode", "TcpProxy"]

Mode = Literal["pass", "slow", "deaf", "reset"]
_BLOCK_BYTES = 65_536


class TcpProxy:
    """Carries bytes between clients and one port of this machine. Use it in a `with`.

    - `pass`: as if it were not there;
    - `slow`: each block arrives `delay_s` later, in both directions;
    - `deaf`: nothing arrives and nothing is refused: a network that loses everything;
    - `reset`: open connections are reset, new ones are reset at once.

    Args:
        target_port: where the server listens.
        delay_s: of `slow`.
    """

    def __init__(self, target_port: int, *, delay_s: float = 0.3) -> None:
        self._target_port = target_port
        self._delay_s = delay_s
        self._mode: Mode = "pass"
        self._hears = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy")
        self.port = 0
        self.byte_count = 0

    def __enter__(self) -> TcpProxy:
        self._thread.start()
        self.port = self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def mode(self) -> Mode:
        """How it behaves now."""
        return self._mode

    def set_mode(self, mode: Mode) -> int:
        """Behaves so from now on; returns how many open connections that concerns."""
        return self._run(self._change(mode))

    def _run(self, work: object) -> int:
        done: Future[int] = asyncio.run_coroutine_threadsafe(work, self._loop)  # type: ignore[arg-type]
        return done.result(10.0)

    async def _listen(self) -> int:
        self._hears.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _change(self, mode: Mode) -> int:
        self._mode = mode
        if mode == "deaf":
            self._hears.clear()
        else:
            self._hears.set()
        count = len(self._writers) // 2
        if mode == "reset":
            for writer in list(self._writers):
                _reset(writer)
        return count

    async def _close(self) -> int:
        self._hears.set()
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "reset":
            _reset(writer)
            return
        await self._hears.wait()
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _reset(writer)
            return
        pair = {writer, there_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._carry(reader, there_writer), self._carry(there_reader, writer))
        finally:
            self._writers -= pair
            for one in pair:
                one.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(_BLOCK_BYTES):
                if self._mode == "slow":
                    await asyncio.sleep(self._delay_s)
                await self._hears.wait()
                self.byte_count += len(block)
                writer.write(block)
                await writer.drain()
        writer.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with RST: closing with a linger of zero seconds discards what is unsent."""
    own = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
