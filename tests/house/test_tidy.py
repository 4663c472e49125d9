"""Names, calls, leftovers and sizes; first on this repository, then on snippets that must and must not be found."""

import pytest

from tests.house import tidy
from tests.house.source import ROOT_DIR, expect_none, own_files, parse, read_modules

MODULES = read_modules()
ENTRY_POINTS = [
    "milvuslab.cli.main",
    "milvuslab.journal.checker",  # for callers of the library: what a server holds against what it acknowledged
    "milvuslab.journal.digest",  # for callers of the library: whether two collections hold the same rows
]
TEXT_ENDINGS = {".py", ".md", ".toml", ".sh", ".yml", ".yaml", ".json", ".txt", ".cfg", ".html", ".css", ".js", ""}


def test_names_say_what_things_are():
    everything = [
        parse(path.stem, path.read_text(encoding="utf-8"))
        for path in own_files()
        if path.suffix == ".py" and path.name != "__init__.py"
    ]
    expect_none(tidy.find_banned_names(everything))


def test_calls():
    expect_none(tidy.find_banned_calls(MODULES))


def test_a_room_polls_in_one_place():
    expect_none(tidy.find_many_sleeps(MODULES))


def test_the_environment_is_read_at_the_door():
    expect_none(tidy.find_environment_reads(MODULES))


def test_private_names_are_used():
    expect_none(tidy.find_unused_private(MODULES))


def test_modules_are_used():
    expect_none(tidy.find_unused_modules(MODULES, entry_points=ENTRY_POINTS))


def test_text_has_no_leftovers():
    texts = [path for path in own_files() if path.suffix in TEXT_ENDINGS]
    expect_none(f"{path.relative_to(ROOT_DIR)}: {line}" for path in texts for line in tidy.find_banned_text(path))


def test_files_are_small():
    expect_none(tidy.find_large(own_files()))


@pytest.mark.parametrize("name", ["utils", "string_helpers", "common", "index_manager", "search_v2", "report_final"])
def test_empty_module_names_are_found(name):
    assert tidy.find_banned_names([parse(f"milvuslab.data.{name}", "")])


@pytest.mark.parametrize("name", ["IndexManager", "new_index", "final_score", "phase_one", "load_v2"])
def test_empty_names_in_code_are_found(name):
    kind = "class" if name[0].isupper() else "def"
    text = f"{kind} {name}: ..." if kind == "class" else f"def {name}(): ..."
    assert tidy.find_banned_names([parse("milvuslab.data.wiki", text)])


@pytest.mark.parametrize("name", ["renew", "finalize", "common_length", "uncommon", "test_new_rows_are_found", "news"])
def test_honest_names_are_left_alone(name):
    assert tidy.find_banned_names([parse("milvuslab.data.wiki", f"def {name}(): ...")]) == []


@pytest.mark.parametrize("call", ["print(1)", "breakpoint()", "os.system('ls')", "datetime.utcnow()"])
def test_banned_calls_are_found(call):
    assert tidy.find_banned_calls([parse("milvuslab.data.wiki", f"def f():\n    {call}")])


def test_a_duration_by_the_wall_clock_is_found():
    date = parse("milvuslab.data.wiki", "def f():\n    return time.time()\ndef g():\n    return time.time()")
    duration = parse("milvuslab.data.wiki", "def f():\n    begin = time.time()\n    return time.time() - begin")
    assert tidy.find_banned_calls([date]) == []
    assert tidy.find_banned_calls([duration])


def test_the_door_may_print():
    assert tidy.find_banned_calls([parse("milvuslab.cli.show", "print(1)")]) == []


def test_a_second_sleep_is_found():
    once = parse("milvuslab.runtime.wait", "def poll():\n    time.sleep(1)")
    twice = parse("milvuslab.runtime.stop", "def stop():\n    time.sleep(1)")
    elsewhere = parse("milvuslab.gateway.wait", "def poll(sleep=time.sleep): ...")
    assert tidy.find_many_sleeps([once, elsewhere]) == []
    assert len(tidy.find_many_sleeps([once, twice, elsewhere])) == 2


@pytest.mark.parametrize("read", ["os.environ['A']", "os.getenv('A')", "os.environ.get('A')", "'A' in os.environ"])
def test_environment_reads_are_found(read):
    assert tidy.find_environment_reads([parse("milvuslab.data.wiki", f"def f():\n    return {read}")])


def test_a_program_may_read_the_environment():
    assert tidy.find_environment_reads([parse("milvuslab.studio.__main__", "resolve(environment=os.environ)")]) == []


@pytest.mark.parametrize("whole", ["{**os.environ, 'A': '1'}", "dict(os.environ)", "os.environ | {'A': '1'}"])
def test_handing_the_environment_on_is_fine_in_a_function(whole):
    assert tidy.find_environment_reads([parse("milvuslab.runtime.start", f"def f():\n    return {whole}")]) == []
    assert tidy.find_environment_reads([parse("milvuslab.runtime.start", f"ENVIRONMENT = {whole}")])


def test_unused_private_names_are_found():
    text = (
        "_LIMIT = 3\ndef _lost(): ...\nclass Open:\n    def _gone(self): ...\n    def _kept(self): return self._kept\n"
    )
    found = tidy.find_unused_private([parse("milvuslab.data.wiki", text)])
    assert [line.rsplit(" ", 1)[1] for line in found] == ["_LIMIT", "_lost", "_gone"]


def test_a_module_that_nobody_imports_is_found():
    user = parse("milvuslab.cli.main", "from milvuslab.data import wiki")
    used, lost = parse("milvuslab.data.wiki", ""), parse("milvuslab.data.lost", "")
    found = tidy.find_unused_modules([user, used, lost], entry_points=["milvuslab.cli.main"])
    assert found == ["nobody imports milvuslab.data.lost"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("# TO" + "DO later", id="marker"),
        pytest.param("cd /ro" + "ot/project", id="machine path"),
        pytest.param("https://pypi.o" + "rg/simple", id="registry host"),
        pytest.param("Co-auth" + "ored-by: somebody", id="author"),
        pytest.param("see iss" + "ue 3", id="issue number"),
    ],
)
def test_leftovers_are_found(line, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"A fine line.\n{line}\n", encoding="utf-8")
    assert [found.split(" ")[0] for found in tidy.find_banned_text(path)] == ["page.md:2"]


def test_ordinary_text_is_left_alone(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("A wiping root/work of todos; milvus#52351; /var/lib; 한국어 문서.\n", encoding="utf-8")
    assert tidy.find_banned_text(path) == []


def test_a_large_file_is_found(tmp_path):
    small, large = tmp_path / "small.bin", tmp_path / "large.bin"
    small.write_bytes(bytes(tidy.FILE_LIMIT_BYTES))
    large.write_bytes(bytes(tidy.FILE_LIMIT_BYTES + 1))
    assert [line.split()[0] for line in tidy.find_large([small, large])] == ["large.bin"]
