import pytest

from milvuslab.bench.scale.case import PART_BYTES_MAX
from milvuslab.bench.scale.server import SERVER_NAME, open_server, scale_options
from milvuslab.model.errors import ConfigError, UnsupportedError
from milvuslab.model.settings import resolve
from milvuslab.runtime import add_lite, add_standalone
from milvuslab.runtime.builds import Machine
from tests.house.source import ROOT_DIR

PAGE = ROOT_DIR / "docs" / "howto" / "ten-million.md"


@pytest.mark.parametrize("option", scale_options(core_count=2), ids=lambda option: option.path)
def test_every_option_says_why_and_stands_in_the_docs(option):
    assert len(option.reason) > 10
    (line,) = [line for line in PAGE.read_text().splitlines() if f"`{option.path}`" in line and line.startswith("|")]
    if option.path != "indexNode.scheduler.buildParallel":
        assert str(option.value).lower() in line


def test_a_part_with_its_keys_fits_into_one_segment():
    (segment_mb,) = [option.value for option in scale_options(core_count=2) if option.path.endswith("maxSize")]
    assert segment_mb * 2**20 > 1.5 * PART_BYTES_MAX


@pytest.fixture
def settings(tmp_path):
    return resolve(environment={}, flags={"home_dir": str(tmp_path), "cache_dir": str(tmp_path / "cache")})


def test_a_server_of_that_name_with_other_segments_is_left_alone(settings):
    add_standalone(settings.home_dir, SERVER_NAME, machine=Machine(system="Linux", machine="x86_64"))
    with pytest.raises(ConfigError, match="was not made for a scale run") as raised:
        open_server(settings, core_count=2)
    assert f"server remove {SERVER_NAME}" in raised.value.hint


def test_a_server_of_another_kind_is_refused(settings):
    add_lite(settings.home_dir, "small")
    with pytest.raises(UnsupportedError):
        open_server(settings, name="small", core_count=2)
