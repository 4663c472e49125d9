import dataclasses
import os
import stat
from pathlib import Path

import pytest
import yaml

from milvuslab.model.errors import ConfigError
from milvuslab.runtime.builds import Build, Machine
from milvuslab.runtime.install import Install
from milvuslab.runtime.options import etcd_options, milvus_options
from milvuslab.runtime.profile import add_standalone
from milvuslab.runtime.standalone import find_logs, standalone_program, write_configuration

TEMPLATE = """
etcd:
  endpoints:{endpoints}
  use: {{embed: false}}
rocksmq:
  path: {{{{ rocksmq_data_dir }}}}
  lrucacheratio: 0.06 # kept as it is
rootCoord:
  port: {{{{ root_coord_port(int): 53100 }}}}
natsmq:
  maxBytes: # nothing
"""


@pytest.fixture
def profile(tmp_path):
    return add_standalone(tmp_path, "x", machine=Machine(system="Linux", machine="x86_64"))


@pytest.fixture
def make_install(tmp_path):
    def make(endpoints: str = " localhost:2379", *, text: str | None = None, system: str = "Linux") -> Install:
        folder = tmp_path / "install"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml.template").write_text(text or TEMPLATE.format(endpoints=endpoints))
        build = Build(version="2.3.5", system=system, machine="x86_64", filename="f", sha256="0", size_bytes=1)
        return Install(build=build, path=folder)

    return make


def configure(profile, install):
    write_configuration(profile, install=install, session_ttl_s=7, index_build_parallel=2)
    return yaml.safe_load((profile.folder / "config" / "milvus.yaml").read_text())


def test_our_rows_lie_over_the_template(profile, make_install):
    config = configure(profile, make_install())
    assert config["rootCoord"]["port"] == profile.ports["root_coord"]
    assert config["rocksmq"] == {"path": str(profile.folder / "rocksmq" / "data"), "lrucacheratio": 0.06}
    assert config["common"]["session"]["ttl"] == 7
    assert config["indexNode"]["scheduler"]["buildParallel"] == 2
    assert config["etcd"]["use"]["embed"] is True


def test_options_of_the_profile_lie_over_ours(profile, make_install):
    own = {"indexNode.scheduler.buildParallel": 9, "dataCoord.segment.maxSize": 2048}
    config = configure(dataclasses.replace(profile, options=own), make_install())
    assert config["indexNode"]["scheduler"]["buildParallel"] == 9
    assert config["dataCoord"] == {**config["dataCoord"], "segment": {"maxSize": 2048}}
    assert config["dataCoord"]["port"] == profile.ports["data_coord"]


def test_an_empty_value_of_the_template_stays_empty(profile, make_install):
    assert configure(profile, make_install())["natsmq"]["maxBytes"] == ""


@pytest.mark.parametrize(("template", "is_list"), [(" localhost:2379", False), ("\n    - localhost:2379", True)])
def test_the_etcd_endpoints_keep_the_form_of_the_version(profile, make_install, template, is_list):
    address = f"127.0.0.1:{profile.ports['etcd']}"
    endpoints = configure(profile, make_install(template))["etcd"]["endpoints"]
    assert endpoints == ([address] if is_list else address)


def test_every_port_of_the_profile_is_used(profile, make_install):
    configure(profile, make_install())
    written = "".join(path.read_text() for path in (profile.folder / "config").iterdir())
    program = standalone_program(profile, install=make_install())
    for purpose, port in profile.ports.items():
        assert str(port) in written or program.environment["METRICS_PORT"] == str(port), purpose


def test_everything_lies_below_the_folder_of_the_server(profile, make_install):
    rows = milvus_options(ports=profile.ports, folder=profile.folder, session_ttl_s=5, index_build_parallel=1)
    rows += etcd_options(ports=profile.ports, folder=profile.folder)
    paths = [row.value for row in rows if isinstance(row.value, str) and row.value.startswith("/")]
    assert len(paths) == 6
    assert all(Path(path).is_relative_to(profile.folder) for path in paths)
    program = standalone_program(profile, install=make_install())
    for variable in ("MILVUSCONF", "MILVUS_RUN_DIR", "TMPDIR", "HOME"):
        assert Path(program.environment[variable]).is_relative_to(profile.folder)


def test_only_the_owner_may_enter_the_folders(profile, make_install):
    configure(profile, make_install())
    for name in ("config", "data", "etcd", "rocksmq", "logs", "run"):
        assert stat.S_IMODE((profile.folder / name).stat().st_mode) == 0o700


@pytest.mark.parametrize(("system", "variable"), [("Linux", "LD_LIBRARY_PATH"), ("Darwin", "DYLD_LIBRARY_PATH")])
def test_the_libraries_are_found_the_way_of_the_system(profile, make_install, system, variable):
    install = make_install(system=system)
    assert standalone_program(profile, install=install).environment[variable] == str(install.path)


@pytest.mark.parametrize("text", ["a: [", "just words"], ids=["no YAML", "no mapping"])
def test_a_damaged_template_is_named(profile, make_install, text):
    with pytest.raises(ConfigError, match=r"config\.yaml\.template"):
        configure(profile, make_install(text=text))


def test_logs_of_old_runs_are_removed_but_the_last_four(profile, make_install):
    logs = profile.folder / "logs"
    logs.mkdir()
    for number in range(7):
        path = logs / f"standalone-{number}.log"
        path.write_text("x")
        os.utime(path, (number, number))
    configure(profile, make_install())
    assert sorted(path.name for path in logs.iterdir()) == [f"standalone-{number}.log" for number in range(3, 7)]
    assert find_logs(profile) == [logs / "standalone-6.log"]


def test_every_row_says_why(profile):
    rows = milvus_options(ports=profile.ports, folder=profile.folder, session_ttl_s=5, index_build_parallel=1)
    rows += etcd_options(ports=profile.ports, folder=profile.folder)
    assert len({row.path for row in rows}) == len(rows)
    assert [row.path for row in rows if len(row.reason) < 4] == []
