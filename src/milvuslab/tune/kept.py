"""Outcomes on disk: a tuning that was interrupted goes on with the next candidate.

One file for each candidate and question, named by a digest of both: other data, another target, seed or server version
is another question. A file that is damaged is an outcome that was not kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milvuslab.machine import read_record, write_record
from milvuslab.model.errors import ConfigError
from milvuslab.tune.climb import Goal
from milvuslab.tune.outcome import Outcome
from milvuslab.tune.space import Candidate

__all__ = ["KeptOutcomes"]

_FORMAT = 1


class KeptOutcomes:
    """The outcomes of one job.

    Args:
        folder: where the files lie; made when the first is kept.
        question: everything else that an outcome depends on: data, server, query count, seed, objective, budget.
    """

    def __init__(self, folder: Path, *, question: Mapping[str, Any]) -> None:
        self._folder = folder
        self._question = dict(question)

    def find(self, candidate: Candidate, goal: Goal) -> Outcome | None:
        """What came of that candidate, if it was kept; one that the server refused is tried again."""
        try:
            values = read_record(self._path(candidate, goal), version=_FORMAT)
            found = Outcome.from_dict(values["outcome"])
        except (FileNotFoundError, ConfigError, KeyError, TypeError, ValueError):
            return None
        return None if found.state == "failed" else found

    def keep(self, outcome: Outcome, goal: Goal) -> None:
        """Writes the outcome; the file is whole after any crash."""
        write_record(self._path(outcome.candidate, goal), {"outcome": outcome.as_dict()}, version=_FORMAT)

    def _path(self, candidate: Candidate, goal: Goal) -> Path:
        asked = {
            "question": self._question,
            "recall": goal.recall,
            "error_ratio": goal.error_ratio,
            "search_limit": goal.search_limit,
            "index_type": candidate.build.index_type,
            "metric": str(candidate.build.metric),
            "build": dict(candidate.build.params),
            "ladder": [dict(params) for params in candidate.ladder],
        }
        text = json.dumps(asked, sort_keys=True, default=str)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
