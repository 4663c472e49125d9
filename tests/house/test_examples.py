"""Examples in docstrings run."""

import doctest
import importlib

import pytest

from tests.house.source import read_modules

NAMES = [module.name for module in read_modules() if "\n    >>> " in module.text or "\n>>> " in module.text]


@pytest.mark.parametrize("name", NAMES)
def test_examples_print_what_they_show(name):
    result = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert result.failed == 0
    assert result.attempted > 0


def test_there_are_examples():
    assert "milvuslab.model.errors" in NAMES
