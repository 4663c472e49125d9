import socket
import socketserver
import threading
import time

import pytest

from milvuslab.ops.drill.proxy import TcpProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while block := self.request.recv(1024):
            self.request.sendall(block)


@pytest.fixture(scope="module")
def echo_port():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo_port):
    with TcpProxy(echo_port, delay_s=0.2) as own:
        yield own


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=2.0)


def ask(connection, word=b"hello"):
    connection.sendall(word)
    return connection.recv(1024)


def test_it_carries_bytes_both_ways(proxy):
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"
        assert proxy.byte_count == 10


def test_slow_is_late_in_both_directions(proxy):
    with connect(proxy) as connection:
        ask(connection)
        assert proxy.set_mode("slow") == 1
        begin_s = time.monotonic()
        assert ask(connection) == b"hello"
        assert time.monotonic() - begin_s >= 0.4


def test_what_was_sent_to_the_deaf_arrives_when_it_hears_again(proxy):
    with connect(proxy) as connection:
        ask(connection)
        proxy.set_mode("deaf")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ask(connection, b"later")
        proxy.set_mode("pass")
        connection.settimeout(2.0)
        assert connection.recv(1024) == b"later"


def test_reset_ends_open_connections_and_refuses_new_ones(proxy):
    with connect(proxy) as connection:
        ask(connection)
        assert proxy.set_mode("reset") == 1
        with pytest.raises(ConnectionResetError):
            ask(connection)
    with pytest.raises(ConnectionResetError), connect(proxy) as another:  # as early as in the handshake
        ask(another)
    proxy.set_mode("pass")
    with connect(proxy) as another:
        assert ask(another) == b"hello"


def test_a_server_that_is_gone_resets(proxy):
    with TcpProxy(1) as towards_nobody, pytest.raises(ConnectionResetError), connect(towards_nobody) as connection:
        ask(connection)
