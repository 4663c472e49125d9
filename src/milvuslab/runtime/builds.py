"""Which server builds exist for which machine: a table, pinned by version and checksum.

The builds are the wheels of the PyPI package `milvus`. Their binary is unpacked and started; the Python in them is
never imported. What is in a row was read off the wheel itself; only the Linux rows were run by us.
"""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path

from milvuslab.model.errors import UnsupportedError, suggest

__all__ = ["BUILDS", "Build", "Machine", "choose_build", "read_machine"]

_ELSEWHERE = "use Lite (milvuslab server add NAME --kind lite) or a remote server (--kind remote --uri URI)"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One server build for one kind of machine.

    Attributes:
        version: Milvus's version.
        system: `Linux` or `Darwin`, as `platform.system()` says.
        machine: `x86_64` or `arm64`, as `platform.machine()` says.
        filename: the wheel.
        sha256: of the wheel.
        size_bytes: of the wheel.
        system_min: oldest macOS it runs on; empty for Linux.
        stop_limit_s: longest wait after SIGTERM before SIGKILL, or None where it ends by itself.
            2.3.5 ends within 2 s, but once in some stops it hangs; 2.2.16 waits in its query node's shutdown for
            as long as a collection is loaded, whatever its graceful stop settings say. A kill lost none of the
            acknowledged rows (measured).
    """

    version: str
    system: str
    machine: str
    filename: str
    sha256: str
    size_bytes: int
    system_min: tuple[int, ...] = ()
    stop_limit_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What of a machine decides whether a build runs.

    Attributes:
        system: `Linux`, `Darwin`, `Windows`.
        machine: `x86_64`, `arm64`, `aarch64`.
        system_version: macOS version; empty elsewhere.
        libc: `glibc`, or whatever else a Linux has.
        has_avx2: whether the processor has AVX2; True where it does not apply.
    """

    system: str
    machine: str
    system_version: tuple[int, ...] = ()
    libc: str = "glibc"
    has_avx2: bool = True


BUILDS: tuple[Build, ...] = (
    Build(
        version="2.3.5",
        system="Linux",
        machine="x86_64",
        filename="milvus-2.3.5-py3-none-manylinux2014_x86_64.whl",
        sha256="69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04",
        size_bytes=57_692_521,
        stop_limit_s=8.0,
    ),
    Build(
        version="2.2.16",
        system="Linux",
        machine="x86_64",
        filename="milvus-2.2.16-py3-none-manylinux2014_x86_64.whl",
        sha256="ea5bd32251b7bcad629d7e46c307414a586c96b4a50491d04a08db42fca8fba9",
        size_bytes=42_065_083,
        stop_limit_s=3.0,
    ),
    Build(
        version="2.3.9",
        system="Darwin",
        machine="arm64",
        filename="milvus-2.3.9-py3-none-macosx_12_0_arm64.whl",
        sha256="2e770b1cb76d8f4ba0e3ce1c2e49bdb9cd38222f8662762db9d794e577dac826",
        size_bytes=36_326_762,
        system_min=(12, 0),
    ),
    Build(
        version="2.3.4",
        system="Darwin",
        machine="arm64",
        filename="milvus-2.3.4-py3-none-macosx_11_0_arm64.whl",
        sha256="119be606e275c4c7d592cc97d83ec896fff4539cef1ad36e285bd8c8fbb4feed",
        size_bytes=37_727_910,
        system_min=(11, 0),
    ),
    Build(
        version="2.3.3",
        system="Darwin",
        machine="x86_64",
        filename="milvus-2.3.3-py3-none-macosx_10_9_x86_64.whl",
        sha256="9dba3c89e3e23fd679659ba93198a07396cea8b186ac668ed7386ba7b9eb8560",
        size_bytes=39_551_411,
        system_min=(10, 9),
    ),
)
"""Best first for each machine: the first that fits is the default."""


def choose_build(machine: Machine, *, version: str = "") -> Build:
    """The build of that version for this machine; without a version the best one there is.

    Raises:
        UnsupportedError: no build fits; the hint says what does run here.
    """
    feature = f"a standalone Milvus {version}".strip()
    fitting = [build for build in BUILDS if (build.system, build.machine) == (machine.system, machine.machine)]
    if not fitting:
        needs = ", ".join(sorted({f"{build.system} {build.machine}" for build in BUILDS}))
        raise UnsupportedError(feature, needs=needs, has=f"{machine.system} {machine.machine}", hint=_ELSEWHERE)
    if machine.system == "Linux" and machine.libc != "glibc":
        raise UnsupportedError(
            feature, needs="a Linux with glibc", has=f"{machine.libc or 'another libc'}", hint=_ELSEWHERE
        )
    if not machine.has_avx2:
        raise UnsupportedError(feature, needs="a processor with AVX2", has="one without", hint=_ELSEWHERE)
    named = [build for build in fitting if version in ("", build.version)]
    if not named:
        versions = [build.version for build in fitting]
        raise UnsupportedError(
            feature, needs="a build for this machine", has=", ".join(versions), hint=suggest(version, versions)
        )
    for build in named:
        if machine.system_version >= build.system_min:
            return build
    oldest = ".".join(str(part) for part in named[-1].system_min)
    has = ".".join(str(part) for part in machine.system_version)
    raise UnsupportedError(feature, needs=f"macOS {oldest}", has=f"macOS {has}", hint=_ELSEWHERE)


def read_machine(*, root: Path = Path("/")) -> Machine:
    """This machine; `root` is where its `proc` lies."""
    system, machine = platform.system(), platform.machine()
    if system == "Darwin":
        version = tuple(int(part) for part in platform.mac_ver()[0].split(".") if part.isdigit())
        return Machine(system=system, machine=machine, system_version=version)
    if system != "Linux":
        return Machine(system=system, machine=machine)
    return Machine(
        system=system,
        machine=machine,
        libc=platform.libc_ver()[0] or "another libc",
        has_avx2=machine != "x86_64" or _has_avx2(root / "proc" / "cpuinfo"),
    )


def _has_avx2(cpuinfo: Path) -> bool:
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return True  # unknown is no reason to refuse; a missing instruction shows as SIGILL at start
    return any("avx2" in line.split() for line in text.splitlines() if line.startswith("flags"))
