"""Sides of a comparison run in turn, so that whatever else the machine does falls on all of them
alike.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5


class Side(NamedTuple):
    """One side: a row of `module.SIDES` with its settings."""

    module: str
    name: str
    settings: dict[str, Any]
    python: str = sys.executable
    threads: int = 0  # of torch and of everything else; 0: all cores


class Seconds(NamedTuple):
    """The rounds of one side."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> str:
        """From the fastest round to the slowest, as shares of the median."""
        low, high = (end / self.median - 1 for end in (min(self.rounds), max(self.rounds)))
        return f"{low:+.0%} to {high:+.0%}"


def in_turn(sides: dict[str, Side], rounds: int = ROUNDS) -> dict[str, Seconds]:
    """Starts all sides, then runs `rounds` rounds of each, the first of every side before the
    second of any.

    Raises:
        RuntimeError: a side's process ended; what it said last is on standard error.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    with ExitStack() as open_processes:
        running = {}
        for name, side in sides.items():
            running[name] = open_processes.enter_context(started(side))
            answer_of(name, running[name])  # warm before the next one starts
        for _ in range(rounds):
            for name, process in running.items():
                assert process.stdin is not None
                process.stdin.write("round\n")
                process.stdin.flush()
                taken[name].append(float(answer_of(name, process)))
        for process in running.values():
            process.terminate()
    return {name: Seconds(tuple(seconds)) for name, seconds in taken.items()}


def timed_in_turn(
    sides: dict[str, Callable[[], object]], rounds: int = ROUNDS
) -> dict[str, Seconds]:
    """The same for work in this process, after a round of each to warm up; what is queued on a GPU
    is waited for.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for k in range(rounds + 1):
        for name, work in sides.items():
            begun = time.perf_counter()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            taken[name] += [time.perf_counter() - begun] if k else []
    return {name: Seconds(tuple(seconds)) for name, seconds in taken.items()}


def started(side: Side) -> subprocess.Popen[str]:
    """The side's process."""
    threads = (
        {"OMP_NUM_THREADS": str(side.threads), "MKL_NUM_THREADS": str(side.threads)}
        if side.threads
        else {}
    )
    words = [
        side.python,
        "-W",
        "ignore",
        "-m",
        "benchmarks.side",
        side.module,
        side.name,
        json.dumps(side.settings),
    ]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **threads, "PYTHONPATH": path}
    return subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def answer_of(name: str, process: subprocess.Popen[str]) -> str:
    """The next line that a side says."""
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        raise RuntimeError(
            f"the side {name!r} ended with exit code {process.wait()}; its last words are above"
        )
    return line
