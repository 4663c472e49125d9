"""Real documents to start with: fetched from package registries, unpacked once, read like any other source.

A sample lies at `cache_dir/samples/NAME` with a `manifest.json` that says which packages it came from. The folder is
built beside and renamed into place, so one that is there is whole; a manifest of another recipe means: build again.
Nothing of it is part of this project: texts keep their own licences (docs/reference/samples.md).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from milvuslab.data.deb import deb_version, extract_deb_folder
from milvuslab.data.document import Item
from milvuslab.data.readers.files import FORMATS, Format, read_folder
from milvuslab.data.readers.html import HtmlRules
from milvuslab.data.readers.prose import read_html
from milvuslab.data.readers.source import Skipped, Source, log_skipped
from milvuslab.fetch import Package, extract_members, fetch_package, sha256_of
from milvuslab.model.errors import NotFoundError, suggest
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.settings import Settings

__all__ = ["DEMO_SAMPLES", "SAMPLES", "Sample", "fetch_sample", "read_manifest", "read_sample"]

_RECIPE = 2
"""Raised when samples are unpacked differently, so that folders of an older recipe are built again."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample: what it is, where it comes from, how it is unpacked and read.

    Attributes:
        languages: primary subtags of its documents.
        licence: SPDX expression of the texts, or a sentence where there is none.
        packages: what is fetched.
        document_count: documents it gives, for the builds whose checksums are known.
        known_sha256: checksum of a package without a pinned version for which the counts were taken.
        members: what is unpacked: members of a wheel, or one folder of a Debian package.
        drops_other_languages: whether documents in another language than `languages` are left out.
        excluded: files that are no documents, by their path below the folder.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    licence: str
    packages: tuple[Package, ...]
    document_count: int
    members: tuple[str, ...]
    file_format: Format
    known_sha256: str = ""
    url_base: str = ""
    drops_other_languages: bool = False
    excluded: tuple[str, ...] = ()


_GENSIM = Package(
    registry="pypi",
    name="gensim",
    version="4.4.0",
    sha256="4b73ff30af6ddd0d2ddf9473b1eb44603cd79ec14c87d93b75291802b991916c",
    filename="gensim-4.4.0-cp312-cp312-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    # The same file on every machine: it is opened as an archive, never installed.
    pip_arguments=(
        "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.12",
        "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_24_x86_64",
    ),
    size_bytes=27_864_118,
)  # fmt: skip

_HELP_RULES = HtmlRules(
    main=("//div[@id='DisplayArea']",),
    drop=(
        ".//*[@class='bug' or @class='relatedtopics' or @class='noteicon' or @class='howtogetheader']",
        # Of the variants for systems and modules the default one, where there is one.
        ".//span[@class='switchinline']/span[not(starts-with(@id, 'default'))][../span[starts-with(@id, 'default')]]",
        ".//span[@class='MAC']",
        # Links to other pages that stand at the end without a box around them.
        ".//p[@class='related']",
        "(.//p[@class='related'])[last()]/following::p[@class='embedded']",
    ),
    drops_page_frame=False,
    # Headings are left untranslated more often than titles.
    title_from_page=True,
)


def _help_sample(*, language: str, tag: str, title: str, document_count: int, sha256: str, size_bytes: int) -> Sample:
    package = f"libreoffice-help-{tag.lower()}"
    return Sample(
        name=f"help-{language}",
        title=title,
        languages=(language,),
        licence="MPL-2.0",
        packages=(
            Package(
                registry="debian",
                name=package,
                version="",
                sha256="",
                filename=f"{package}.deb",
                size_bytes=size_bytes,
            ),
        ),
        document_count=document_count,
        members=(f"usr/share/libreoffice/help/{tag}/text",),
        file_format=dataclasses.replace(FORMATS["html"], read=functools.partial(read_html, rules=_HELP_RULES)),
        known_sha256=sha256,
        url_base=f"https://help.libreoffice.org/latest/{tag}/text/",
        drops_other_languages=True,
        excluded=("shared/help/browserhelp.html",),  # the words of the help viewer's own frame
    )


SAMPLES: dict[str, Sample] = {
    sample.name: sample
    for sample in (
        Sample(
            name="wikipedia",
            title="English Wikipedia, an excerpt of the dump of 2016",
            languages=("en",),
            licence="CC-BY-SA-3.0",
            packages=(_GENSIM,),
            document_count=106,
            members=("gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",),
            file_format=FORMATS["mediawiki"],
        ),
        Sample(
            name="news",
            title="Australian news, the collection of Lee, Pincombe and Welsh (2005)",
            languages=("en",),
            licence="no licence named; texts of the Australian Broadcasting Corporation, published for research",
            packages=(_GENSIM,),
            document_count=350,
            members=("gensim/test/test_data/lee_background.cor", "gensim/test/test_data/lee.cor"),
            file_format=FORMATS["lee"],
        ),
        _help_sample(
            language="ko",
            tag="ko",
            title="LibreOffice 도움말, 한국어",
            document_count=1_561,
            sha256="7ef2d854e9ed58e6bf861cfa9fa2579555233f9df874baf327fcb07ccd190669",
            size_bytes=3_276_556,
        ),
        _help_sample(
            language="en",
            tag="en-US",
            title="LibreOffice help, English",
            document_count=2_548,
            sha256="8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
            size_bytes=1_753_504,
        ),
    )
}
"""All samples by name."""


DEMO_SAMPLES = ("wikipedia", "news", "help-ko")
"""What is loaded when nobody names a sample: both languages, embedded in a few minutes on two cores."""


def fetch_sample(name: str, *, settings: Settings, observer: Observer = silent) -> Path:
    """Folder of a sample, fetched and unpacked when it is not there yet.

    Raises:
        NotFoundError: there is no such sample.
        UnreachableError: the registry does not answer, or fetching is switched off.
        CheckFailedError: what came is not what was pinned, or is damaged.
        UnsupportedError: the registry's client is not on this machine (help pages need apt).
    """
    sample = _named(name)
    folder: Path = settings.cache_dir / "samples" / name
    if read_manifest(folder).get("recipe") == _RECIPE:
        return folder
    package = sample.packages[0]
    archive = fetch_package(package, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
    step = f"unpack {name}"
    observer(Progress(step=step, unit="files"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary:
        built = Path(temporary) / "built"
        (built / "files").mkdir(parents=True)
        file_count = _UNPACK[package.registry](sample, archive, built / "files")
        manifest = _manifest(sample, archive, file_count)
        (built / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
        _put_in_place(built, folder, Path(temporary) / "old")
    observer(Progress(step=step, done_count=file_count, total_count=file_count, unit="files"))
    return folder


def read_sample(
    name: str,
    *,
    settings: Settings,
    resume_token: str = "",
    on_skip: Callable[[Skipped], None] = log_skipped,
    observer: Observer = silent,
) -> Iterator[Item]:
    """Documents of a sample in a fixed order, fetched first when it is not there yet.

    Raises:
        UsageError: the token belongs to another source.
        Otherwise as `fetch_sample`.
    """
    sample = _named(name)
    folder = fetch_sample(name, settings=settings, observer=observer)
    source = Source(
        path=folder / "files",
        name=name,
        source=name,
        language=None if sample.drops_other_languages else sample.languages[0],
        document_limit_chars=settings.document_limit_chars,
        url_base=sample.url_base,
        on_skip=on_skip,
    )
    for item in read_folder(source, format=sample.file_format, token=resume_token):
        if item.document.language in sample.languages:
            yield item
        else:
            title = item.document.title
            source.skip("language", f"{title!r} is not in {', '.join(sample.languages)}: left untranslated")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a sample's folder; empty when there is none that can be read."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _named(name: str) -> Sample:
    if name not in SAMPLES:
        raise NotFoundError(f"there is no sample {name!r}", hint=suggest(name, SAMPLES))
    return SAMPLES[name]


def _unpack_wheel(sample: Sample, archive: Path, folder: Path) -> int:
    for path in extract_members(archive, sample.members, folder, limit_bytes=64 << 20):
        path.replace(folder / path.name)
    shutil.rmtree(folder / sample.members[0].split("/")[0])
    return len(sample.members)


def _unpack_deb(sample: Sample, archive: Path, folder: Path) -> int:
    file_count = sum(
        extract_deb_folder(archive, inner, folder, endings=(".html",), limit_bytes=256 << 20, limit_files=20_000)
        for inner in sample.members
    )
    for name in sample.excluded:
        if (folder / name).is_file():
            (folder / name).unlink()
            file_count -= 1
    return file_count


_UNPACK: dict[str, Callable[[Sample, Path, Path], int]] = {"pypi": _unpack_wheel, "debian": _unpack_deb}


def _manifest(sample: Sample, archive: Path, file_count: int) -> dict[str, Any]:
    package = sample.packages[0]
    sha256 = sha256_of(archive)
    return {
        "recipe": _RECIPE,
        "name": sample.name,
        "title": sample.title,
        "licence": sample.licence,
        "registry": package.registry,
        "package": package.name,
        "version": package.version or deb_version(archive),
        "sha256": sha256,
        # Debian replaces versions; another build has other pages, and its counts are not the documented ones.
        "is_known_build": sha256 == (package.sha256 or sample.known_sha256),
        "file_count": file_count,
    }


def _put_in_place(built: Path, folder: Path, old: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        folder.replace(old)
    try:
        built.replace(folder)
    except OSError:
        # Another process was quicker; its folder is as good as ours.
        if read_manifest(folder).get("recipe") != _RECIPE:
            raise
