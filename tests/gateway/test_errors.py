"""Foreign failures become ours: by code, by words recorded from real servers, and never by guessing."""

import json
from pathlib import Path

import grpc
import pytest
from pymilvus.exceptions import ErrorCode
from pymilvus.grpc_gen import common_pb2

from milvuslab.gateway.error_text import class_by_text, is_lost_connection, plain_words
from milvuslab.gateway.errors import NEW_CODES, OLD_CODES, from_rpc, from_status
from milvuslab.model.errors import (
    FilterError,
    ForbiddenError,
    LimitError,
    RejectedError,
    TimedOutError,
    UnreachableError,
    UnsupportedError,
)

MESSAGES = json.loads((Path(__file__).parent / "cases" / "server_messages.json").read_text(encoding="utf-8"))


class Refusal(grpc.RpcError):
    """A gRPC failure as a client sees it."""

    def __init__(self, name, details):
        super().__init__(details)
        self._name, self._details = name, details

    def code(self):
        return grpc.StatusCode[self._name]

    def details(self):
        return self._details


@pytest.mark.parametrize("said", MESSAGES, ids=lambda said: f"{said['server']}: {said['doing']}")
def test_recorded_words_of_real_servers(said):
    if "rpc" in said:
        error = from_rpc(Refusal(said["rpc"], said["reason"]), what="a call")
    else:
        error = from_status(old=said["old"], new=said["new"], reason=said["reason"], what="a call")
    assert type(error).__name__ == said["expect"]
    assert "a call" in error.message
    assert "stack trace" not in error.message
    assert not (error.retryable and said["expect"] != "UnreachableError")


def test_every_old_code_has_its_class():
    shipped = {name for name, number in common_pb2.ErrorCode.items() if number not in (0, 1)}
    assert set(OLD_CODES) == shipped


def test_every_new_code_that_pymilvus_names_has_its_class():
    generic = {ErrorCode.SUCCESS, ErrorCode.UNEXPECTED_ERROR}
    assert {int(code) for code in set(ErrorCode) - generic} <= set(NEW_CODES)


@pytest.mark.parametrize("new", sorted(NEW_CODES))
def test_a_new_code_decides_where_the_words_say_nothing(new):
    error = from_status(old="UnexpectedError", new=new, reason="xyzzy", what="a call")
    assert type(error) is NEW_CODES[new]
    assert error.context["server_code"] == new


@pytest.mark.parametrize("old", sorted(OLD_CODES))
def test_an_old_code_decides_where_there_is_no_new_one(old):
    assert type(from_status(old=old, new=0, reason="xyzzy", what="a call")) is OLD_CODES[old]


def test_what_no_table_knows_is_final():
    for old, new in (("UnexpectedError", 0), ("", 99_999), ("UnexpectedError", 65_535)):
        error = from_status(old=old, new=new, reason="xyzzy", what="a call")
        assert type(error) is RejectedError
        assert not error.retryable


@pytest.mark.parametrize(
    ("name", "details", "expected"),
    [
        ("UNAVAILABLE", "failed to connect to all addresses; Connection refused", UnreachableError),
        ("UNAVAILABLE", "Socket closed", TimedOutError),
        ("UNAVAILABLE", "recvmsg:Connection reset by peer", TimedOutError),
        ("UNAVAILABLE", "GOAWAY received", TimedOutError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", TimedOutError),
        ("CANCELLED", "Channel closed!", TimedOutError),
        ("UNAUTHENTICATED", "auth check failure", ForbiddenError),
        ("PERMISSION_DENIED", "no", ForbiddenError),
        ("UNIMPLEMENTED", "unknown method Upsert", UnsupportedError),
        ("UNIMPLEMENTED", "Received http2 header with status: 404", UnreachableError),
        ("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)", LimitError),
        ("INTERNAL", "xyzzy", RejectedError),
        ("UNKNOWN", "xyzzy", RejectedError),
    ],
)
def test_failures_of_grpc_itself(name, details, expected):
    assert type(from_rpc(Refusal(name, details), what="a call")) is expected


def test_every_status_of_grpc_becomes_an_error_of_ours():
    for status in grpc.StatusCode:
        if status is not grpc.StatusCode.OK:
            assert from_rpc(Refusal(status.name, "xyzzy"), what="a call").message


def test_a_call_that_was_executed_perhaps_is_not_unreachable():
    assert is_lost_connection("Socket closed")
    assert not is_lost_connection("failed to connect to all addresses")


def test_wrappers_and_traces_are_taken_off():
    traced = (
        "stack trace: /go/trace.go:51 trace.StackTrace\n/go/impl.go:1 proxy.Do: rpc error: code = Unknown desc = no"
    )
    assert plain_words(traced) == "no"
    assert plain_words("code: UnexpectedError, reason: ") == "code: UnexpectedError, reason:"


def test_words_that_say_nothing_point_nowhere():
    assert class_by_text("xyzzy") is None
    assert class_by_text("cannot parse expression: a == ") is FilterError
