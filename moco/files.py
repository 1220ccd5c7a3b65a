"""Files that are read whole: regular ones, since reading a pipe or a device may never end."""

import errno
import stat
from pathlib import Path


def read_bytes(path: Path) -> bytes:
    """What a file holds.

    Raises:
        OSError: it cannot be read, or is no regular file; strerror says why in words.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"it is {kind}", str(path))
    return path.read_bytes()
