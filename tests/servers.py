"""Real servers for the tests: each is started once a run, when a test first asks for it, and stopped at the end.

Data lie in a folder of the run. Binaries come from the person's own cache (or MILVUSLAB_TEST_CACHE_DIR), so that they
are fetched once and not for each run.
"""

import os

import pytest

from milvuslab.gateway.readiness import check_ready
from milvuslab.model.errors import UnsupportedError
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import Secret, resolve
from milvuslab.runtime import add_lite, add_standalone, endpoint_of, read_profile, start_server, stop_server
from milvuslab.runtime.cluster import ClusterSpec, check_tools, find_tools, make_cluster

KEPT_NAMES = ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR", "PATH")
LEGACY_VERSION = "2.2.16"


@pytest.fixture(scope="session")
def server_settings(tmp_path_factory):
    """Settings with a home folder of the run and the person's own cache."""
    environment = {name: os.environ[name] for name in KEPT_NAMES if name in os.environ}
    if "MILVUSLAB_TEST_CACHE_DIR" in os.environ:
        environment["MILVUSLAB_CACHE_DIR"] = os.environ["MILVUSLAB_TEST_CACHE_DIR"]
    # Test machines are shared and slow: a start may take its time.
    flags = {"home_dir": str(tmp_path_factory.mktemp("servers")), "start_timeout_s": "180"}
    return resolve(environment=environment, flags=flags)


@pytest.fixture(scope="session")
def lite_endpoint(server_settings):
    """Milvus Lite in a process of its own."""
    yield from _running(lambda home_dir: add_lite(home_dir, "lite"), server_settings)


@pytest.fixture(scope="session")
def standalone_endpoint(server_settings):
    """The newest real server that runs here, 2.3.5 on Linux."""
    yield from _running(lambda home_dir: add_standalone(home_dir, "standalone"), server_settings)


@pytest.fixture(scope="session")
def legacy_endpoint(server_settings):
    """The real 2.2.16."""
    yield from _running(lambda home_dir: add_standalone(home_dir, "legacy", version=LEGACY_VERSION), server_settings)


@pytest.fixture(scope="session")
def cluster_endpoint(cluster_profile):
    """The first proxy of a distributed 2.3.5."""
    return endpoint_of(cluster_profile)


@pytest.fixture(scope="session")
def cluster_profile(server_settings):
    """A distributed 2.3.5: two proxies, two query nodes, coordinators with a twin, etcd, Kafka, a shared folder."""

    def add(home_dir):
        check_tools(ClusterSpec(), find_tools(server_settings.cache_dir))
        return make_cluster(home_dir, "cluster", spec=ClusterSpec()).profile

    for _ in _running(add, server_settings):
        yield read_profile(server_settings.home_dir, "cluster")


@pytest.fixture(scope="session")
def remote_endpoint():
    """The server that MILVUSLAB_TEST_URI names."""
    uri = os.environ.get("MILVUSLAB_TEST_URI", "")
    if not uri:
        pytest.skip("MILVUSLAB_TEST_URI names no server")
    return Endpoint(uri=uri, token=Secret(os.environ.get("MILVUSLAB_TEST_TOKEN", "")))


def _running(add_profile, settings):
    """Starts the server, gives its endpoint, and stops it when the run ends, however it ends."""
    try:
        profile = add_profile(settings.home_dir)
        start_server(profile, settings=settings, is_ready=check_ready)
    except UnsupportedError as error:
        skip_or_fail(f"{error.message}: {error.hint}")
    try:
        yield endpoint_of(profile)
    finally:
        stop_server(profile, settings=settings)


def skip_or_fail(reason):
    """Skips the test; under MILVUSLAB_REQUIRE_ALL=1 it fails instead."""
    if os.environ.get("MILVUSLAB_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
