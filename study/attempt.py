"""One attempt at one trial, wherever it runs: iterates the task, watches its loss, and ends as a record whatever happens."""

import json
import math
import time
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

from study.machine import now, versions
from study.record import Record
from study.trial import Task, Trial


def attempt(task: Task, trial: Trial, folder: Path, commit: str, writes: bool = True) -> Generator[dict[str, Any], None, Record]:
    """Yields the task's epochs and returns the trial's record.

    A loss or result that leaves the finite numbers ends the trial as diverged, an exception as failed; neither is raised.

    Args:
        folder: the trial's own; made if absent.
        writes: whether this process writes metrics.jsonl there; of several workers only one does.
    """
    started, clock = now(), time.perf_counter()
    curve: list[dict[str, Any]] = []
    status, result, error = "finished", {}, ""
    folder.mkdir(parents=True, exist_ok=True)
    if writes:
        (folder / "metrics.jsonl").write_text("")
    try:
        run = task(trial.config, folder)
        while True:
            try:
                row = next(run)
            except StopIteration as end:
                result = end.value
                if any(isinstance(value, float) and not math.isfinite(value) for value in result.values()):
                    status = "diverged"
                break
            curve.append(row)
            if writes:
                with open(folder / "metrics.jsonl", "a") as file:
                    file.write(json.dumps(row) + "\n")
            yield row
            if not math.isfinite(row["loss"]):
                status = "diverged"
                break
    except Exception as problem:  # every trial ends as a record
        status, error = "failed", "".join(traceback.format_exception(problem, limit=-3))[-2000:]
    seconds = max(time.perf_counter() - clock, sum(row.get("seconds", 0.0) for row in curve))
    return Record(
        trial=trial.id, stage=trial.stage, arm=trial.arm, seed=trial.seed, status=status, config=trial.config, point=trial.point, why=trial.why,
        curve=curve, result=result, error=error, seconds=round(seconds, 3), device=str(result.get("device", "")), versions=versions(),
        commit=commit, started=started, ended=now(),
    )  # fmt: skip


def lost(trial: Trial, error: str, commit: str) -> Record:
    """The record of a trial whose process died: failed, and due again."""
    return Record(
        trial=trial.id, stage=trial.stage, arm=trial.arm, seed=trial.seed, status="failed", config=trial.config, point=trial.point, why=trial.why,
        curve=[], result={}, error=error, seconds=0.0, device="", versions=versions(), commit=commit, started="", ended=now(),
    )  # fmt: skip
