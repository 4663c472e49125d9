"""Clusters that are made and not started; and tools that this machine may lack."""

import pytest

from milvuslab.model.errors import UnsupportedError
from milvuslab.runtime.cluster import ClusterSpec, make_cluster, make_kit
from tests.servers import skip_or_fail


@pytest.fixture
def make(home):
    """Makes a cluster of the given parts: `make(proxies=1)`."""

    def build(name="cluster", *, keys=None, **values):
        return make_cluster(home, name, spec=ClusterSpec(**values), keys=keys)

    return build


@pytest.fixture
def kit(settings):
    """What clusters are made of; skips where a program is missing."""
    try:
        return make_kit(ClusterSpec(storage="s3"), settings=settings)
    except UnsupportedError as error:
        skip_or_fail(f"{error.message}: {error.hint}")
