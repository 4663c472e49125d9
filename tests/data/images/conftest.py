"""The person's own cache: samples of pictures are 200 MB and are fetched once, not for each run."""

import os

import pytest

from milvuslab.model.settings import resolve


@pytest.fixture(scope="session")
def settings():
    kept = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR") if name in os.environ}
    return resolve(environment=kept)
