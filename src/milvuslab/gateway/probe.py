"""What a live server can do, found by trying it.

Every probe has its own thread, its own connection and its own deadline: on 2.3.5 the creation of a DISKANN index
hangs where the server's disk indexes are off (measured). Collections made here are dropped whatever happens; those that
a killed probe left behind are dropped by the next one.

Features, each with its trial in `probe_trials.py`:

| name | what worked |
|---|---|
| `aliases` | an alias was made and resolved |
| `array`, `binary`, `json`, `sparse` | a row with such a field was written |
| `bulk_load` | the list of import tasks was told |
| `compaction` | a compaction was accepted |
| `databases` | databases were listed |
| `delete_by_filter` | rows were deleted by a condition that is not about the key |
| `dynamic_field` | a field outside the schema was written and filtered on |
| `filter_templates` | a filter with `{name}` and values beside it was read |
| `full_text` | a collection with a BM25 function was made |
| `group_by` | hits were grouped by a field |
| `hybrid_search` | two searches were merged |
| `iterator` | rows came page by page |
| `json_bool` | `true` inside JSON was told from 1 |
| `multi_vector` | a collection with two vector fields was made |
| `partition_key` | a collection with a partition key was made |
| `range_search` | hits stayed within a radius |
| `rename` | a collection was renamed |
| `replicas` | a collection was loaded twice |
| `resource_groups` | resource groups were listed |
| `roles` | roles were listed |
| `row_count_query` | `count(*)` was answered |
| `upsert` | a row was replaced |
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import secrets
import time
from collections.abc import Callable, Sequence

from milvuslab.gateway.catalog import HIDDEN_PREFIX
from milvuslab.gateway.client import Gateway, connect
from milvuslab.gateway.probe_trials import (
    DATA_TYPE_TRIALS,
    FEATURE_TRIALS,
    INDEX_TYPES,
    METRICS,
    Bench,
    try_index,
    try_metric,
)
from milvuslab.gateway.retry import RetryPolicy
from milvuslab.model.errors import MilvusLabError, TimedOutError, UnreachableError, UnsupportedError
from milvuslab.model.server import Capabilities, Endpoint

__all__ = ["About", "Probed", "fetch_about", "probe_server"]

_WORKERS = 6
_LEFTOVER_S = 600


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What a server says about itself: its version, its build, and whether it lives inside a process."""

    version: str
    build: str
    is_embedded: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Probed:
    """What was found, and whether no trial was cut off by its deadline: only then is it worth keeping."""

    capabilities: Capabilities
    is_certain: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    endpoint: Endpoint
    token: str
    is_embedded: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Trial:
    """One thing to find out: a kind (`feature`, `index:FLOAT_VECTOR`, ...), a name, and how."""

    kind: str
    name: str
    run: Callable[[Bench], None]


def probe_server(endpoint: Endpoint, *, deadline_s: float = 5.0) -> Probed:
    """Tries everything on the server and tells what worked.

    Args:
        endpoint: the server.
        deadline_s: for each trial. One that takes longer is tried a second time, alone and with three times as much.

    Raises:
        UnreachableError, TimedOutError, ForbiddenError: the server cannot be worked with at all.
    """
    token = f"{HIDDEN_PREFIX}{int(time.time())}_{secrets.token_hex(3)}"
    trials = _trials()
    with connect(endpoint, call_timeout_s=deadline_s, retry=RetryPolicy.never()) as gateway:
        about = fetch_about(gateway)
        _drop_leftovers(gateway)
        try:
            plan = _Plan(endpoint, token, about.is_embedded)
            refused = _run_all(plan, trials, deadline_s=deadline_s)
            late = [position for position, error in refused.items() if _is_late(error, trials[position])]
            for position in late:
                del refused[position]
                again = _run_one(plan, f"{position}_again", trials[position], 3 * deadline_s)
                if again is not None:
                    refused[position] = again
        finally:
            _drop(gateway, token)
    is_certain = not any(_is_late(error, trials[position]) for position, error in refused.items())
    return Probed(_summary(trials, refused, about), is_certain)


def fetch_about(gateway: Gateway) -> About:
    """What the server says about itself."""
    protos = gateway.session.protos
    request = protos.milvus.ConnectRequest(client_info=protos.common.ClientInfo(sdk_type="milvuslab"))
    try:
        info = gateway.session.caller.read("Connect", request, what="ask the server about itself").server_info
    except UnsupportedError:
        return About(version=gateway.server_version, build="", is_embedded=False)
    return About(
        version=gateway.server_version, build=info.git_commit, is_embedded=info.deploy_mode.lower() == "embedded"
    )


def _trials() -> list[_Trial]:
    trials = [_Trial("feature", name, run) for name, run in FEATURE_TRIALS.items()]
    trials += [_Trial("data_type", name, run) for name, run in DATA_TYPE_TRIALS.items()]
    for vector_type, kinds in INDEX_TYPES.items():
        trials += [
            _Trial(f"index:{vector_type}", kind, lambda bench, v=vector_type, k=kind: try_index(bench, v, k))  # type: ignore[misc]
            for kind in kinds
        ]
    for vector_type, metrics in METRICS.items():
        trials += [
            _Trial(f"metric:{vector_type}", name, lambda bench, v=vector_type, m=name: try_metric(bench, v, m))  # type: ignore[misc]
            for name in metrics
        ]
    return trials


def _run_all(plan: _Plan, trials: Sequence[_Trial], *, deadline_s: float) -> dict[int, MilvusLabError]:
    """For each trial that failed: its position and the error."""
    refused: dict[int, MilvusLabError] = {}
    with concurrent.futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix="probe") as pool:
        # The slow ones begin first: DISKANN, which may take its whole deadline, then those that load a collection.
        futures = {
            pool.submit(_run_one, plan, str(position), trial, deadline_s): position
            for position, trial in sorted(enumerate(trials), key=lambda one: one[1].name != "DISKANN")
        }
        for future in concurrent.futures.as_completed(futures):
            error = future.result()
            if error is not None:
                refused[futures[future]] = error
    return refused


def _run_one(plan: _Plan, number: str, trial: _Trial, deadline_s: float) -> MilvusLabError | None:
    try:
        with connect(plan.endpoint, call_timeout_s=deadline_s, retry=RetryPolicy.never()) as gateway:
            trial.run(Bench(gateway, f"{plan.token}_{number}", time.monotonic() + deadline_s, plan.is_embedded))
    except MilvusLabError as error:
        return error
    return None


def _is_late(error: MilvusLabError, trial: _Trial) -> bool:
    """Whether a slow moment may be the reason; an index that is not even begun in 3 s hangs and is refused."""
    return isinstance(error, TimedOutError | UnreachableError) and not trial.kind.startswith("index")


def _summary(trials: Sequence[_Trial], refused: dict[int, MilvusLabError], about: About) -> Capabilities:
    worked: dict[str, set[str]] = {}
    notes: dict[str, str] = {}
    for position, trial in enumerate(trials):
        if position in refused:
            label = trial.name if trial.kind == "feature" else f"{trial.kind}:{trial.name}"
            error = refused[position]
            notes[label] = str(error.context.get("server_words") or error.message)
        else:
            worked.setdefault(trial.kind, set()).add(trial.name)
    return Capabilities(
        server_version=about.version,
        server_build=about.build,
        index_types=_by_vector(worked, "index:"),
        metrics=_by_vector(worked, "metric:"),
        data_types=frozenset(worked.get("data_type", ())),
        features=frozenset(worked.get("feature", ())),
        notes=notes,
    )


def _by_vector(worked: dict[str, set[str]], prefix: str) -> dict[str, frozenset[str]]:
    return {kind.removeprefix(prefix): frozenset(names) for kind, names in worked.items() if kind.startswith(prefix)}


def _drop(gateway: Gateway, token: str) -> None:
    for name in gateway.collections.list(with_hidden=True):
        if name.startswith(token):
            gateway.collections.drop(name)


def _drop_leftovers(gateway: Gateway) -> None:
    """Drops what a probe that was killed left; one that is running now is younger."""
    for name in gateway.collections.list(with_hidden=True):
        begun = name.removeprefix(HIDDEN_PREFIX).split("_")[0]
        if name.startswith(HIDDEN_PREFIX) and begun.isdigit() and time.time() - int(begun) > _LEFTOVER_S:
            gateway.collections.drop(name)
