"""What follows a study while it runs: the page, TensorBoard's files, a remote folder, trackers."""

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

from study.errors import StudyError, first_line
from study.runner.cluster import Cluster
from study.runner.files.trials import ActorStore, TrialFiles, write_files
from study.runner.ray_patches import DriverOnly
from study.runner.searcher import StudySearch
from study.runner.trackers import make_trackers
from study.store.ledger import Ledger
from study.store.remote import RemoteFolder

REDRAW_INTERVAL = 20.0  # seconds at least between two drawings of the page
SOURCE = Path(__file__).resolve().parents[2]
# numbers that Tune adds to each report
TUNE_NUMBERS = (
    "training_iteration", "time_total_s", "time_this_iter_s", "time_since_restore",
    "iterations_since_restore", "timestamp", "pid", "done", "timesteps_total", "episodes_total",
)  # fmt: skip


class PageRedraw(DriverOnly, tune.Callback):
    """Draws the page again after trials ended, in a process of its own, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.last_drawn, self.is_outdated = folder, time.monotonic(), False
        self.process: subprocess.Popen[bytes] | None = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that the page is outdated."""
        self.is_outdated = True

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Begin a drawing where one is due."""
        is_busy = self.process is not None and self.process.poll() is None
        is_due = time.monotonic() - self.last_drawn > REDRAW_INTERVAL
        if self.is_outdated and is_due and not is_busy:
            self.is_outdated, self.last_drawn = False, time.monotonic()
            self.process = self.start_drawing()

    def start_drawing(self) -> subprocess.Popen[bytes]:
        """The process that draws the page."""
        path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, "-m", "study.report.page", str(self.folder)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """End a late drawing, which could overwrite the last one."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.process.kill()
            self.process.wait()


class EventFiles(DriverOnly, tune.Callback):
    """Each trial's numbers for TensorBoard: tensorboard --logdir FOLDER/tensorboard."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.writer_class = folder / "tensorboard", load_summary_writer()
        self.writers: dict[str, Any] = {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Write an epoch's numbers by epoch, and the last report's without one."""
        if "epoch" not in result and "outcome" not in result:
            return
        if trial.trial_id not in self.writers:
            place = self.folder / str(trial)
            shutil.rmtree(place, ignore_errors=True)  # a resumed trial reports its epochs again
            self.writers[trial.trial_id] = self.writer_class(str(place), flush_secs=10)
        group, step = ("result", 0) if "outcome" in result else ("epoch", result["epoch"])
        for name, value in result.items():
            is_number = isinstance(value, int | float) and math.isfinite(value)
            if is_number and name not in TUNE_NUMBERS and can_write(self.writers[trial.trial_id]):
                self.writers[trial.trial_id].add_scalar(f"{group}/{name}", value, step)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close the trial's file."""
        writer = self.writers.pop(trial.trial_id, None)
        if writer and can_write(writer):
            writer.close()

    on_trial_error = on_trial_complete


def can_write(writer: Any) -> bool:
    """Whether the thread behind a writer lives; it dies where the disk is full.

    tensorboardX then waits forever for room in the thread's queue. The thread is private
    (`event_file_writer.py`, 2.6); where another version has none, it counts as alive.
    """
    events = getattr(getattr(writer, "file_writer", None), "event_writer", None)
    thread = getattr(events, "_worker", None)
    return thread is None or bool(thread.is_alive())


def load_summary_writer() -> Any:
    """tensorboardX's class SummaryWriter.

    tensorboardX imports torch where that is installed, in order to take tensors. Numbers need
    none, so a study whose trainer does without torch is spared those seconds.
    """
    hidden = {} if "torch" in sys.modules else {"torch": None}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        from tensorboardX import SummaryWriter
    finally:
        for name in hidden:
            del sys.modules[name]
    return SummaryWriter


class RemoteSync(DriverOnly, tune.Callback):
    """Sends the records of a study that is kept at an address, whenever one was added."""

    def __init__(self, remote: RemoteFolder, ledger: Ledger) -> None:
        self.remote, self.ledger, self.sent = remote, ledger, -1

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Send what is new."""
        if len(self.ledger.records) > self.sent:
            self.sent = len(self.ledger.records)
            with suppress(StudyError):  # later calls send it again, and the last one raises
                self.remote.push(("study.json", "records.jsonl", "optuna.db"))


class FileCollector(DriverOnly, tune.Callback):
    """Brings an ended trial's files to a driver whose disk the cluster does not see."""

    def __init__(self, files: TrialFiles, store: ActorStore, search: StudySearch) -> None:
        self.files, self.store, self.search = files, store, search

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Fetch them with the last report."""
        running = self.search.running.get(trial.trial_id)
        if running is None or "outcome" not in result:
            return
        try:
            write_files(self.files.folder / running.id, self.store.fetch(running.id))
        except Exception as problem:  # the record counts, and Tune would end the study
            reason = first_line(problem)
            self.search.messages.append(f"{running.id}: its files could not be copied: {reason}")


def make_callbacks(
    folder: Path, cluster: Cluster, *, files: TrialFiles, search: StudySearch
) -> list[tune.Callback]:
    """The callbacks that this study has besides progress and page."""
    callbacks: list[tune.Callback] = [
        EventFiles(folder.resolve()),
        *make_trackers(cluster, search.plan.space.name, folder.resolve()),
    ]
    if cluster.url:
        callbacks.append(RemoteSync(RemoteFolder(cluster.url, folder), search.ledger))
    elif isinstance(files.store, ActorStore) and files.store.needs_collection:
        callbacks.append(FileCollector(files, files.store, search))
    return callbacks
