import os
import socket

import pytest

from milvuslab.model.errors import ConflictError
from milvuslab.runtime.ports import check_ports, choose_ports, is_port_open


@pytest.fixture
def listener():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        opened.listen(1)
        yield opened


def test_each_name_gets_a_port_of_its_own():
    ports = choose_ports(("proxy", "etcd", "metrics"), taken=(), seed=1)
    assert list(ports) == ["proxy", "etcd", "metrics"]
    assert len(set(ports.values())) == 3
    assert all(20_000 <= port < 32_000 for port in ports.values())


def test_ports_of_other_profiles_are_left_alone_though_nothing_listens():
    first = choose_ports(("proxy",), taken=(), seed=1)
    assert choose_ports(("proxy",), taken=first.values(), seed=1) != first


def test_a_port_in_use_is_not_chosen():
    first = choose_ports(("proxy",), taken=(), seed=1)["proxy"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen(1)
        assert choose_ports(("proxy",), taken=(), seed=1)["proxy"] != first


def test_users_begin_at_different_places():
    assert len({choose_ports(("proxy",), taken=(), seed=user)["proxy"] for user in range(1000, 1020)}) == 20


def test_no_room_left_is_an_error():
    with pytest.raises(ConflictError, match="no 2 neighbouring ports"):
        choose_ports(("proxy", "etcd"), taken=range(20_000, 32_000), seed=0)


def test_a_taken_port_is_named_with_its_purpose_and_holder(listener):
    port = listener.getsockname()[1]
    with pytest.raises(ConflictError) as raised:
        check_ports({"etcd": port}, server_name="x")
    assert raised.value.message.startswith(f"port {port} (etcd of server x) is taken by process {os.getpid()} (")
    assert "milvuslab server config x --renew-ports" in raised.value.hint


def test_free_ports_pass():
    check_ports(choose_ports(("a", "b"), taken=(), seed=7), server_name="x")


def test_a_port_whose_connections_just_ended_is_free(listener):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # this side ends first, so the system remembers the connection at our port
        client.close()
    check_ports({"proxy": port}, server_name="x")


def test_an_open_port_is_seen(listener):
    assert is_port_open(listener.getsockname()[1])


def test_a_closed_port_is_seen():
    assert not is_port_open(choose_ports(("a",), taken=(), seed=3)["a"])
