"""The programs beside Milvus that a cluster needs, found on this machine; nothing is installed here."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection
from pathlib import Path

from milvuslab.model.errors import UnsupportedError
from milvuslab.model.progress import Observer, silent
from milvuslab.model.settings import Settings
from milvuslab.runtime.builds import choose_build, read_machine
from milvuslab.runtime.cluster.spec import ClusterSpec
from milvuslab.runtime.install import Install, install_build

__all__ = ["KAFKA_VERSION", "S3PROXY_VERSION", "Kit", "Tools", "check_tools", "find_tools", "make_kit"]

KAFKA_VERSION = "3.9.1"
S3PROXY_VERSION = "2.6.0"
_REMEDY = "in a checkout: make tools; {or_else}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Where the programs are; None for what is not on this machine.

    Attributes:
        etcd_path: the program.
        java_path: the program.
        kafka_home: folder with Kafka's jars in `libs`.
        s3proxy_home: folder with S3Proxy's jars in `libs`.
    """

    etcd_path: Path | None
    java_path: Path | None
    kafka_home: Path | None
    s3proxy_home: Path | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What instances are made of.

    Attributes:
        install: the unpacked Milvus.
        tools: the other programs.
        settings: for `session_ttl_s` and `index_build_parallel`.
    """

    install: Install
    tools: Tools
    settings: Settings


def make_kit(spec: ClusterSpec, *, settings: Settings, observer: Observer = silent) -> Kit:
    """What a cluster of that spec is made of, by the settings; Milvus is fetched and unpacked when it is not there.

    Raises:
        UnsupportedError: a program is missing, or the real binary does not run on this machine.
        UnreachableError: the build has to be fetched and cannot be.
    """
    tools = find_tools(
        settings.cache_dir,
        etcd_path=settings.etcd_program,
        java_path=settings.java_program,
        kafka_home=settings.kafka_home,
        s3proxy_home=settings.s3proxy_home,
    )
    check_tools(spec, tools)
    build = choose_build(read_machine())
    install = install_build(build, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
    return Kit(install=install, tools=tools, settings=settings)


def find_tools(
    cache_dir: Path,
    *,
    etcd_path: Path | None = None,
    java_path: Path | None = None,
    kafka_home: Path | None = None,
    s3proxy_home: Path | None = None,
) -> Tools:
    """The tools of this machine: what is given, else what `make tools` put in the cache and what is on the path."""
    return Tools(
        etcd_path=_program(etcd_path, "etcd"),
        java_path=_program(java_path, "java"),
        kafka_home=_home(kafka_home or cache_dir / "kafka" / KAFKA_VERSION, "kafka_2.1*.jar"),
        s3proxy_home=_home(s3proxy_home or cache_dir / "s3proxy" / S3PROXY_VERSION, "s3proxy-*.jar"),
    )


def check_tools(spec: ClusterSpec, tools: Tools) -> None:
    """Returns when this machine has what the cluster starts.

    Raises:
        UnsupportedError: something is missing; every missing one is named, with what provides it.
    """
    lacking = [*_lacking(spec, tools)]
    if lacking:
        names, remedies = zip(*lacking, strict=True)
        raise UnsupportedError(
            "a cluster on this machine",
            needs=" and ".join(names),
            has="a machine without",
            hint=_REMEDY.format(or_else="; ".join(dict.fromkeys(remedies))),
        )


def _lacking(spec: ClusterSpec, tools: Tools) -> Collection[tuple[str, str]]:
    needs_kafka, needs_s3 = not spec.kafka_addresses, spec.storage == "s3" and not spec.s3_endpoint
    found = []
    if not spec.etcd_endpoints and tools.etcd_path is None:
        found.append(("etcd", "install etcd-server, or name one: MILVUSLAB_ETCD_PROGRAM, MILVUSLAB_ETCD_ENDPOINTS"))
    if (needs_kafka or needs_s3) and tools.java_path is None:
        found.append(("Java 17", "install default-jre-headless, or name it: MILVUSLAB_JAVA_PROGRAM"))
    if needs_kafka and tools.kafka_home is None:
        found.append((f"Kafka {KAFKA_VERSION}", "name one: MILVUSLAB_KAFKA_HOME, MILVUSLAB_KAFKA_ADDRESSES"))
    if needs_s3 and tools.s3proxy_home is None:
        found.append((f"S3Proxy {S3PROXY_VERSION}", "name one: MILVUSLAB_S3PROXY_HOME, MILVUSLAB_S3_ENDPOINT"))
    return found


def _program(given: Path | None, name: str) -> Path | None:
    found = shutil.which(given or name)
    return Path(found).absolute() if found else None


def _home(folder: Path, jar: str) -> Path | None:
    return folder if any((folder / "libs").glob(jar)) else None
