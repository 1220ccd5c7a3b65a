"""An orderly stop: the first signal, or the end of the time, lets running epochs end first."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, preemption, a closed terminal
MESSAGE = (
    "\nStopping: running trials reach the end of their epoch first; send the signal again to stop "
    "at once.\n"
)


_came: list[int] = []  # signals since `raise_on_signals`


def raise_on_signals() -> None:
    """Make a signal before the first trial a KeyboardInterrupt, also where it is lost on its way.

    An exception that a signal raises within an import, a destructor or a callback from C is printed
    or dropped there, and a study would run on to its end (seen while Ray was imported and started).
    `Stop.signal_handlers` raises it again.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        _came.append(number)
        raise KeyboardInterrupt

    _came.clear()
    for name in ("SIGINT", "SIGTERM"):
        number = getattr(signal, name)
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


class Stop:
    """Whether no new trial may begin, and running ones should stop after their epoch."""

    def __init__(self, hours: float = 0.0) -> None:
        self.deadline = time.monotonic() + 3600 * hours if hours else float("inf")
        self.signalled = False
        self.hopeless_reason = ""  # why further trials would fail as well

    @property
    def requested(self) -> bool:
        """True after a signal, after the deadline, or when every trial fails."""
        return self.signalled or bool(self.hopeless_reason) or time.monotonic() >= self.deadline

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signalled:
            raise KeyboardInterrupt
        self.signalled = True
        with suppress(OSError):  # the terminal may be closed; print is not safe in a handler
            os.write(2, MESSAGE.encode())

    @contextmanager
    def signal_handlers(self) -> Iterator[None]:
        """Handle signals meanwhile; one that the caller ignores, under nohup say, stays ignored.

        Raises:
            KeyboardInterrupt: on entering, where a signal came before and was lost.
        """
        if _came:
            raise KeyboardInterrupt
        numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        try:
            for number, handler in before.items():
                if handler is not signal.SIG_IGN:
                    signal.signal(number, self._on_signal)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
