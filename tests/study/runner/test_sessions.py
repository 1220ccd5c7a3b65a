"""What Ray starts and writes on this machine goes with the process that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from study.runner import sessions

GONE = 2**22 - 1  # no process has this number
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DRIVER = """
import os, subprocess, sys, time
from pathlib import Path
from study.runner.sessions import LOOK_INTERVAL, Guard, processes_of_ray

folder = Path(sys.argv[1])
session = folder / f"session_2026-01-01_10-00-00_000001_{os.getpid()}"
(session / "logs").mkdir(parents=True)
# Ray's agents lose the mark when they set their title, as the second one does here
sleep = "import time; time.sleep(600)"
parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}], env={{}}, start_new_session=True); {sleep}"
with Guard(folder) as guard:
    with guard.marks():
        subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)
    while len(found := processes_of_ray(os.getpid())) < 2:
        time.sleep(0.1)
    time.sleep(2 * LOOK_INTERVAL)
    print(*(one.pid for one in found), flush=True)
    sys.stdin.read()
"""


def session_name(driver):
    return f"session_2026-01-01_10-00-00_000001_{driver}"


def test_sessions_of_processes_that_are_gone_are_removed_and_others_stay(tmp_path):
    for number in (os.getpid(), GONE):
        (tmp_path / session_name(number) / "logs").mkdir(parents=True)
    (tmp_path / "session_latest").symlink_to(tmp_path / session_name(GONE))
    sessions.remove_sessions(tmp_path)
    assert [one.name for one in sorted(tmp_path.glob("session_2*"))] == [session_name(os.getpid())]
    sessions.remove_sessions(tmp_path, ended=os.getpid())
    assert list(tmp_path.glob("session_2*")) == []


def test_the_processes_of_a_session_alone_are_ended():
    agent, other = (
        subprocess.Popen(SLEEP, env={**os.environ, sessions.MARK: str(driver)})
        for driver in (GONE, 10 * GONE)
    )
    try:
        time.sleep(0.2)
        sessions.end_processes(GONE, set())
        assert agent.wait(10) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        agent.kill()
        other.kill()
        agent.wait()
        other.wait()


@pytest.mark.parametrize("end", ["driver killed", "group killed", "block left"])
def test_the_guard_ends_what_a_driver_leaves(tmp_path, end):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    started = [psutil.Process(int(number)) for number in driver.stdout.readline().split()]
    assert len(started) == 2
    if end == "driver killed":
        driver.kill()
    elif end == "group killed":
        os.killpg(driver.pid, signal.SIGKILL)
    else:
        driver.stdin.close()
    driver.wait(30)
    deadline = time.monotonic() + 5 * sessions.GRACE_SECONDS
    while any(map(sessions.is_alive, started)) or list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    driver.stdout.close()
    driver.stdin.close()
