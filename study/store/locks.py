"""Locks on folders: one writer at a time, on every system, let go when the process ends."""

from pathlib import Path

from filelock import FileLock, Timeout


def lock_folder(folder: Path, timeout: float = 0.0, name: str = ".lock") -> FileLock:
    """Make the folder and lock it; `release()` unlocks it.

    Args:
        timeout: seconds to wait for another process.
        name: of the lock's file; locks of different names do not exclude each other.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / name, timeout=timeout)
    try:
        return lock.acquire().lock
    except Timeout:
        raise BlockingIOError(f"{folder} is locked by another process") from None
