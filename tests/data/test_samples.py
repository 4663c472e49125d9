"""Samples: the real packages, unpacked and read; packages that are not what they should be."""

import io
import json
import tarfile

import pytest

from milvuslab.data.deb import deb_version, extract_deb_folder
from milvuslab.data.samples import SAMPLES, fetch_sample, read_manifest, read_sample
from milvuslab.model.errors import CheckFailedError, LimitError, NotFoundError, UnreachableError, UsageError
from milvuslab.model.settings import resolve


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return resolve(flags={"cache_dir": tmp_path_factory.mktemp("cache")})


def _check(name, settings):
    sample = SAMPLES[name]
    skipped = []
    items = list(read_sample(name, settings=settings, on_skip=skipped.append))
    manifest = read_manifest(fetch_sample(name, settings=settings))
    documents = [item.document for item in items]
    assert manifest["sha256"]
    assert manifest["version"]
    if manifest["is_known_build"]:
        assert len(documents) == sample.document_count
    assert len({document.document_id for document in documents}) == len(documents)
    assert {document.language for document in documents} == set(sample.languages)
    assert {document.source for document in documents} == {name}
    middle = len(items) // 2
    rest = read_sample(name, settings=settings, resume_token=items[middle].resume_token, on_skip=lambda _: None)
    assert next(rest) == items[middle + 1]
    return documents, skipped


def test_wikipedia_is_read_clean(cache):
    documents, skipped = _check("wikipedia", cache)
    by_title = {document.title: document for document in documents}
    assert by_title["Alabama"].url == "https://en.wikipedia.org/wiki/Alabama"
    assert by_title["Alabama"].document_id == "wikipedia-303"
    assert by_title["Albania"].text.startswith("Albania (Shqipëri/Shqipëria")
    assert [entry.kind for entry in skipped] == ["redirect"] * 100
    text = "\n".join(document.text for document in documents)
    leftovers = {mark: text.count(mark) for mark in ("{{", "}}", "[[", "]]", "{|", "<ref", "</", "&nbsp;", "( )", "()")}
    # The few that stay are meant: code in articles on programming.
    assert sum(leftovers.values()) <= 12, leftovers


def test_news_are_read_in_both_encodings(cache):
    documents, skipped = _check("news", cache)
    assert skipped == []
    assert sum("\ufffd" in document.text for document in documents) == 0


@pytest.fixture(scope="module")
def help_pages(cache):
    return {name: _check(name, cache)[0] for name in ("help-ko", "help-en")}


@pytest.mark.needs("apt")
@pytest.mark.parametrize("name", ["help-ko", "help-en"])
def test_help_pages_are_read_without_their_frame(help_pages, name):
    documents = help_pages[name]
    page = next(document for document in documents if document.url.endswith("/swriter/guide/pagenumbers.html"))
    assert page.url.startswith("https://help.libreoffice.org/")
    text = "\n".join(document.text for document in documents)
    for boilerplate in (
        "LibreOffice 7.4 Help",
        "Search in chosen module",
        "Help content debug",
        "not found].",
        "관련 주제",
    ):
        assert boilerplate not in text
    assert "Command+" not in page.text


@pytest.mark.needs("apt")
def test_a_page_has_the_same_id_in_both_languages_but_for_the_sample(help_pages):
    ids = {
        name: {document.document_id.removeprefix(f"{name}-") for document in documents}
        for name, documents in help_pages.items()
    }
    assert len(ids["help-ko"] & ids["help-en"]) > 0.95 * len(ids["help-ko"])


def test_a_sample_is_unpacked_once_and_again_when_its_recipe_is_another(cache):
    folder = fetch_sample("news", settings=cache)
    steps = []
    fetch_sample("news", settings=cache, observer=lambda progress: steps.append(progress.step))
    assert steps == []
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), "recipe": 0}), "utf-8")
    (folder / "files" / "lee.cor").unlink()
    fetch_sample("news", settings=cache, observer=lambda progress: steps.append(progress.step))
    assert "unpack news" in steps
    assert (folder / "files" / "lee.cor").is_file()
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_without_a_network_a_missing_sample_says_so(tmp_path):
    with pytest.raises(UnreachableError, match="switched off"):
        fetch_sample("news", settings=resolve(flags={"cache_dir": tmp_path, "offline": True}))
    assert not (tmp_path / "samples" / "news").exists()


def test_wrong_names_and_tokens_are_refused(cache):
    with pytest.raises(NotFoundError) as caught:
        fetch_sample("wiki", settings=cache)
    assert "wikipedia" in caught.value.hint
    with pytest.raises(UsageError, match="no place in this source"):
        list(read_sample("news", settings=cache, resume_token="nonsense"))


def _deb(path, members, *, name="data.tar.xz"):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            if content == b"LINK":
                info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0
            tar.addfile(info, io.BytesIO(content))
    parts = [("debian-binary", b"2.0\n\n"), (name, data.getvalue())]
    raw = b"!<arch>\n"
    for part, content in parts:
        raw += f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        raw += b"\n" * (len(content) % 2)
    path.write_bytes(raw)
    return path


def _extract(archive, folder, **limits):
    limits = {"limit_bytes": 1000, "limit_files": 10, **limits}
    return extract_deb_folder(archive, "usr/share/x", folder, endings=(".html",), **limits)


def test_only_the_wanted_files_of_a_package_are_unpacked(tmp_path):
    members = [
        ("./usr/share/x/a.html", b"A"),
        ("./usr/share/x/sub/b.html", b"B"),
        ("./usr/share/x/c.png", b"C"),
        ("./usr/share/xy/d.html", b"D"),
        ("./usr/share/x/link.html", b"LINK"),
    ]
    archive = _deb(tmp_path / "x.deb", members)
    assert _extract(archive, tmp_path / "out") == 2
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.html")) == [
        "a.html",
        "sub/b.html",
    ]


def test_a_package_with_hostile_names_or_sizes_is_refused(tmp_path):
    climbing = _deb(tmp_path / "a.deb", [("usr/share/x/../../../../../escaped.html", b"A")])
    with pytest.raises(CheckFailedError, match="leaves its folder"):
        _extract(climbing, tmp_path / "deep" / "er" / "out")
    assert list(tmp_path.rglob("escaped.html")) == []
    large = _deb(tmp_path / "b.deb", [("usr/share/x/a.html", b"A" * 2000)])
    with pytest.raises(LimitError):
        _extract(large, tmp_path / "out")
    many = _deb(tmp_path / "c.deb", [(f"usr/share/x/{i}.html", b"A") for i in range(11)])
    with pytest.raises(LimitError):
        _extract(many, tmp_path / "out")


@pytest.mark.parametrize("raw", [b"", b"no archive", b"!<arch>\n", b"!<arch>\ndata.tar.xz" + b" " * 60])
def test_what_is_no_package_is_named(tmp_path, raw):
    archive = tmp_path / "x.deb"
    archive.write_bytes(raw)
    with pytest.raises(CheckFailedError, match="no Debian package"):
        _extract(archive, tmp_path / "out")
    with pytest.raises(CheckFailedError):
        deb_version(archive)


def test_a_package_cut_short_is_named(tmp_path):
    archive = _deb(tmp_path / "x.deb", [("usr/share/x/a.html", bytes(range(256)) * 3)])
    archive.write_bytes(archive.read_bytes()[:-120])
    with pytest.raises(CheckFailedError, match="damaged"):
        _extract(archive, tmp_path / "out")
