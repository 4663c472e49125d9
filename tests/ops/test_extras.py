import importlib.metadata

import pytest

from milvuslab.ops.extras import Requirement, has_extra, list_requirements


def test_every_extra_of_the_package_is_listed():
    found = {(one.extra, one.package) for one in list_requirements()}
    assert {("", "pymilvus"), ("lite", "milvus-lite"), ("text", "onnxruntime"), ("studio", "nicegui")} <= found
    extras = set(importlib.metadata.metadata("milvuslab").get_all("Provides-Extra"))
    assert {extra for extra, _ in found} == extras | {""}


def test_an_extra_is_there_when_all_of_it_is(monkeypatch):
    needed = [one.package for one in list_requirements() if one.extra == "text"]
    version_of = importlib.metadata.version
    assert has_extra("text")

    def version(name):
        if name == needed[-1]:
            raise importlib.metadata.PackageNotFoundError(name)
        return version_of(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert not has_extra("text")


def test_installed_packages_are_told_with_their_version():
    one = next(one for one in list_requirements() if one.package == "psutil")
    assert one.installed == importlib.metadata.version("psutil")
    assert one.is_satisfied


@pytest.mark.parametrize(
    "versions, installed, is_satisfied",
    [
        (">=3", "", False),
        (">=3", "2.9.9", False),
        (">=3", "3.0", True),
        (">=3.1.0", "3.1", True),
        ("<3.1,>=3.0.2", "3.0.2", True),
        ("<3.1,>=3.0.2", "3.1.0", False),
        ("", "1", True),
        (">=0.115", "0.99.9", False),
        (">=6", "6.0.3+local.5", True),
    ],
)
def test_a_version_fits_or_not(versions, installed, is_satisfied):
    one = Requirement(extra="x", package="p", versions=versions, installed=installed)
    assert one.is_satisfied is is_satisfied
