"""The most memory that this process held."""

import re
import resource
import sys
from pathlib import Path


def peak() -> float:
    """MB.

    Linux tells that of this program alone; elsewhere it may be that of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024)
        / 1e6
    )
