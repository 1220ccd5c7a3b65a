"""Waiting for what another process does."""

import time


def wait_for(holds, process, told=None, seconds=120):
    """What `holds` returns once that is true, while the process lives.

    `told` returns what the process has printed; by default it is read from its pipe after its end.
    """
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if process.poll() is not None:
            raise AssertionError(told() if told else process.stdout.read())
        if time.monotonic() > deadline:
            raise AssertionError(told() if told else f"not within {seconds} s")
        time.sleep(0.02)
    return found
