"""Standard streams that never end a study: closed ones, full ones, and those that know few letters.

What is printed is told again by records and page; a study of hours must not end since nobody reads.
"""

import errno
import io
import os
import sys
from typing import Any, TextIO


class TolerantStream:
    """A text stream whose writes fall silent after the first that fails, as into a closed pipe."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.failed = stream, False

    def write(self, text: str) -> int:
        """Write what can be written."""
        if not self.failed:
            try:
                self.stream.write(text)
            except (OSError, ValueError) as error:  # a closed pipe, a full disk, a closed file
                self.silence(error)
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        if not self.failed:
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self.silence(error)

    def silence(self, error: Exception) -> None:
        """Let nothing more be tried, neither here nor when Python ends and flushes."""
        self.failed = True
        if getattr(error, "errno", None) == errno.ENOSPC and sys.stderr is not self:
            print("Note: standard output is full; what follows is not shown.", file=sys.stderr)
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def open_streams() -> None:
    """Make the standard streams safe to print to; those that are closed lead nowhere.

    Letters that a stream's encoding lacks are written as escapes.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened would take its place
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the whole run
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, TolerantStream(stream))
