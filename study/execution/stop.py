"""Stopping in order: the first signal lets running trials reach the end of their epoch, the second ends at once; time can run out too."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, preemption, a closed terminal
TOLD = (
    "\nstopping: running trials reach the end of their epoch and are kept; again to stop at once\n"
)


class Stop:
    """Whether nothing new may begin."""

    def __init__(self, hours: float = 0.0) -> None:
        self.deadline = time.monotonic() + 3600 * hours if hours else float("inf")
        self.signalled = False
        self.spoiled = ""  # why going on would be of no use

    @property
    def wanted(self) -> bool:
        """True from a signal on, when the time is over, or when every trial fails."""
        return self.signalled or bool(self.spoiled) or time.monotonic() >= self.deadline

    def _signal(self, number: int, frame: FrameType | None) -> None:
        if self.signalled:
            raise KeyboardInterrupt
        self.signalled = True
        with suppress(OSError):  # a closed terminal; and print is not safe here
            os.write(2, TOLD.encode())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals are for this object; one that the caller ignores, under nohup say, stays ignored."""
        numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        try:
            for number, handler in before.items():
                if handler is not signal.SIG_IGN:
                    signal.signal(number, self._signal)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
