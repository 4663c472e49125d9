"""Pictures of folders, archives, lists of addresses and CIFAR: all of them, in order, and nothing from elsewhere."""

import csv
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
import unicodedata
import zipfile

import numpy as np
import pytest

from milvuslab.data.images.cifar import read_python_batch, render_png
from milvuslab.data.images.decode import ImageLimits, decode_image
from milvuslab.data.images.source import open_images
from milvuslab.model.errors import (
    CheckFailedError,
    ForbiddenError,
    LimitError,
    NotFoundError,
    UnsupportedError,
    UsageError,
)
from milvuslab.model.settings import resolve
from tests.hostile_pictures import make_picture, save_picture

PNG = save_picture(make_picture(), "PNG")
NAMES = ["cats/a.png", "cats/b.jpg", "dogs/deep/c.png", "dogs/images/e.PNG", "top.gif"]
LABELS = ["cats", "cats", "deep", "dogs", ""]


def _fill(folder, names=NAMES):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    return folder


def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def _tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _all(source):
    items = list(source.items())
    return [item.key for item in items], [item.label for item in items], [item.read() for item in items]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "tar.xz"])
def test_a_tree_of_pictures_is_read_in_order_with_the_folder_as_label(tmp_path, kind):
    members = [(name, PNG) for name in [*NAMES, "notes.txt", ".hidden/x.png", "__MACOSX/cats/._a.png"]]
    if kind == "folder":
        path = _fill(tmp_path / "set", [name for name, _ in members if "MACOSX" not in name])
    elif kind == "zip":
        path = _zip(tmp_path / "set.zip", reversed(members))
    else:
        path = _tar(tmp_path / f"set.{kind}", members, mode={"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[kind])
    source = open_images(path)
    keys, labels, contents = _all(source)
    assert (keys, labels, set(contents)) == (NAMES, LABELS, {PNG})
    assert source.fault_count == 0
    assert source.total_count in (len(NAMES), None)
    assert {item.source for item in source.items()} == {path.name}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_labels_come_from_a_file_beside_the_pictures(tmp_path, kind):
    table = "path,label\ncats/a.png,Katze\ntop.gif,oben\n"
    if kind == "folder":
        path = _fill(tmp_path / "set")
        (path / "labels.csv").write_text(table)
    else:
        path = _zip(tmp_path / "set.zip", [*((name, PNG) for name in NAMES), ("labels.csv", table)])
    assert _all(open_images(path))[1] == ["Katze", "", "", "", "oben"]


def test_reading_goes_on_behind_a_token(tmp_path):
    source = open_images(_fill(tmp_path / "set"))
    items = list(source.items())
    for place, item in enumerate(items):
        assert [later.key for later in source.items(item.resume_token)] == NAMES[place + 1 :]
    for wrong in ("nonsense", "2@cats/other.png", "x@cats/a.png", "-1@a"):
        with pytest.raises(UsageError, match="no place in this source"):
            list(source.items(wrong))


def test_a_decomposed_korean_name_has_the_composed_key(tmp_path):
    (tmp_path / unicodedata.normalize("NFD", "고양이.png")).write_bytes(PNG)
    (item,) = open_images(tmp_path).items()
    assert item.key == unicodedata.normalize("NFC", "고양이.png")
    assert item.read() == PNG


def test_links_out_of_a_folder_are_faults(tmp_path):
    outside = tmp_path / "outside.png"
    outside.write_bytes(PNG)
    folder = _fill(tmp_path / "set", ["a.png"])
    (folder / "out.png").symlink_to(outside)
    (folder / "broken.png").symlink_to(folder / "missing.png")
    (folder / "self.png").symlink_to("self.png")
    (folder / "inside.png").symlink_to(folder / "a.png")
    faults = []
    source = open_images(folder, on_fault=faults.append)
    assert [item.key for item in source.items()] == ["a.png", "inside.png"]
    assert [fault.key for fault in faults] == ["broken.png", "out.png", "self.png"]
    assert source.fault_count == 3 and "leads out" in faults[1].reason


@pytest.mark.parametrize("name", ["../up.png", "a/../../up.png", "/abs.png", "..\\up.png", "C:\\up.png"])
@pytest.mark.parametrize("make", [_zip, _tar], ids=["zip", "tar"])
def test_a_member_that_leads_out_of_its_archive_is_a_fault(tmp_path, make, name):
    archive = make(tmp_path / ("x.zip" if make is _zip else "x.tar.gz"), [(name, PNG), ("good.png", PNG)])
    faults = []
    assert [item.key for item in open_images(archive, on_fault=faults.append).items()] == ["good.png"]
    assert len(faults) == 1 and [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_links_in_archives_are_faults(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    for name, count in (("x.tar", 3), ("x.zip", 1)):
        source = open_images(tmp_path / name, on_fault=lambda _: None)
        assert list(source.items()) == [] and source.fault_count == count


def test_bombs_in_archives_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    limits = ImageLimits(size_bytes_max=1_000_000)
    archive = _zip(
        tmp_path / "x.zip", [("bomb.png", bytes(900_000)), ("huge.png", bytes(2_000_000)), ("good.png", PNG)]
    )
    items = {item.key: item for item in open_images(archive, limits=limits).items()}
    assert items["good.png"].read() == PNG
    for key in ("bomb.png", "huge.png"):
        with pytest.raises(LimitError, match="unpacks"):
            items[key].read()
    faults = []
    archive = _tar(tmp_path / "x.tar.gz", [("huge.png", bytes(2_000_000)), ("good.png", PNG)])
    assert [item.key for item in open_images(archive, limits=limits, on_fault=faults.append).items()] == ["good.png"]
    assert "allowed" in faults[0].reason
    archive = _tar(tmp_path / "bomb.tar.gz", [(f"{i}.txt", bytes(1_000_000)) for i in range(5)])
    monkeypatch.setattr("milvuslab.data.images.reading._UNPACKED_BYTES_FREE", 1_000_000)
    with pytest.raises(LimitError, match="far more"):
        list(open_images(archive).items())


def test_a_zip_that_lies_about_a_size_gives_an_error_of_ours(tmp_path):
    archive = _zip(tmp_path / "x.zip", [("a.png", bytes(5_000))])
    raw = bytearray(archive.read_bytes())
    at = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, at + 24, 100)
    archive.write_bytes(raw)
    (item,) = open_images(archive).items()
    with pytest.raises(UsageError, match="cannot be unpacked"):
        item.read()


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.tar"])
def test_a_damaged_archive_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no archive at all" * 100)
    with pytest.raises(CheckFailedError, match="damaged"):
        list(open_images(tmp_path / name).items())


def test_a_single_picture_and_things_that_are_none(tmp_path):
    (tmp_path / "a.dat").write_bytes(PNG)
    (item,) = open_images(tmp_path / "a.dat").items()
    assert (item.key, item.label, item.read()) == ("a.dat", "", PNG)
    (tmp_path / "b.bin").write_bytes(b"something")
    with pytest.raises(UnsupportedError):
        open_images(tmp_path / "b.bin")
    with pytest.raises(NotFoundError):
        open_images(tmp_path / "missing")
    with pytest.raises(UsageError, match="needs settings"):
        open_images("https://example.com/a.png")


@pytest.fixture
def site(tmp_path):
    """A web server on loopback with two pictures; gives its address."""
    folder = _fill(tmp_path / "site", ["a.png", "b.png"])

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_list_of_addresses_is_fetched_within_the_rules(tmp_path, site):
    listed = tmp_path / "list.csv"
    with listed.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["url", "label", "name"])
        rows.writerows(
            [[f"{site}/a.png", "cat", "first"], ["file:///etc/passwd", "x", ""], [f"{site}/none.png", "", ""]]
        )
    faults = []
    allowed = resolve(flags={"cache_dir": tmp_path / "c", "private_addresses_allowed": True})
    items = list(open_images(listed, settings=allowed, on_fault=faults.append).items())
    assert [(item.label, item.name) for item in items] == [("cat", "first"), ("", "none.png")]
    assert items[0].read() == PNG and "no web address" in faults[0].reason
    with pytest.raises(NotFoundError):
        items[1].read()
    refused = open_images(listed, settings=resolve(flags={"cache_dir": tmp_path / "c"}), on_fault=lambda _: None)
    with pytest.raises(ForbiddenError, match="not a public address"):
        next(refused.items()).read()
    small = open_images(listed, settings=allowed, limits=ImageLimits(size_bytes_max=50), on_fault=lambda _: None)
    with pytest.raises(LimitError):
        next(small.items()).read()
    (tmp_path / "list.txt").write_text(f"# pictures\n{site}/b.png\n\n")
    assert [item.read() for item in open_images(tmp_path / "list.txt", settings=allowed).items()] == [PNG]
    (item,) = open_images(f"{site}/b.png", settings=allowed).items()
    assert (item.name, item.read()) == ("b.png", PNG)


def _cifar(folder, kind, count=3):
    """CIFAR as it is published, with `count` random pictures a batch; returns all pixels in reading order."""
    folder.mkdir()
    choose, shown = np.random.default_rng(1), []
    is_ten, is_binary = kind.startswith("cifar-10 "), kind.endswith("binary")
    batches = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"] if is_ten else ["train", "test"]
    for batch in batches:
        planes = choose.integers(0, 256, (count, 3_072), dtype=np.uint8)
        shown.append(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        if is_binary:
            heads = [[1]] * count if is_ten else [[0, 1]] * count
            (folder / f"{batch}.bin").write_bytes(np.hstack([np.array(heads, np.uint8), planes]).tobytes())
        else:
            labels = (
                {b"labels": [1] * count} if is_ten else {b"fine_labels": [1] * count, b"coarse_labels": [0] * count}
            )
            (folder / batch).write_bytes(pickle.dumps({b"data": planes, **labels}, protocol=2))
    sign = {
        "cifar-10 binary": ("batches.meta.txt", b"airplane\nautomobile\n"),
        "cifar-100 binary": ("fine_label_names.txt", b"apple\nautomobile\n"),
        "cifar-10 python": ("batches.meta", pickle.dumps({b"label_names": [b"airplane", b"automobile"]}, protocol=2)),
        "cifar-100 python": ("meta", pickle.dumps({"fine_label_names": ["apple", "automobile"]}, protocol=2)),
    }[kind]
    (folder / sign[0]).write_bytes(sign[1])
    return np.concatenate(shown)


@pytest.mark.parametrize("kind", ["cifar-10 binary", "cifar-10 python", "cifar-100 binary", "cifar-100 python"])
def test_cifar_is_read_as_it_is_published(tmp_path, kind):
    pixels = _cifar(tmp_path / "set", kind)
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "set", "cifar-batches")
    for path in (tmp_path / "set", tmp_path / "cifar.tar.gz"):
        keys, labels, contents = _all(open_images(path))
        assert set(labels) == {"automobile"} and len(set(keys)) == len(keys) == len(pixels)
        decoded = np.stack([decode_image(content).pixels for content in contents])
        assert (decoded == pixels).all()
    last = list(open_images(tmp_path / "set").items())[-2]
    assert len(list(open_images(tmp_path / "set").items(last.resume_token))) == 1


def test_a_pickle_that_wants_to_run_something_is_a_fault(tmp_path):
    _cifar(tmp_path / "set", "cifar-10 python")
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    (tmp_path / "set" / "data_batch_2").write_bytes(pickle.dumps({b"data": Evil(), b"labels": []}, protocol=2))
    faults = []
    items = list(open_images(tmp_path / "set", on_fault=faults.append).items())
    assert len(items) == 15 and not marker.exists()
    assert [fault.key for fault in faults] == ["data_batch_2"] and "not allowed" in faults[0].reason


@pytest.mark.parametrize(
    "stored",
    [b"", b"garbage", pickle.dumps([1]), pickle.dumps(np.zeros((2, 2), object)), pickle.dumps({b"data": np.zeros(3)})],
)
def test_pickles_that_are_no_batches_are_named(stored):
    with pytest.raises(CheckFailedError):
        read_python_batch(stored)


def test_numpys_own_batches_and_those_of_python_2_are_read():
    table = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for protocol in (1, 2, 4):
        assert (read_python_batch(pickle.dumps({"data": table}, protocol=protocol))[b"data"] == table).all()
    assert (read_python_batch(pickle.dumps({b"data": np.asfortranarray(table)}, protocol=2))[b"data"] == table).all()


def test_a_rendered_png_is_what_it_was():
    pixels = np.asarray(make_picture(33, 21))
    assert (decode_image(render_png(pixels)).pixels == pixels).all()
