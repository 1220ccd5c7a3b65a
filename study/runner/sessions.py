"""Ray's sessions on this machine: each ends with the process that started it, however that ends.

Ray binds the processes that it starts to the driver, but not those which they start in turn: when
the driver is killed, an agent may look for its server for a minute and more, and the session's
logs stay. A `Guard` is a process of its own that waits for the driver's end and ends what is left;
this file is its program too.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

GRACE_SECONDS = 6.0  # in which Ray's processes may end by themselves
INTERVAL = 0.2  # seconds between two looks at them
MARK = "STUDY_DRIVER"  # an environment variable: the driver from whose Ray a process comes
PROGRAMS = re.compile(r"python|ray|gcs_server", re.IGNORECASE)  # how Ray's processes are called


class Guard:
    """Waits for the end of this process, or of the `with` block, and ends the Ray of it.

    Args:
        folder: where Ray keeps its sessions; this process's are removed. None: they stay.
    """

    def __init__(self, folder: Path | None) -> None:
        # a session of its own: what kills the driver's whole group does not kill the guard
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(os.getpid()), str(folder or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @contextmanager
    def marks(self) -> Iterator[None]:
        """Mark the processes that are started meanwhile, and those that they start, as Ray's."""
        os.environ[MARK] = str(os.getpid())
        try:
            yield
        finally:
            del os.environ[MARK]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2 * GRACE_SECONDS)
        self.process.kill()  # it must not end the next Ray of this process
        self.process.wait()


def wait_for_end(driver: int, folder: Path | None) -> None:
    """The guard's program: wait until standard input is closed, then clean up after a driver."""
    while sys.stdin.buffer.read(1):
        pass
    end_processes(driver, GRACE_SECONDS)
    if folder:
        remove_sessions(folder, ended=driver)


def end_processes(driver: int, grace: float = 0.0) -> None:
    """Kill the processes of a driver's Ray that are still there after some seconds of grace."""
    end = time.monotonic() + grace
    while (left := session_processes(driver)) and time.monotonic() < end:
        time.sleep(INTERVAL)
    for process in left:
        with suppress(psutil.Error):
            process.kill()


def session_processes(driver: int) -> list[psutil.Process]:
    """The processes of Ray that a driver has started, and those that they have started.

    Found by what they inherit, since Ray's processes change their titles.
    """
    found = []
    for process in psutil.process_iter(["name"]):
        if process.pid in (driver, os.getpid()) or not PROGRAMS.match(process.info["name"] or ""):
            continue
        with suppress(psutil.Error, OSError):  # somebody else's, or gone
            if process.environ().get(MARK) == str(driver):
                found.append(process)
    return found


def remove_sessions(folder: Path, ended: int = 0) -> None:
    """Remove Ray's sessions of processes that are gone, and those of the process `ended`."""
    for session in folder.glob("session_*"):
        number = re.search(r"_([0-9]+)$", session.name)
        if session.is_symlink() or not number:
            continue
        driver = int(number[1])
        if driver == ended or not psutil.pid_exists(driver):
            end_processes(driver)
            shutil.rmtree(session, ignore_errors=True)


if __name__ == "__main__":
    wait_for_end(int(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)
