"""Folders in the machine's temporary folder that are this user's alone.

Ray writes sessions there that all may read, and leaves them: logs, and in these what a process was
started with.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

LONGEST = (
    40  # characters of a temporary folder below which Ray's sockets, of 107 at most, still fit
)


def own_folder(folder: Path) -> Path:
    """A folder that this user alone may use, made if need be; another one where it is not so.

    The temporary folder is everyone's: what somebody else has put there is no input.
    """
    with suppress(FileExistsError):  # of a file, or a link to nothing
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if is_own and stat.S_ISDIR(found.st_mode):
        folder.chmod(0o700)
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))


def user_name() -> str:
    """A short name of this user for folders."""
    return str(getattr(os, "getuid", lambda: "user")())  # Windows has no such number


def ray_folder() -> Path | None:
    """Where Ray keeps its sessions on this machine; None: where RAY_TMPDIR says."""
    if os.environ.get("RAY_TMPDIR"):
        return None
    place = Path(tempfile.gettempdir())
    if len(str(place)) > LONGEST and os.access("/tmp", os.W_OK):
        place = Path("/tmp")
    return own_folder(place / f"study-{user_name()}") / "ray"
