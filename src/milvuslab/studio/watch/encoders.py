"""Encoders, opened in the background: the first build takes tens of seconds, and nobody should wait for it blindly."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from milvuslab.model.errors import MilvusLabError, StartError
from milvuslab.model.progress import Observer, Progress

__all__ = ["EncoderView", "EncoderWatch"]

_LOG = logging.getLogger(__name__)
_RETRY_S = 10.0
_Encoder = TypeVar("_Encoder")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EncoderView:
    """How far an encoder is.

    Attributes:
        name: of the encoder.
        state: `opening`, `ready` or `failed`.
        step: what is being done while it opens.
        done_ratio: share of that step in [0, 1], or None while unknown.
        failure: why it failed, one sentence.
        hint: the next step.
    """

    name: str
    state: Literal["opening", "ready", "failed"]
    step: str = ""
    done_ratio: float | None = None
    failure: str = ""
    hint: str = ""


class EncoderWatch(Generic[_Encoder]):
    """Opens encoders, of text or of pictures, on threads of their own and gives those that are ready; safe to use from many threads.

    Args:
        open_encoder: gives the encoder of a name; slow the first time.
    """

    def __init__(self, open_encoder: Callable[[str, Observer], _Encoder]) -> None:
        self._open_encoder = open_encoder
        self._ready: dict[str, _Encoder] = {}
        self._views: dict[str, EncoderView] = {}
        self._errors: dict[str, MilvusLabError] = {}
        self._failed_at_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def warm(self, name: str) -> None:
        """Begins to open the encoder, unless it is open, opening, or failed a moment ago."""
        with self._lock:
            view = self._views.get(name)
            if view is not None and view.state != "failed":
                return
            if view is not None and time.monotonic() - self._failed_at_s[name] < _RETRY_S:
                return
            self._views[name] = EncoderView(name=name, state="opening")
        threading.Thread(target=self._open, args=(name,), name=f"encoder-{name}", daemon=True).start()

    def get(self, name: str) -> _Encoder:
        """The encoder, without waiting.

        Raises:
            StartError: it is being opened; come back in a moment.
            MilvusLabError: opening it failed; it is tried again after 10 s.
        """
        self.warm(name)
        with self._lock:
            if name in self._ready:
                return self._ready[name]
            view = self._views[name]
            if view.state == "failed":
                raise self._errors[name]
        percent = "" if view.done_ratio is None else f" ({view.done_ratio:.0%})"
        raise StartError(
            f"the encoder {name} is being prepared: {view.step or 'starting'}{percent}",
            hint="this happens once; try again in a few seconds",
            context={"encoder": name, "step": view.step, "done_ratio": view.done_ratio},
        )

    def views(self) -> tuple[EncoderView, ...]:
        """All encoders that were asked for, by name."""
        with self._lock:
            return tuple(self._views[name] for name in sorted(self._views))

    def _open(self, name: str) -> None:
        def observe(progress: Progress) -> None:
            with self._lock:
                self._views[name] = EncoderView(
                    name=name, state="opening", step=progress.step, done_ratio=progress.done_ratio
                )

        try:
            encoder = self._open_encoder(name, observe)
        except MilvusLabError as error:
            self._fail(name, error)
        except Exception:  # noqa: BLE001  a worker's edge: the failure must reach the page, not vanish with the thread
            _LOG.exception("encoder %s could not be opened", name)
            self._fail(name, StartError(f"the encoder {name} could not be opened", hint="look into the studio's log"))
        else:
            with self._lock:
                self._ready[name] = encoder
                self._views[name] = EncoderView(name=name, state="ready", done_ratio=1.0)

    def _fail(self, name: str, error: MilvusLabError) -> None:
        with self._lock:
            self._errors[name] = error
            self._failed_at_s[name] = time.monotonic()
            self._views[name] = EncoderView(name=name, state="failed", failure=error.message, hint=error.hint)
