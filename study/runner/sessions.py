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
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

GRACE_SECONDS = 6.0  # in which Ray's processes may end by themselves
INTERVAL = 0.2  # seconds between two looks at them then
LOOK_INTERVAL = 1.0  # seconds between two looks at what a running driver's Ray has started
MARK = "STUDY_DRIVER"  # an environment variable: the driver from whose Ray a process comes


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
    ended = threading.Event()
    threading.Thread(target=wait_for_input, args=(ended,), daemon=True).start()
    seen: set[psutil.Process] = set()
    while not ended.wait(LOOK_INTERVAL):
        seen = {process for process in seen if is_alive(process)} | processes_of_ray(driver)
    end_processes(driver, seen, GRACE_SECONDS)
    remove_dead_listeners(Path(tempfile.gettempdir()))
    if folder:
        remove_sessions(folder, ended=driver)


def wait_for_input(ended: threading.Event) -> None:
    """Say when standard input is closed, as it is when the driver is gone."""
    while sys.stdin.buffer.read(1):
        pass
    ended.set()


def remove_dead_listeners(folder: Path) -> None:
    """Remove the folders of sockets that nobody listens at; Ray's dashboard leaves one."""
    table = Path("/proc/net/unix")
    live = table.read_text() if table.exists() else None
    for place in folder.glob("pymp-*") if live is not None else ():
        with suppress(OSError):
            found = list(place.iterdir())
            dead = all(one.is_socket() and one.name.startswith("listener-") for one in found)
            if found and dead and f"{place}/" not in (live or ""):
                shutil.rmtree(place)


def end_processes(driver: int, seen: set[psutil.Process], grace: float = 0.0) -> None:
    """Kill the processes of a driver's Ray that are still there after some seconds of grace.

    Args:
        seen: such processes, as they were before the driver ended.
    """
    end = time.monotonic() + grace
    while left := {one for one in seen if is_alive(one)} | marked_processes(driver):
        if time.monotonic() >= end:
            break
        time.sleep(INTERVAL)
    for process in left:
        with suppress(psutil.Error):
            process.kill()


def processes_of_ray(driver: int) -> set[psutil.Process]:
    """What a driver has started as a part of Ray, and what that has started in turn."""
    found = set()
    with suppress(psutil.Error):
        for child in psutil.Process(driver).children():
            if is_marked(child, driver):
                found |= {child, *child.children(recursive=True)}
    return found


def marked_processes(driver: int) -> set[psutil.Process]:
    """The processes that have a driver's mark, whoever their parent is now."""
    own = (driver, os.getpid())
    return {one for one in psutil.process_iter() if one.pid not in own and is_marked(one, driver)}


def is_marked(process: psutil.Process, driver: int) -> bool:
    """Whether a process has a driver's mark; where Ray sets a title the mark may be lost."""
    place = Path(f"/proc/{process.pid}/environ")
    with suppress(psutil.Error, OSError):  # somebody else's, or gone
        if place.exists():  # psutil stops at the zeros that a title leaves
            return f"{MARK}={driver}".encode() in place.read_bytes().split(b"\0")
        return process.environ().get(MARK) == str(driver)
    return False


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is there, and more than its exit code."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def remove_sessions(folder: Path, ended: int = 0) -> None:
    """Remove Ray's sessions of processes that are gone, and those of the process `ended`."""
    for session in folder.glob("session_*"):
        number = re.search(r"_([0-9]+)$", session.name)
        if session.is_symlink() or not number:
            continue
        driver = int(number[1])
        if driver == ended or not psutil.pid_exists(driver):
            end_processes(driver, set())
            shutil.rmtree(session, ignore_errors=True)


if __name__ == "__main__":
    wait_for_end(int(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)
