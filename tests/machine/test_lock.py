import subprocess
import sys

import pytest

from milvuslab.machine.lock import hold_lock
from milvuslab.model.errors import ConflictError

HOLDER = """
import sys
from pathlib import Path
from milvuslab.machine.lock import hold_lock
with hold_lock(Path(sys.argv[1]), timeout_s=5, doing="testing"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock_path(tmp_path):
    return tmp_path / "folder" / "lock"


@pytest.fixture
def holder(lock_path):
    """Another process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_what_the_first_does(holder, lock_path):
    with (
        pytest.raises(ConflictError, match="has been starting server x") as raised,
        hold_lock(lock_path, timeout_s=0.1, doing="starting server x"),
    ):
        pass
    assert str(lock_path) in raised.value.hint


def test_a_holder_that_is_killed_holds_no_longer(holder, lock_path):
    holder.kill()
    with hold_lock(lock_path, timeout_s=5, doing="testing"):
        pass


def test_the_lock_is_free_after_the_block(lock_path):
    for _ in range(2):
        with hold_lock(lock_path, timeout_s=0, doing="testing"):
            pass
