"""Recall of each text collection as it is served, measured in the background and kept until the collection has changed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from milvuslab.apps.text.served_recall import ServedRecall, measure_served_recall
from milvuslab.model.errors import MilvusLabError

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection

__all__ = ["RecallWatch"]

_LOG = logging.getLogger(__name__)
_ROWS_MAX = 300_000
"""Above it a look at every vector costs a small machine more than its page is worth."""
_CHANGE_RATIO = 0.02
_AGAIN_AFTER_S = 60.0


class RecallWatch:
    """Measures one collection at a time on a thread of its own; safe to use from many threads."""

    def __init__(self, measure: Callable[[TextCollection], ServedRecall | None] = measure_served_recall) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._known: dict[str, ServedRecall] = {}
        self._begun_at_s: dict[str, float] = {}
        self._is_busy = False

    def get(self, collection: TextCollection, *, row_count: int) -> ServedRecall | None:
        """What is known of the collection; begins to measure when nothing is, or much was written since."""
        with self._lock:
            known = self._known.get(collection.name)
            age_s = time.monotonic() - self._begun_at_s.get(collection.name, -_AGAIN_AFTER_S)
            is_due = known is None or abs(row_count - known.passage_count) > _CHANGE_RATIO * known.passage_count
            if not is_due or self._is_busy or age_s < _AGAIN_AFTER_S or not 0 < row_count <= _ROWS_MAX:
                return known
            self._is_busy = True
            self._begun_at_s[collection.name] = time.monotonic()
        threading.Thread(target=self._run, args=(collection,), name=f"recall-{collection.name}", daemon=True).start()
        return known

    def _run(self, collection: TextCollection) -> None:
        try:
            measured = self._measure(collection)
        except MilvusLabError as error:
            _LOG.info("recall of %s was not measured: %s", collection.name, error.message)
            measured = None
        except Exception:  # noqa: BLE001  a worker's edge: the page goes on without the figure
            _LOG.exception("recall of %s was not measured", collection.name)
            measured = None
        with self._lock:
            self._is_busy = False
            if measured is not None:
                self._known[collection.name] = measured
