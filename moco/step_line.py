"""The line of a terminal that shows where a run is within its epoch."""

import sys
import time
from contextlib import suppress

INTERVAL = 0.2  # seconds between two writings


class StepLine:
    """The step that a run is at and how long it still takes, in one line of a terminal."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.began, self.first, self.shown = epochs, 0.0, 0, 0.0

    def __call__(self, done: int, total: int) -> None:
        """Rewrite the line, a few times a second; the evaluation at the end is not foreseen."""
        now = time.monotonic()
        if not self.began:
            self.began, self.first = now, done
        if now - self.shown < INTERVAL or done == self.first:
            return
        self.shown = now
        left = (now - self.began) / (done - self.first) * (total - done)
        each = total // self.epochs
        epoch, step = (done - 1) // each + 1, (done - 1) % each + 1
        self.write(f"epoch {epoch}/{self.epochs}  step {step}/{each}  {time_left(left)}")

    def clear(self) -> None:
        """Leave an empty line for what is printed next."""
        self.write("")

    def write(self, words: str) -> None:
        """Put words in the place of the line."""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"\r{words}\033[K")
            sys.stderr.flush()


def time_left(seconds: float) -> str:
    """A time that is left, in words."""
    if seconds < 90:
        return f"about {seconds:.0f} s of training left"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min of training left"
    return f"about {seconds / 3600:.1f} h of training left"
