"""The runner of shown sessions finds wrong output, wrong exit codes and a shell that ends."""

import os

import pytest

from tests.docs.console import Step, matches, read_session, run_session

PAGE = """Text.

```console
$ echo one
one
$ printf 'two\\nthree\\n' |
> sort -r
...
three
$ false
exit 1
```

```bash
echo not this
```
"""


def run(steps, folder):
    environment = {"PATH": os.environ["PATH"]}
    return run_session(steps, folder=folder, environment=environment, record_path=folder / "record.txt", timeout_s=30)


def test_steps_are_read():
    one, two, three = read_session(PAGE)
    assert one == Step(command="echo one", shown="one")
    assert two.command == "printf 'two\\nthree\\n' |\nsort -r"
    assert two.shown == "...\nthree"
    assert three == Step(command="false", shown="", exit_code=1)


def test_a_true_page_has_no_problem(tmp_path):
    assert [outcome.problem for outcome in run(read_session(PAGE), tmp_path)] == ["", "", ""]


def test_the_shell_is_one(tmp_path):
    steps = [Step(command="name=Kim", shown=""), Step(command="echo $name", shown="Kim")]
    assert [outcome.problem for outcome in run(steps, tmp_path)] == ["", ""]


def test_wrong_output_is_found(tmp_path):
    (outcome,) = run([Step(command="echo two", shown="one")], tmp_path)
    assert "printed:\ntwo" in outcome.problem


def test_a_wrong_exit_code_is_found(tmp_path):
    (outcome,) = run([Step(command="echo bad; false", shown="bad")], tmp_path)
    assert "ended with 1, shown 0" in outcome.problem


def test_a_shell_that_ends_is_found(tmp_path):
    steps = [Step(command="exit 0", shown=""), Step(command="echo never", shown="never")]
    outcomes = run(steps, tmp_path)
    assert len(outcomes) == 1
    assert outcomes[0].problem


def test_a_program_left_running_does_not_hold_the_session(tmp_path):
    steps = [Step(command="sleep 20 & echo $!", shown="..."), Step(command="kill %1 && echo done", shown="done")]
    assert [outcome.problem for outcome in run(steps, tmp_path)] == ["", ""]


@pytest.mark.parametrize(
    "printed, shown",
    [
        ("a\n", "a"),
        ("", ""),
        ("a  \nb\n", "a\nb"),
        ("took 12 ms\n", "took ... ms"),
        ("a\nb\nc\n", "a\n..."),
        ("a\n", "a\n..."),
        ("a\nb\nc\n", "...\nc"),
        ("(1.5) [x] $ ^\n", "(1.5) [x] $ ^"),
    ],
)
def test_matching(printed, shown):
    assert matches(printed, shown)


@pytest.mark.parametrize(
    "printed, shown", [("a\nb\n", "a"), ("b\n", "a"), ("took 12 s\n", "took ... ms"), ("1x5\n", "1.5"), ("a\n", "")]
)
def test_not_matching(printed, shown):
    assert not matches(printed, shown)
