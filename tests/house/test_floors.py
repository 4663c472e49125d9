"""The rooms import downwards only, and each foreign package has one door."""

from tests.house.floors import FLOORS, find_climbs, find_foreign, find_strangers
from tests.house.source import PACKAGE_DIR, expect_none, parse, read_modules


def test_imports_only_go_down():
    expect_none(find_climbs(read_modules()))


def test_foreign_packages_have_one_importer():
    expect_none(find_foreign(read_modules()))


def test_the_ground_floor_needs_numpy_only():
    expect_none(find_strangers(read_modules()))


def test_every_room_with_code_is_in_the_table():
    rooms = {path.parent.name for path in PACKAGE_DIR.glob("*/__init__.py")}
    assert rooms <= {room for floor in FLOORS for room in floor}


def climbs(name: str, text: str) -> list[str]:
    return find_climbs([parse(name, text)])


def test_an_import_from_above_is_found():
    assert "milvuslab.data.wiki:1" in climbs("milvuslab.data.wiki", "from milvuslab.apps.text import ingest")[0]


def test_an_import_from_the_same_floor_is_found():
    assert climbs("milvuslab.data.wiki", "import milvuslab.embed.onnx")


def test_an_import_hidden_in_a_function_is_found():
    assert climbs("milvuslab.data.wiki", "def read():\n    from milvuslab import gateway\n")


def test_an_import_for_types_only_is_found():
    assert climbs("milvuslab.model.search", "if TYPE_CHECKING:\n    from milvuslab.cli.main import main\n")


def test_an_import_by_string_is_found():
    assert climbs("milvuslab.data.wiki", "importlib.import_module('milvuslab.studio.app')")


def test_a_relative_import_is_resolved():
    assert climbs("milvuslab.data.wiki", "from ..gateway import client")
    assert not climbs("milvuslab.data.wiki", "from .html import read_html")


def test_the_package_itself_imports_no_room():
    assert find_climbs([parse("milvuslab", "from milvuslab.model import errors", is_package=True)])
    assert not find_climbs([parse("milvuslab", "from milvuslab._version import __version__", is_package=True)])


def test_imports_from_below_and_within_the_room_are_fine():
    text = (
        "from milvuslab.model.errors import UsageError\nfrom milvuslab.data import html\nfrom milvuslab import model\n"
    )
    assert climbs("milvuslab.data.wiki", text) == []


def test_an_unknown_room_is_found():
    assert "not in the table" in climbs("milvuslab.attic.box", "")[0]


def test_pymilvus_is_found_outside_the_gateway():
    bad = parse("milvuslab.runtime.ready", "def ready():\n    import pymilvus.grpc_gen.milvus_pb2\n")
    good = parse("milvuslab.gateway.client", "from pymilvus import MilvusClient")
    assert len(find_foreign([bad])) == 1
    assert find_foreign([good]) == []


def test_io_and_packages_on_the_ground_floor_are_found():
    assert find_strangers([parse("milvuslab.model.settings", "import os")])
    assert find_strangers([parse("milvuslab.model.settings", "import yaml")])
    assert not find_strangers([parse("milvuslab.model.settings", "import math\nimport numpy as np")])
