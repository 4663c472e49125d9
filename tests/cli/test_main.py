import os
import signal
import statistics
import subprocess
import sys

import pytest

from milvuslab import __version__
from milvuslab.model.errors import PartialError
from tests.cli.conftest import command_paths, write_project

COMMANDS = command_paths()
HEAVY = ("pymilvus", "grpc", "numpy", "pandas", "onnxruntime", "nicegui", "fastapi", "rich", "httpx", "yaml", "psutil")
WRONG = {
    "up": ["--foregruond"],
    "down": ["now"],
    "status": ["standalone"],
    "doctor": ["--fix"],
    "studio": ["--port", "eighty"],
    "server install": ["--version", "9.9.9"],
    "server add": ["Not_A_Name", "--kind", "lite"],
    "server remove": ["nobody"],
    "server list": ["all"],
    "server start": ["nobody"],
    "server stop": ["nobody"],
    "server restart": ["nobody"],
    "server status": ["nobody"],
    "server logs": ["standalone", "--lines", "0"],
    "server config": ["nobody"],
    "config show": ["home_dir"],
    "collection list": ["--server", "nobody"],
    "collection describe": [],
    "collection count": ["a", "b"],
    "collection placement": ["a", "--server", "nobody"],
    "collection balance": ["a", "--server", "nobody"],
    "collection drop": ["text_en", "--server", "nobody"],
    "text search": [" "],
    "text similar": ["x", "--limit", "0"],
    "text ingest": ["no/such/file.txt", "--server", "nobody"],
    "text load-samples": ["nobody", "--server", "nobody"],
    "text get": [],
    "text add": ["no-such-file.txt"],
    "text delete": ["x", "--server", "nobody"],
    "text stats": ["--collection"],
    "text evaluate": ["--judgements", "no-such-file.jsonl"],
    "text tune": ["--judgements", "no-such-file.jsonl"],
    "text judgements": ["help-kr", "--output", "x"],
    "image search": [],
    "image similar": ["x", "--limit", "0"],
    "image add": ["no-such-file.png"],
    "image get": [],
    "image delete": ["x", "--server", "nobody"],
    "image stats": ["--collection"],
    "image ingest": ["no/such/folder", "--server", "nobody"],
    "image load-samples": ["nobody", "--server", "nobody"],
    "image duplicates": ["--min-score", "2"],
    "image compare": ["no-such-file.png", "no-such-either.png"],
    "image classify": ["no-such-file.png", "--neighbours", "0"],
    "image cluster": ["--method", "guess"],
    "image map": ["--output", "map.txt"],
    "image evaluate": ["no/such/folder", "--queries", "0"],
    "cluster up": ["--file", "no-such-file.toml"],
    "cluster down": ["nobody"],
    "cluster status": ["nobody"],
    "cluster top": ["nobody"],
    "cluster add": ["query-node", "nobody"],
    "cluster remove": ["query-node", "nobody"],
    "cluster restart": ["all", "nobody"],
    "cluster logs": ["proxy", "nobody"],
    "drill list": ["all"],
    "drill run": ["no-such-drill"],
    "drill suite": ["--no-such-option"],
    "drill reports": ["all"],
    "drill heal": ["nobody"],
    "bench run": ["no-such-case", "--server", "nobody"],
    "bench report": ["no/such/run"],
    "bench compare": ["no/such/run", "no/such/other"],
    "bench list": ["all"],
    "bench cases": ["all"],
    "bench scale": ["--rows", "1000", "--index", "NOPE"],
    "bench indexes": ["--types", "HNWS"],
    "bench vectordbbench": ["--server", "nobody"],
    "tune": ["--collection", "a", "--data", "synthetic"],
}


def assert_clear(ran, code=2):
    assert ran.code == code, ran
    assert "Traceback" not in ran.out + ran.err
    lines = [line for line in ran.err.splitlines() if line]
    assert lines[0].startswith("error: ") and len(lines[0]) > len("error: ") + 10, lines
    assert lines[-1].startswith("next: ") and len(lines[-1]) > len("next: ") + 3, lines
    assert ran.out == ""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_wrong_input_is_one_sentence_and_a_next_step(run, home, words):
    ran = run(*words, *WRONG[" ".join(words)])
    assert_clear(ran)
    assert len(ran.err.strip().splitlines()) == 2
    assert not list(home.glob("servers/*/profile.json")), "nothing half-created is left behind"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_unknown_option_leads_to_the_help_of_that_command(run, words):
    ran = run(*words, "--nonsense")
    assert_clear(ran)
    assert f"milvuslab {' '.join(words)} --help" in ran.err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_examples_and_the_shared_options(run, words):
    ran = run(*words, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert f"\n    milvuslab {words[0]}" in ran.out or "| milvuslab" in ran.out
    for option in ("--json", "--server", "--home-dir", "--cache-dir"):
        assert option in ran.out


@pytest.mark.parametrize("words", [[], ["server"], ["text"], ["collection"], ["config"]], ids=" ".join)
def test_an_unknown_command_is_a_usage_error(run, words):
    assert_clear(run(*words, "nonsense"))


def test_a_mistyped_command_is_suggested(run):
    assert "status" in run("statsu").err


def test_without_a_command_the_help_is_shown(run):
    ran = run()
    assert ran.code == 0
    assert "milvuslab up" in ran.out


def test_a_noun_without_a_verb_is_a_usage_error(run):
    assert_clear(run("server"))


def test_version(run):
    assert run("--version").out == f"milvuslab {__version__}\n"


@pytest.mark.parametrize("words", [["--json", "server", "status", "nobody"], ["server", "status", "nobody", "--json"]])
def test_an_error_is_json_for_a_machine(run, words):
    ran = run(*words)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.error["code"] == "not_found"
    assert ran.error["hint"]


def test_a_usage_error_is_json_for_a_machine(run):
    assert run("status", "--nonsense", "--json").error["code"] == "usage"


def test_each_error_class_has_its_exit_code(run, monkeypatch):
    def half(**values):
        raise PartialError("half of it", done_count=1)

    monkeypatch.setattr("milvuslab.ops.workspace.open_workspace", half)
    assert run("config", "show").code == 4


def test_a_fault_of_ours_is_logged_and_not_shown(run, home, monkeypatch):
    def fail(**values):
        raise RuntimeError("a bug")

    monkeypatch.setattr("milvuslab.ops.workspace.open_workspace", fail)
    ran = run("text", "search", "my private question")
    assert_clear(ran, code=70)
    log = (home / "logs" / "cli.log").read_text(encoding="utf-8")
    assert "RuntimeError: a bug" in log and "Traceback" in log
    assert "private" not in log
    assert str(home / "logs" / "cli.log") in ran.err


def test_a_broken_project_file_is_named(run):
    write_project("call_timeout_s = ")
    ran = run("status")
    assert_clear(ran)
    assert "milvuslab.toml" in ran.err


def test_a_file_that_cannot_be_made_is_named(run, home):
    home.mkdir()
    (home / "servers").write_text("in the way")
    ran = run("server", "add", "x", "--kind", "lite")
    assert_clear(ran)
    assert str(home / "servers") in ran.err


def test_an_unknown_setting_in_the_environment_is_named(run, monkeypatch):
    monkeypatch.setenv("MILVUSLAB_CALL_TIMOUT_S", "3")
    ran = run("status")
    assert_clear(ran)
    assert "call_timeout_s" in ran.err


def test_a_home_folder_may_be_named_before_or_after_the_command(run, tmp_path):
    for words in (["--home-dir", tmp_path / "other", "status"], ["status", "--home-dir", tmp_path / "other"]):
        assert run(*words, "--json").value["home_dir"] == str(tmp_path / "other")


def test_ctrl_c_ends_with_130(run, monkeypatch):
    def interrupt(**values):
        raise KeyboardInterrupt

    monkeypatch.setattr("milvuslab.ops.workspace.open_workspace", interrupt)
    ran = run("status")
    assert ran.code == 130
    assert ran.err == "stopped\n"


def test_being_told_to_end_is_like_ctrl_c_with_143(run, monkeypatch):
    def end(**values):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setattr("milvuslab.ops.workspace.open_workspace", end)
    assert run("status").code == 143


def test_a_reader_that_left_is_no_error(home):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "milvuslab.cli", "config", "show"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""


def test_help_imports_nothing_heavy(home):
    program = (
        "import sys\nfrom milvuslab.cli.main import main\nmain(['--help'])\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "text" in done.stdout
    assert done.stderr.split() == []


def test_help_is_quick(home):
    """The work of it, not the wall clock: other tests share the machine."""
    import resource

    times_s = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "milvuslab.cli", "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(times_s) <= 0.4
