"""Many pictures: read, decode, and encode at the same time, in bounded memory, given back in order.

Each worker takes a picture from its bytes to its vector, so one decodes while another computes; Pillow and ONNX Runtime
both work without Python's lock. Memory: at most `window` pictures, whatever the source holds.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from milvuslab.embed.images.encoder import ImageEncoder, Pixels
from milvuslab.model.errors import UsageError

__all__ = ["Decoded", "Encoded", "Item", "encode_ahead"]

Item = TypeVar("Item")
Decoded = TypeVar("Decoded")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoded(Generic[Item, Decoded]):
    """What became of one item.

    Attributes:
        item: as it came.
        decoded: what `decode` gave; None where it refused.
        vector: (dim,) float32 of length 1; None where it refused.
        fault: why it was refused, None when it was not.
    """

    item: Item
    decoded: Decoded | None = None
    vector: npt.NDArray[np.float32] | None = None
    fault: UsageError | None = None


def encode_ahead(
    encoder: ImageEncoder,
    items: Iterable[Item],
    *,
    decode: Callable[[Item], Decoded],
    pixels_of: Callable[[Decoded], Pixels],
    window: int = 0,
) -> Iterator[Encoded[Item, Decoded]]:
    """Items with their vectors, in the order they came.

    Args:
        decode: reads and decodes one item; runs in a worker. A `UsageError` it raises is a fault of that item, any
            other error ends the work.
        pixels_of: the (h, w, 3) uint8 array in what `decode` gave.
        window: most items under way; 0 takes four for each of the encoder's threads.
    """
    limit = window or 4 * encoder.thread_count

    def work(item: Item) -> Encoded[Item, Decoded]:
        try:
            decoded = decode(item)
        except UsageError as error:
            return Encoded(item=item, fault=error)
        # One picture is computed in the thread that asks, so the workers here are all the threads there are.
        return Encoded(item=item, decoded=decoded, vector=encoder.encode_images([pixels_of(decoded)])[0])

    waiting: collections.deque[Future[Encoded[Item, Decoded]]] = collections.deque()
    workers = ThreadPoolExecutor(encoder.thread_count, thread_name_prefix="encode-ahead")
    try:
        for item in items:
            waiting.append(workers.submit(work, item))
            if len(waiting) >= limit:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
