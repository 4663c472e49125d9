import socket

import pytest

from milvuslab.model.errors import ConflictError, StartError
from milvuslab.ops import companion
from tests.ops.conftest import wait_until


def studio_port(workspace):
    """The port that a start would take; the program itself is not started."""
    return companion.choose_studio_port(workspace)


def test_the_usual_port_is_taken_when_it_is_free(place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    assert studio_port(place.workspace(studio_port=free)) == free


def test_a_port_that_was_asked_for_is_not_replaced(place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(ConflictError) as caught:
            studio_port(place.workspace(studio_port=taken))
    assert "MILVUSLAB_STUDIO_PORT" in caught.value.hint


def test_zero_takes_any(place):
    assert companion.is_port_free("127.0.0.1", studio_port(place.workspace(studio_port=0)))


def test_the_default_moves_on_when_it_is_taken(place):
    workspace = place.workspace()
    first = studio_port(workspace)
    with socket.create_server(("127.0.0.1", first)):
        assert studio_port(workspace) > first


def test_a_studio_that_dies_is_an_error_with_its_last_words(place):
    # Beyond loopback it needs a key, without which it refuses to serve.
    workspace = place.workspace(studio_host="0.0.0.0", studio_port=0)
    companion.start_studio(workspace, server_name="lite")
    with pytest.raises(StartError) as caught:
        companion.wait_for_studio(workspace, timeout_s=60)
    assert "key" in caught.value.message
    assert companion.find_studio(workspace) is None


def test_the_loader_is_found_and_stopped(place):
    workspace = place.workspace(offline="1")
    companion.start_loader(workspace, server_name="lite")
    wait_until(lambda: companion.read_loader_log(workspace), what="the loader says why it cannot work")
    wait_until(lambda: companion.find_loader(workspace) is None, what="the loader ends")
    assert any("server lite" in line for line in companion.read_loader_log(workspace))
    assert not companion.stop_loader(workspace).was_running
