import pytest

from milvuslab.runtime.cause import guess_cause

# Lines as the servers really printed them.
CASES = {
    "full disk": ('{"level":"panic","msg":"failed to create WAL","error":"no space left on device"}', "disk is full"),
    "taken port": ("panic: listen tcp :20001: bind: address already in use", "a port is taken"),
    "taken port of Lite": (
        "RuntimeError: Failed to bind to address 127.0.0.1:20000; set GRPC_VERBOSITY",
        "a port is taken",
    ),
    "missing library": (
        "milvus: error while loading shared libraries: librocksdb.so.6: cannot open shared object file",
        "a library is missing",
    ),
    "old glibc": (
        "milvus: /lib/libc.so.6: version `GLIBC_2.17' not found (required by milvus)",
        "a library is missing",
    ),
    "locked folder": ("milvus_lite.exceptions.DataDirLockedError: data_dir 'x' is locked", "has the data folder open"),
    "damaged log": ('{"level":"panic","msg":"wal: crc mismatch"}', "the data is damaged"),
    "damaged queue": ("Corruption: CURRENT file does not end with newline", "the data is damaged"),
    "missing key": ("panic: key not found: etcd.metaSubPath", "configuration does not fit"),
}


@pytest.mark.parametrize(("line", "cause"), CASES.values(), ids=CASES.keys())
def test_a_known_line_gives_its_cause_and_a_next_step(line, cause):
    found, step = guess_cause(["something before", line], exit_text="exit code 2")
    assert cause in found
    assert step


def test_the_signal_counts_when_the_log_is_empty():
    assert "instruction" in guess_cause([], exit_text="signal SIGILL")[0]
    assert "memory" in guess_cause([], exit_text="signal SIGKILL")[0]


def test_an_unknown_end_points_to_the_log():
    assert guess_cause(["all went well"], exit_text="exit code 1") == ("", "read the log: milvuslab server logs NAME")
