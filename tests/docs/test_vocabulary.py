"""The words of the vocabulary are the words of the code."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.markdown import table_rows
from tests.house.source import ROOT_DIR, expect_none, parse, read_modules

ROWS = table_rows((ROOT_DIR / "docs" / "reference" / "vocabulary.md").read_text(encoding="utf-8"))[1:]


def names_made_by(tree: ast.Module) -> Iterator[str]:
    """Names that the code itself gives: functions, classes, parameters, variables, fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")


def holds(name: str, word: str) -> bool:
    """Whether a snake-case name has the word in it, in the singular or plural."""
    forms = {word, f"{word}s", f"{word}es", f"{word.removesuffix('y')}ies"}
    return any(re.search(rf"(^|_){form}(_|$)", name) for form in forms)


NAMES = {snake(name): module.name for module in read_modules() for name in names_made_by(module.tree)}


@pytest.mark.parametrize("word", [row[0] for row in ROWS])
def test_the_word_is_used(word):
    assert any(holds(name, word) for name in NAMES), f"no name in the code says {word}"


def test_no_other_word_is_used_for_it():
    refused = [(other.strip(), row[0]) for row in ROWS for other in row[2].split(",") if other.strip()]
    expect_none(
        f"{module}: {name} says {other}; the word is {word}"
        for other, word in refused
        for name, module in NAMES.items()
        if holds(name, other)
    )


def test_words_are_looked_for_in_names_that_we_give():
    module = parse("sample", "class TopK:\n    def load_rows(self, chunk_count): passage_ids = other.snippet\n")
    names = {snake(name) for name in names_made_by(module.tree)}
    assert names == {"top_k", "load_rows", "self", "chunk_count", "passage_ids"}
    assert holds("top_k", "top_k") and holds("passage_ids", "id") and holds("indexes", "index")
    assert not holds("stopwords", "topword") and not holds("passages_total", "sage")
