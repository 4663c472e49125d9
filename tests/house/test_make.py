"""The Makefile explains itself, and names only files that are there."""

import os
import re
import subprocess

from tests.house.source import ROOT_DIR

MAKEFILE = (ROOT_DIR / "Makefile").read_text(encoding="utf-8")


def test_bare_make_explains_every_target():
    # `make test` hands its own flags down, which make this make tell which folder it enters.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    printed = subprocess.run(["make"], cwd=ROOT_DIR, env=environment, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split()
    assert [line.split()[1] for line in printed.splitlines()] == targets
    assert all(len(line.split()) > 3 for line in printed.splitlines())


def test_the_programs_it_starts_are_there():
    scripts = set(re.findall(r"tools/\w+\.sh", MAKEFILE))
    assert scripts == {f"tools/{path.name}" for path in (ROOT_DIR / "tools").glob("*.sh")}


def test_the_whole_check_runs_the_suite_and_allows_no_skip():
    text = (ROOT_DIR / ".ci" / "run").read_text(encoding="utf-8")
    assert "MILVUSLAB_REQUIRE_ALL=1" in text and "make test" in text and "make lint" in text
    assert (ROOT_DIR / ".ci" / "run").stat().st_mode & 0o111
