"""What every test may use."""

import os
import shutil
import signal

import hypothesis
import pytest

# A busy machine must not turn a slow example into a failure.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

pytest_plugins = ["tests.servers", "tests.studio_pictures", "tests.studios"]

PROGRAMS = {
    "apt": ("apt-get",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "npm": ("npm",),
    "openssl": ("openssl",),
}


def pytest_configure():
    """Lets Ctrl-C reach what tests start: a suite in the background begins with it ignored, which is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item):
    """Skips a test whose program is not on this machine; under MILVUSLAB_REQUIRE_ALL=1 it fails instead."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if not any(shutil.which(program) for program in PROGRAMS[name]):
                reason = f"needs {name}, which is not on this machine: make tools"
                if os.environ.get("MILVUSLAB_REQUIRE_ALL") == "1":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)
