"""One studio: what it watches, what it works with, and what its pages remember."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.apps.text.shelf import DEFAULT_COLLECTIONS
from milvuslab.embed.catalog import open_encoder
from milvuslab.journal.job import Job, list_jobs
from milvuslab.model.errors import MilvusLabError
from milvuslab.studio.image_desk import ImageDesk
from milvuslab.studio.lab.desk import LabDesk
from milvuslab.studio.metrics import StudioMetrics
from milvuslab.studio.text_desk import TextDesk
from milvuslab.studio.watch.encoders import EncoderWatch
from milvuslab.studio.watch.servers import ServerWatch
from milvuslab.studio.watch.source import WorkspaceSource

if TYPE_CHECKING:
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.embed.images.encoder import ImageEncoder
    from milvuslab.model.progress import Observer
    from milvuslab.model.settings import Settings
    from milvuslab.ops.workspace import Workspace

__all__ = ["JobShelf", "Studio", "TitleMemory", "open_studio"]

_LOG = logging.getLogger(__name__)
_TITLES_MAX = 5_000
_JOBS_FRESH_S = 1.0


class TitleMemory:
    """Titles of documents that were shown, so that the way back can name them without asking the server."""

    def __init__(self) -> None:
        self._titles: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._lock = threading.Lock()

    def keep(self, document_id: str, title: str) -> None:
        """Remembers a title; the oldest are forgotten."""
        with self._lock:
            self._titles[document_id] = title
            self._titles.move_to_end(document_id)
            while len(self._titles) > _TITLES_MAX:
                self._titles.popitem(last=False)

    def find(self, document_id: str) -> str | None:
        """The title, or None."""
        with self._lock:
            return self._titles.get(document_id)


class JobShelf:
    """Jobs of the workspace, read from disk at most once a second whoever asks.

    Args:
        read: gives them.
    """

    def __init__(self, read: Callable[[], Sequence[Job]]) -> None:
        self._read = read
        self._jobs: Sequence[Job] = ()
        self._read_at_s = 0.0
        self._failure = ""
        self._lock = threading.Lock()

    def latest(self) -> Sequence[Job]:
        """The jobs, oldest first; the last known ones when they cannot be read."""
        with self._lock:
            if not self._read_at_s or time.monotonic() - self._read_at_s > _JOBS_FRESH_S:
                try:
                    self._jobs = self._read()
                    self._failure = ""
                except (MilvusLabError, OSError) as error:
                    if str(error) != self._failure:  # said once, not once a second
                        self._failure = str(error)
                        _LOG.warning("the jobs could not be read: %s", error)
                self._read_at_s = time.monotonic()
            return self._jobs


class Studio:
    """What the API and the pages share.

    Args:
        settings: limits, and the server of the applications.
        servers: watched.
        encoders: of text, opened in the background.
        image_encoders: of pictures, opened when a collection asks for one.
        jobs: long work.
        lab: comparisons of index types.
        metrics: counted.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        servers: ServerWatch,
        encoders: EncoderWatch[TextEncoder],
        image_encoders: EncoderWatch[ImageEncoder],
        jobs: JobShelf,
        lab: LabDesk,
        metrics: StudioMetrics,
    ) -> None:
        self.settings = settings
        self.servers = servers
        self.encoders = encoders
        self.image_encoders = image_encoders
        self.jobs = jobs
        self.lab = lab
        self.metrics = metrics
        self.titles = TitleMemory()
        self.desk = TextDesk(
            servers=servers, encoders=encoders, server=settings.server, settings=settings, metrics=metrics
        )
        self.images = ImageDesk(
            servers=servers, encoders=image_encoders, server=settings.server, settings=settings, metrics=metrics
        )

    def start(self) -> None:
        """Begins to look at servers and to open the encoders of the default collections."""
        self.servers.start()
        for default in DEFAULT_COLLECTIONS.values():
            self.encoders.warm(default.encoder)

    def stop(self) -> None:
        """Ends what runs in the background."""
        self.desk.close()
        self.images.close()
        self.lab.close()
        self.servers.stop()


def open_studio(workspace: Workspace) -> Studio:
    """The studio of a workspace; nothing is started yet."""
    settings = workspace.settings
    metrics = StudioMetrics()
    return Studio(
        settings=settings,
        servers=ServerWatch(WorkspaceSource(workspace), metrics=metrics),
        encoders=EncoderWatch(lambda name, observer: open_encoder(name, settings=settings, observer=observer)),
        image_encoders=EncoderWatch(lambda name, observer: _open_image_encoder(name, observer, settings=settings)),
        jobs=JobShelf(lambda: list_jobs(Path(settings.home_dir) / "jobs")),
        lab=LabDesk(settings=settings, child_environment=workspace.child_environment(), working_dir=workspace.folder),
        metrics=metrics,
    )


def _open_image_encoder(name: str, observer: Observer, *, settings: Settings) -> ImageEncoder:
    from milvuslab.embed.images.catalog import open_image_encoder

    return open_image_encoder(name, settings=settings, observer=observer)
