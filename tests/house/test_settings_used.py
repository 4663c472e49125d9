"""A setting that nothing reads is a promise that is not kept."""

import ast

from milvuslab.model.settings import SETTINGS
from tests.house.source import expect_none, read_modules


def test_every_setting_is_read_somewhere():
    read = set()
    for module in read_modules():
        if module.name != "milvuslab.model.settings":
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    read.add(node.attr)
    expect_none(f"nothing reads the setting {name}" for name in SETTINGS if name not in read)
