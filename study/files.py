"""Files that are read whole: regular ones, since reading a pipe or a device may never end."""

import errno
import stat
from pathlib import Path


def read_bytes(path: Path) -> bytes:
    """What a file holds.

    Raises:
        OSError: it cannot be read, or is no regular file; strerror says why in words.
    """
    check_regular(path)
    return path.read_bytes()


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Raises:
        OSError: as `read_bytes`.
        UnicodeError: it is no text in UTF-8.
    """
    return read_bytes(path).decode("utf-8-sig")


def check_regular(path: Path) -> None:
    """Check that a path leads to a regular file.

    Raises:
        OSError: there is none, or it is something else; strerror says what.
    """
    try:
        mode = path.stat().st_mode
    except ValueError:  # a NUL in its name
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"it is {kind}", str(path))
