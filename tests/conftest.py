"""How tests run side by side (pytest -n 2): those that start Ray in one process, one by one."""

import os

import pytest

# Ray's dashboard takes seconds of every start; the test of sockets has it
os.environ.setdefault("STUDY_DASHBOARD", "off")

# each of these starts Ray and takes all cores: two at once would be slow, and time out
STARTS_RAY = (
    "tests/examples/",
    "tests/faults/",
    "tests/test_installed.py",
    "tests/study/runner/test_cluster.py",
    "tests/study/runner/test_execute.py",
    "tests/study/runner/test_sockets.py",
    "tests/study/design/test_exploring.py",
    "tests/study/test_saved.py",
    "tests/test_spaces.py::test_official",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process one file after the other; those that start Ray count as one file."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "ray" if nodeid.startswith(STARTS_RAY) else nodeid.partition("::")[0]

    return Scheduler(config, log)
