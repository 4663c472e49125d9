"""Every setting of milvuslab in one table, and how a value is found.

Order: flag > environment > project file > default. The environment name is `MILVUSLAB_` plus the setting in
capitals. Help texts, `milvuslab config show`, the studio's form and `docs/reference/settings.md` are made
from this table. Nothing here reads the environment or a file: `resolve` is given both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from milvuslab.model.errors import ConfigError, suggest

__all__ = ["PLACEHOLDER_SECRETS", "SETTINGS", "Origin", "Secret", "Setting", "Settings", "environment_name", "resolve"]

Origin = Literal["flag", "environment", "file", "default"]

PLACEHOLDER_SECRETS = frozenset(
    {"changeme", "change-me", "password", "secret", "root:milvus", "milvus", "token", "key", "admin", "test", "none"}
)
"""Secrets everybody knows, `root:Milvus` being Milvus's own default (Milvus docs 2.3, authenticate.md)."""


class Secret:
    """A string that shows itself only when asked by name.

    >>> str(Secret("s3cret-value")), Secret("s3cret-value").reveal()
    ('***', 's3cret-value')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the one call that sends it, never for a log."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def __str__(self) -> str:
        return "***" if self._value else ""

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the table.

    Attributes:
        name: most significant word first, unit last.
        kind: str, int, float, bool, Path or Secret.
        default: value when nobody says otherwise; None where the default is worked out at use (`help` says how).
        help: one sentence for a person; says why a number is what it is.
        minimum: smallest allowed number.
        maximum: largest allowed number.
        choices: allowed strings; empty means any.
    """

    name: str
    kind: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            name="home_dir",
            kind=Path,
            default=None,
            help="Folder of profiles, server data, jobs and logs. Default: $XDG_DATA_HOME/milvuslab, else ~/.local/share/milvuslab.",
        ),
        Setting(
            name="cache_dir",
            kind=Path,
            default=None,
            help="Folder of downloads: server binaries, models, samples; safe to delete. "
            "Default: $XDG_CACHE_HOME/milvuslab, else ~/.cache/milvuslab.",
        ),
        Setting(
            name="server",
            kind=str,
            default="standalone",
            help="Profile that commands use when --server is not given.",
        ),
        Setting(
            name="offline",
            kind=bool,
            default=False,
            help="Fetch nothing; use what the cache holds and say what is missing.",
        ),
        Setting(
            name="call_timeout_s",
            kind=float,
            default=10.0,
            minimum=0.1,
            maximum=600,
            help="Deadline of one call to a server, retries not included.",
        ),
        Setting(
            name="retry_count",
            kind=int,
            default=3,
            minimum=0,
            maximum=20,
            help="How often a retryable call is repeated. Probes and drills use 0, so that an outage is seen.",
        ),
        Setting(
            name="retry_deadline_s",
            kind=float,
            default=20.0,
            minimum=0.1,
            maximum=600,
            help="Total time of one call with all its retries.",
        ),
        Setting(
            name="probe_timeout_s",
            kind=float,
            default=5.0,
            minimum=0.5,
            maximum=60,
            help="Deadline of one capability probe. DISKANN on a 2.3.5 server without disk index never answers, "
            "hence a probe needs a deadline of its own.",
        ),
        Setting(
            name="start_timeout_s",
            kind=float,
            default=120.0,
            minimum=5,
            maximum=1800,
            help="How long a started server may take until a search is answered.",
        ),
        Setting(
            name="stop_timeout_s",
            kind=float,
            default=20.0,
            minimum=1,
            maximum=600,
            help="How long a server may take to end after SIGTERM before it is killed. "
            "2.2.16 can hang in its shutdown; what it acknowledged survives the kill.",
        ),
        Setting(
            name="session_ttl_s",
            kind=int,
            default=5,
            minimum=2,
            maximum=120,
            help="Milvus's common.session.ttl. With its default of 30 s searches are back 64 to 68 s after a crash, "
            "with 5 s after 9 to 11 s.",
        ),
        Setting(
            name="index_build_parallel",
            kind=int,
            default=1,
            minimum=1,
            maximum=64,
            help="Milvus's indexNode.scheduler.buildParallel: index builds at the same time, one core each.",
        ),
        Setting(
            name="etcd_program",
            kind=Path,
            default=None,
            help="The etcd that clusters of this machine run. Default: the one on the path.",
        ),
        Setting(
            name="java_program",
            kind=Path,
            default=None,
            help="The Java that runs Kafka and S3Proxy. Default: the one on the path.",
        ),
        Setting(
            name="kafka_home",
            kind=Path,
            default=None,
            help="Folder with Kafka 3.9's jars in 'libs'. Default: the one that 'make tools' fills in the cache.",
        ),
        Setting(
            name="s3proxy_home",
            kind=Path,
            default=None,
            help="Folder with S3Proxy's jars in 'libs'. Default: the one that 'make tools' fills in the cache.",
        ),
        Setting(
            name="etcd_endpoints",
            kind=str,
            default="",
            help="An etcd that runs elsewhere, 'HOST:PORT,HOST:PORT', for clusters that are made: none is started then.",
        ),
        Setting(
            name="kafka_addresses",
            kind=str,
            default="",
            help="Kafka brokers that run elsewhere, 'HOST:PORT,HOST:PORT', for clusters that are made.",
        ),
        Setting(
            name="s3_endpoint",
            kind=str,
            default="",
            help="An object storage that runs elsewhere, 'http://HOST:PORT', for clusters that are made.",
        ),
        Setting(
            name="s3_access_key",
            kind=Secret,
            default=Secret(""),
            help="Access key of that object storage; kept with the cluster, in a file for its owner only.",
        ),
        Setting(
            name="s3_secret_key",
            kind=Secret,
            default=Secret(""),
            help="Secret key of that object storage; kept with the cluster, in a file for its owner only.",
        ),
        Setting(
            name="remote_token",
            kind=Secret,
            default=Secret(""),
            help="Token (or user:password) of a remote server whose profile names none.",
        ),
        Setting(
            name="studio_host",
            kind=str,
            default="127.0.0.1",
            help="Address the studio listens on. Anything but loopback needs studio_key.",
        ),
        Setting(
            name="studio_port",
            kind=int,
            default=8530,
            minimum=0,
            maximum=65535,
            help="Port of the studio; 0 takes a free one. If the default is taken, the next free one is used.",
        ),
        Setting(
            name="studio_key",
            kind=Secret,
            default=Secret(""),
            help="Key that clients send as 'Authorization: Bearer KEY'; required beyond loopback.",
        ),
        Setting(
            name="studio_public_url",
            kind=str,
            default="",
            help="Address under which people reach the studio through a reverse proxy, 'https://studio.example.com'; "
            "needs studio_key. Requests under another name are refused on loopback.",
        ),
        Setting(
            name="request_limit_bytes",
            kind=int,
            default=1_000_000,
            minimum=1_000,
            maximum=100_000_000,
            help="Largest body of one HTTP request.",
        ),
        Setting(
            name="upload_limit_bytes",
            kind=int,
            default=20_000_000,
            minimum=1_000,
            maximum=200_000_000,
            help="Largest body of one HTTP request that brings pictures.",
        ),
        Setting(
            name="result_limit",
            kind=int,
            default=100,
            minimum=1,
            maximum=1_000,
            help="Most hits of one search over HTTP or on a page.",
        ),
        Setting(
            name="query_limit_chars",
            kind=int,
            default=2_000,
            minimum=10,
            maximum=100_000,
            help="Longest question of a search.",
        ),
        Setting(
            name="document_limit_chars",
            kind=int,
            default=500_000,
            minimum=1_000,
            maximum=50_000_000,
            help="Longest document that is taken.",
        ),
        Setting(
            name="search_concurrency",
            kind=int,
            default=16,
            minimum=1,
            maximum=1_000,
            help="Searches the studio runs at the same time; further ones wait.",
        ),
        Setting(
            name="embed_threads",
            kind=int,
            default=0,
            minimum=0,
            maximum=256,
            help="Texts that one encoder computes at the same time, one thread each; 0 takes the physical cores this process "
            "may use.",
        ),
        Setting(
            name="embed_batch_rows",
            kind=int,
            default=16,
            minimum=1,
            maximum=1_024,
            help="Texts in one request to an embedding service, or in one batch of sentence-transformers. "
            "The encoders that run on ONNX take each text alone.",
        ),
        Setting(
            name="embed_cache_bytes",
            kind=int,
            default=1_000_000_000,
            minimum=0,
            maximum=10**13,
            help="Size of the file in which vectors of passages are kept, so that the same text is embedded once; 0 keeps none. "
            "A passage takes 1.7 kB at 384 dimensions.",
        ),
        Setting(
            name="ray_address",
            kind=str,
            default="",
            help="Ray cluster that --engine ray embeds on, 'HOST:6379' or 'auto'; empty starts one on this machine for the load.",
        ),
        Setting(
            name="ray_workers",
            kind=int,
            default=0,
            minimum=0,
            maximum=10_000,
            help="Encoders that --engine ray opens, a core and the memory of a model each; 0 takes as many as the cluster has cores.",
        ),
        Setting(
            name="openai_base_url",
            kind=str,
            default="",
            help="Base URL of an OpenAI-compatible embedding service, 'https://host/v1'.",
        ),
        Setting(
            name="openai_api_key",
            kind=Secret,
            default=Secret(""),
            help="Key of that service.",
        ),
        Setting(
            name="openai_model",
            kind=str,
            default="",
            help="Model name sent to that service; 'PASSAGES,QUERIES' where it has one name for each.",
        ),
        Setting(
            name="openai_timeout_s",
            kind=float,
            default=60.0,
            minimum=1,
            maximum=600,
            help="Deadline of one request to that service.",
        ),
        Setting(
            name="private_addresses_allowed",
            kind=bool,
            default=False,
            help="Whether sources given as URL may lie on loopback or private addresses.",
        ),
        Setting(
            name="download_limit_bytes",
            kind=int,
            default=30_000_000_000,
            minimum=1_000,
            maximum=1_000_000_000_000,
            help="Largest single download from a URL.",
        ),
    )
}


def environment_name(name: str) -> str:
    """Name of a setting in the environment.

    >>> environment_name("home_dir")
    'MILVUSLAB_HOME_DIR'
    """
    return f"MILVUSLAB_{name.upper()}"


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their origins; values are read as attributes: `settings.call_timeout_s`."""

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name}") from None


def resolve(
    *,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Mapping[str, Any] | None = None,
) -> Settings:
    """All settings, each from the first place that names it.

    Args:
        flags: values from the command line; a value None counts as not given.
        environment: for example `os.environ`; also gives HOME and the XDG folders.
        file: the parsed project file, names as in the table.

    Raises:
        ConfigError: an unknown name in `flags` or `file` or among `MILVUSLAB_*`, a value of the wrong kind or out
            of range, or a secret that everybody knows.
    """
    environment = environment or {}
    given: list[tuple[Origin, dict[str, Any]]] = [
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
        ("environment", _named_in(environment)),
        ("file", dict(file or {})),
    ]
    for origin, values in given:
        for name in values:
            if name not in SETTINGS:
                raise ConfigError(f"there is no setting {name} ({origin})", hint=suggest(name, SETTINGS))
    resolved: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name, setting in SETTINGS.items():
        origins[name] = next((origin for origin, values in given if name in values), "default")
        raw = next((values[name] for _, values in given if name in values), setting.default)
        resolved[name] = raw if raw is setting.default else _parse(setting, raw, origins[name], environment)
    resolved["home_dir"] = resolved["home_dir"] or _folder(environment, "XDG_DATA_HOME", ".local/share")
    resolved["cache_dir"] = resolved["cache_dir"] or _folder(environment, "XDG_CACHE_HOME", ".cache")
    return Settings(resolved, origins)


def _named_in(environment: Mapping[str, str]) -> dict[str, str]:
    # MILVUSLAB_TEST_* and MILVUSLAB_REQUIRE_ALL belong to the test suite, not to the table.
    names = {key: key.removeprefix("MILVUSLAB_").lower() for key in environment if key.startswith("MILVUSLAB_")}
    return {
        name: environment[key] for key, name in names.items() if not name.startswith("test_") and name != "require_all"
    }


def _folder(environment: Mapping[str, str], variable: str, below_home: str) -> Path:
    # A relative path in an XDG variable is to be ignored (XDG base directory specification 0.8).
    named = Path(environment.get(variable, ""))
    return (named if named.is_absolute() else _home(environment) / below_home) / "milvuslab"


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())


def _parse(setting: Setting, raw: Any, origin: Origin, environment: Mapping[str, str]) -> Any:
    where = {"environment": environment_name(setting.name), "flag": f"--{setting.name.replace('_', '-')}"}.get(
        origin, f"{setting.name} in the project file"
    )
    try:
        value = _convert(setting.kind, raw, environment)
    except (ValueError, TypeError, OverflowError):
        shown = "***" if setting.kind is Secret else repr(raw)[:80]
        raise ConfigError(f"{where} is {shown}, which is no {_KIND_WORDS[setting.kind]}", hint=setting.help) from None
    _check_range(setting, value, where)
    if isinstance(value, Secret) and value.reveal().lower() in PLACEHOLDER_SECRETS:
        raise ConfigError(
            f"{where} is a secret that everybody knows", hint="choose one of your own: openssl rand -hex 24"
        )
    return value


def _check_range(setting: Setting, value: Any, where: str) -> None:
    if setting.choices and value not in setting.choices:
        raise ConfigError(f"{where} is {value!r}", hint=suggest(str(value), setting.choices))
    if setting.minimum is not None and value < setting.minimum:
        raise ConfigError(f"{where} is {value}, less than {setting.minimum:,}", hint=setting.help)
    if setting.maximum is not None and value > setting.maximum:
        raise ConfigError(f"{where} is {value}, more than {setting.maximum:,}", hint=setting.help)


_KIND_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "yes or no (true, false)",
    Path: "path",
    Secret: "text",
}
_BOOL_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _convert(kind: type, raw: Any, environment: Mapping[str, str]) -> Any:
    if kind is bool:
        return raw if isinstance(raw, bool) else _bool(str(raw))
    if kind is Path:
        return _path(str(raw), environment)
    if kind is int:
        return _refuse() if isinstance(raw, bool | float) else int(raw)
    if kind is float:
        value = _refuse() if isinstance(raw, bool) else float(raw)
        return value if math.isfinite(value) else _refuse()
    if isinstance(raw, kind):
        return raw
    return kind(raw) if isinstance(raw, str) else _refuse()


def _bool(word: str) -> bool:
    try:
        return _BOOL_WORDS[word.strip().lower()]
    except KeyError:
        raise ValueError from None


def _path(text: str, environment: Mapping[str, str]) -> Path:
    """An absolute path: what is started in the background works in another folder."""
    if not text.strip() or "\0" in text:
        raise ValueError
    if text == "~" or text.startswith("~/"):
        return _home(environment) / text[2:]
    return Path(text).absolute()


def _refuse() -> Any:
    raise ValueError
