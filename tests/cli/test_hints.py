"""Every command that a hint, a page or a help text names is a command that exists."""

import ast
import re
from pathlib import Path

import pytest
import typer

from milvuslab.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs" / "howto").glob("*.md"), *(ROOT / "docs" / "tutorial").glob("*.md")]
NAMED = re.compile(r"(?<![\w./-])milvuslab((?: (?:--)?[a-z][a-z0-9-]*)+)")


def known():
    """Words of each command to its options."""

    def walk(command, words):
        yield words, {option for parameter in command.params for option in getattr(parameter, "opts", ())}
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*words, name))

    return dict(walk(typer.main.get_command(app), ()))


COMMANDS = known()
NOUNS = {words[0] for words in COMMANDS if words}


def find_unknown(text):
    """Commands in the text whose first word is one of ours, and whose next word or option is not."""
    unknown = []
    for match in NAMED.finditer(text):
        words = match.group(1).split()
        if words[0] not in NOUNS:
            continue
        path = (words[0],)
        if len(words) > 1 and any(other[:1] == path and len(other) > 1 for other in COMMANDS):
            path = (*path, words[1])
        if path not in COMMANDS:
            unknown.append(match.group())
            continue
        options = {word for word in words if word.startswith("--")}
        unknown += [f"{match.group()}: {option}" for option in options - COMMANDS[path]]
    return unknown


def strings_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "NAME" for part in node.values)


def test_the_finder_finds():
    assert find_unknown("run milvuslab server strat NAME") == ["milvuslab server strat"]
    assert find_unknown("milvuslab server install --repare") == ["milvuslab server install --repare: --repare"]
    assert find_unknown("milvuslab status; milvuslab server start NAME; milvuslab up --json") == []


def test_hints_in_the_code_name_commands_that_exist():
    unknown = [
        f"{path.relative_to(ROOT)}: {one}"
        for path in (ROOT / "src").rglob("*.py")
        for text in strings_of(path)
        for one in find_unknown(text)
    ]
    assert unknown == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_name_commands_that_exist(path):
    assert find_unknown(path.read_text(encoding="utf-8")) == []
