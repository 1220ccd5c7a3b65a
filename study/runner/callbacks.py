"""What looks on while a study runs: the page redrawn as trials end, TensorBoard's event files, other trackers."""

import math
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray import tune
from tensorboardX import SummaryWriter

from study.errors import StudyError
from study.runner.cluster import Cluster
from study.runner.file_transfer import Files, unpack
from study.runner.searcher import StudySearch
from study.runner.trackers import trackers
from study.store.ledger import Ledger
from study.store.remote import Mirror

EVERY = 20.0  # seconds at least between two drawings of the page
SOURCE = Path(__file__).resolve().parents[2]


class Redraw(tune.Callback):
    """Draws the page anew when trials have ended, in a process of its own, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.drawn, self.wanted = folder, time.monotonic(), False
        self.drawing: subprocess.Popen[bytes] | None = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Remembers that the page is behind."""
        self.wanted = True

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Begins a drawing where one is due."""
        busy = self.drawing is not None and self.drawing.poll() is None
        if self.wanted and not busy and time.monotonic() - self.drawn > EVERY:
            self.wanted, self.drawn = False, time.monotonic()
            words = [sys.executable, "-m", "study.report.page", str(self.folder)]
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")]),
            }
            quiet: Any = {
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.DEVNULL,
                "stderr": subprocess.DEVNULL,
                "start_new_session": True,
            }
            self.drawing = subprocess.Popen(words, env=environment, **quiet)

    def close(self) -> None:
        """Lets no late drawing overwrite the last one."""
        if self.drawing is not None:
            try:
                self.drawing.wait(20)
            finally:
                self.drawing.kill()
                self.drawing.wait()

    def __getstate__(self) -> dict[str, Any]:
        return {}


class EventFiles(tune.Callback):
    """Each trial's numbers as TensorBoard reads them: tensorboard --logdir FOLDER/tensorboard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tensorboard"
        self.writers: dict[str, SummaryWriter] = {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Writes an epoch's numbers, and the last report's without a step of their own."""
        if "epoch" not in result and "outcome" not in result:
            return
        if trial.trial_id not in self.writers:
            place = self.folder / str(trial)
            shutil.rmtree(place, ignore_errors=True)  # a resumed trial tells its epochs again
            self.writers[trial.trial_id] = SummaryWriter(str(place), flush_secs=10)
        group, step = ("result", 0) if "outcome" in result else ("epoch", result["epoch"])
        for name, value in result.items():
            if isinstance(value, int | float) and math.isfinite(value) and name not in TUNES_OWN:
                self.writers[trial.trial_id].add_scalar(f"{group}/{name}", value, step)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Closes the file."""
        if writer := self.writers.pop(trial.trial_id, None):
            writer.close()

    on_trial_error = on_trial_complete

    def __getstate__(self) -> dict[str, Any]:
        return {}


TUNES_OWN = (
    "training_iteration", "time_total_s", "time_this_iter_s", "time_since_restore", "iterations_since_restore", "timestamp", "pid", "done",
    "timesteps_total", "episodes_total",
)  # fmt: skip


class Send(tune.Callback):
    """Sends the records of a study that is kept at an address, whenever one was added."""

    def __init__(self, mirror: Mirror, ledger: Ledger) -> None:
        self.mirror, self.ledger, self.sent = mirror, ledger, -1

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Sends what is new."""
        if len(self.ledger.records) > self.sent:
            self.sent = len(self.ledger.records)
            with suppress(StudyError):  # the next one sends it again, and so does the end, aloud
                self.mirror.push(("study.json", "records.jsonl", "optuna.db"))

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Collect(tune.Callback):
    """Brings a trial's files to a driver whose disk the cluster does not see when the trial has ended."""

    def __init__(self, files: Files, search: StudySearch) -> None:
        self.files, self.search = files, search

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Fetches them with the last report."""
        due = self.search.running.get(trial.trial_id)
        if self.files.kept and due and "outcome" in result:
            try:
                unpack(self.files.folder / due.id, self.files.kept.fetch(due.id))
            except Exception as problem:  # the record counts, and Tune would end the study
                self.search.notes.append(
                    f"{due.id}: its files could not be brought here ({problem})"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {}


def watchers(
    folder: Path, cluster: Cluster, files: Files, search: StudySearch
) -> list[tune.Callback]:
    """Those that this study has."""
    found: list[tune.Callback] = [
        EventFiles(folder.resolve()),
        *trackers(cluster, search.plan.space, folder.resolve()),
    ]
    if cluster.url:
        found.append(Send(Mirror(cluster.url, folder), search.ledger))
    elif files.kept and files.kept.is_elsewhere:
        found.append(Collect(files, search))
    return found
