"""`milvuslab bench`: measure servers. One module per verb, each with `register(app)`."""

from __future__ import annotations

from types import ModuleType

from milvuslab.cli.bench import indexes, run, scale, vectordbbench
from milvuslab.cli.command import group

__all__ = ["app"]

app = group("bench", help_text="Measure servers: cases, runs, reports and gates.")
_VERBS: tuple[ModuleType, ...] = (indexes, run, scale, vectordbbench)
for _verb in _VERBS:
    _verb.register(app)
