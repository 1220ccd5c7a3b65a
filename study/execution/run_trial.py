"""One attempt at one trial, wherever it runs: iterate epochs, watch the loss, make a record."""

import json
import math
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.design.record import MOST_RESULT, Record
from study.design.space import Space
from study.design.trainer import Epochs
from study.design.trial import Trial
from study.store.environment import now, versions
from study.store.locks import lock_folder
from study.text import hide_home

# Seconds until a process that ran the trial before must be gone: Ray ends those of a dead driver
# within a few.
LOCK_TIMEOUT = 60.0
ERROR_LENGTH = 2000  # characters of a failure's last lines

Train = Callable[[dict[str, Any], Path], Epochs]


def run_trial(
    train: Train, trial: Trial, folder: Path, commit: str, *, writes: bool = True
) -> Generator[dict[str, Any], None, Record]:
    """Yield the trial's epochs and return its record.

    A loss or result that leaves the finite numbers, or ±1e30, ends the trial as diverged, an
    exception as failed; neither is raised.

    Args:
        folder: the trial's own; made if absent. `metrics.jsonl` there gets each epoch's numbers
            once; an epoch that had to be trained again has two lines.
        writes: whether this process writes there; of several workers only one does.
    """
    started, clock = now(), time.perf_counter()
    curve: list[dict[str, Any]] = []
    result: dict[str, Any] = {}
    status, error = "finished", ""
    try:
        with locked_metrics(folder) if writes else no_metrics() as metrics:
            epochs = train(trial.config, folder)
            while status == "finished":
                try:
                    row = next(epochs)
                except StopIteration as end:
                    check_result(end.value)
                    status = "finished" if is_finite(end.value) else "diverged"
                    result = end.value if status == "finished" else {}
                    break
                check_row(row)
                curve.append(row)
                metrics.add(row)
                yield row
                status = "finished" if abs(row["loss"]) < MOST_RESULT else "diverged"
    except Exception as problem:  # every trial ends as a record
        lines = traceback.format_exception(problem, limit=-3)
        status, error = "failed", "".join(lines)[-ERROR_LENGTH:]
    seconds = max(time.perf_counter() - clock, sum(row.get("seconds", 0.0) for row in curve))
    return make_record(
        trial,
        status,
        commit,
        curve=curve,
        result=result,
        error=error,
        seconds=round(seconds, 3),
        started=started,
    )


def check_row(row: Any) -> None:
    """Check that a trainer's row has what a record needs.

    Raises:
        ValueError: it has not.
    """
    if not isinstance(row, dict) or type(row.get("epoch")) is not int:
        raise ValueError(f"a trainer must yield rows with a whole number `epoch`; got {row!r}")
    if isinstance(row.get("loss"), bool) or not isinstance(row.get("loss"), int | float):
        raise ValueError(f"a trainer must yield rows with a number `loss`; got {row!r}")


def check_result(result: Any) -> None:
    """Check that a trainer's result can stand in a record.

    Raises:
        ValueError: it is no dict, or holds what JSON has no word for, as a number of NumPy.
    """
    if not isinstance(result, dict):
        raise ValueError(f"a trainer must return a dict of results; got {result!r}")
    try:
        json.dumps(result)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"a trainer's result must be plain numbers and texts: {problem}") from None


def fail_without_metric(space: Space, record: Record) -> Record:
    """The record; a failure where it finished without the number that the study is about."""
    metric = space.primary.name
    if record.status != "finished" or math.isfinite(record.metric(metric)):
        return record
    has = ", ".join(map(str, record.result)) or "nothing"
    error = (
        f"the result must hold {metric}, a finite number; it is {record.result.get(metric)!r}. "
        f"The result has {has}"
    )
    return replace(record, status="failed", error=error)


def is_finite(result: dict[str, Any]) -> bool:
    """Whether all real numbers of a result are finite, and none so large that it is as good as not.

    Where training has diverged a number may still fall short of infinity.
    """
    numbers = (value for value in result.values() if isinstance(value, float))
    return all(abs(value) < MOST_RESULT for value in numbers)  # False of NaN


def make_record(
    trial: Trial,
    status: str,
    commit: str,
    *,
    curve: list[dict[str, Any]] | None = None,
    result: dict[str, Any] | None = None,
    error: str = "",
    seconds: float = 0.0,
    started: str = "",
) -> Record:
    """The record of a trial that ends now."""
    result = result or {}
    return Record(
        trial=trial.id,
        stage=trial.stage,
        arm=trial.arm,
        seed=trial.seed,
        status=status,
        config=trial.config,
        point=trial.point,
        why=trial.why,
        curve=curve or [],
        result=result,
        error=hide_home(error),
        seconds=seconds,
        device=str(result.get("device", "")),
        versions=versions(),
        commit=commit,
        started=started,
        ended=now(),
    )


class Metrics:
    """metrics.jsonl of a trial; None: nothing is written."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        text = file.read_text() if file and file.exists() else ""
        self.lines = set(text.splitlines())
        if text and not text.endswith("\n") and file:  # a kill came in the middle of a line
            file.write_text(text[: text.rfind("\n") + 1])

    def add(self, row: dict[str, Any]) -> None:
        """Write an epoch's numbers once: a resumed trial yields its earlier epochs again."""
        line = json.dumps(row)
        if self.file and line not in self.lines:
            with open(self.file, "a") as file:
                file.write(line + "\n")


@contextmanager
def no_metrics() -> Iterator[Metrics]:
    """The metrics of a worker that does not write."""
    yield Metrics(None)


@contextmanager
def locked_metrics(folder: Path) -> Iterator[Metrics]:
    """The metrics of a trial whose folder no other process uses.

    A process of a killed command may live on for a moment, and would overwrite.

    Raises:
        TimeoutError: one still does after a minute.
    """
    try:
        lock = lock_folder(folder, LOCK_TIMEOUT)
    except BlockingIOError:
        raise TimeoutError(
            f"another process still runs the trial in {folder}; end it, and run the same command "
            "again"
        ) from None
    try:
        yield Metrics(folder / "metrics.jsonl")
    finally:
        lock.release()
