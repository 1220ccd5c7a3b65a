"""One attempt at one trial, wherever it runs: iterates the task, watches its loss, and ends as a record whatever happens."""

import fcntl
import json
import math
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.design.record import Record
from study.design.trainer import Task
from study.design.trial import Trial
from study.store.environment import now, versions

PATIENCE = 60.0  # seconds until a process that ran the trial before must be gone: Ray ends those of a dead driver within a few


def attempt(
    task: Task, trial: Trial, folder: Path, commit: str, writes: bool = True
) -> Generator[dict[str, Any], None, Record]:
    """Yields the task's epochs and returns the trial's record.

    A loss or result that leaves the finite numbers ends the trial as diverged, an exception as failed; neither is raised.

    Args:
        folder: the trial's own; made if absent. `metrics.jsonl` there gets each epoch's numbers once; an epoch that had to be trained
            again has two lines.
        writes: whether this process writes there; of several workers only one does.
    """
    started, clock = now(), time.perf_counter()
    curve: list[dict[str, Any]] = []
    status, result, error = "finished", {}, ""
    try:
        with alone(folder) if writes else nothing() as metrics:
            run = task(trial.config, folder)
            while True:
                try:
                    row = next(run)
                except StopIteration as end:
                    result = end.value
                    if any(
                        isinstance(value, float) and not math.isfinite(value)
                        for value in result.values()
                    ):
                        status = "diverged"
                    break
                curve.append(row)
                metrics.add(row)
                yield row
                if not math.isfinite(row["loss"]):
                    status = "diverged"
                    break
    except Exception as problem:  # every trial ends as a record
        status, error = "failed", "".join(traceback.format_exception(problem, limit=-3))[-2000:]
    seconds = max(time.perf_counter() - clock, sum(row.get("seconds", 0.0) for row in curve))
    return record_of_run(
        trial,
        status,
        commit,
        curve=curve,
        result=result,
        error=error,
        seconds=round(seconds, 3),
        started=started,
    )


def record_of_run(trial: Trial, status: str, commit: str, **told: Any) -> Record:
    """The record of a trial that ends now."""
    result = told.get("result", {})
    about = {"curve": [], "result": {}, "error": "", "seconds": 0.0, "started": "", **told}
    return Record(
        trial=trial.id, stage=trial.stage, arm=trial.arm, seed=trial.seed, status=status, config=trial.config, point=trial.point, why=trial.why,
        device=str(result.get("device", "")), versions=versions(), commit=commit, ended=now(), **about,
    )  # fmt: skip


class Metrics:
    """metrics.jsonl of a trial."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        text = file.read_text() if file and file.exists() else ""
        self.held = set(text.splitlines())
        if text and not text.endswith("\n") and file:  # a kill came in the middle of a line
            file.write_text(text[: text.rfind("\n") + 1])

    def add(self, row: dict[str, Any]) -> None:
        """An epoch's numbers, unless they stand there already, since a resumed task yields what it has done before."""
        line = json.dumps(row)
        if self.file and line not in self.held:
            with open(self.file, "a") as file:
                file.write(line + "\n")


@contextmanager
def nothing() -> Iterator[Metrics]:
    """Of a worker that does not write."""
    yield Metrics(None)


@contextmanager
def alone(folder: Path) -> Iterator[Metrics]:
    """The trial's folder, once no other process runs the trial: one of a killed command may live on for a moment, and would overwrite.

    Raises:
        TimeoutError: one still does after a minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"another process still runs the trial in {folder}; end it, and the same command goes on"
                    ) from None
                time.sleep(0.1)
        yield Metrics(folder / "metrics.jsonl")
