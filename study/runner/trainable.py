"""What runs in a Ray actor: one attempt at a trial, in its process or under Ray Train."""

import json
import os
from collections.abc import Generator, Iterable
from typing import Any, NamedTuple

from ray import tune
from ray.util.metrics import Gauge

from study.design.record import Record
from study.design.trial import Trial, trial_title
from study.design.words import Words
from study.execution.run_trial import Train, make_record, run_trial
from study.runner.files.trials import TrialFiles
from study.runner.ray_patches import set_process_title

TAGS = ("space", "arm", "stage", "seed", "trial")  # of each gauge
ERROR_LENGTH = 2000  # characters of a failure's last lines

Fields = dict[str, Any]


NO_RETRIES: dict[str, Any] = {"max_failures": 0, "controller_failure_limit": 2}  # of Train


class Job(NamedTuple):
    """What all trials of a study have in common."""

    space: str
    words: Words  # the trainer's: which numbers of an epoch are shown
    train: Train
    files: TrialFiles
    commit: str
    workers: int
    cores: int
    gpus: float
    is_local: bool  # all processes run on this machine


class TrialFailed(RuntimeError):
    """The trial itself failed, and would again; its process did not."""


def run_single(config: Fields, job: Job) -> None:
    """Run a trial in this process: a Tune trainable, a report an epoch, the record in the last."""
    epochs = run_attempt(job, trial_of(config))
    while True:
        try:
            tune.report(epoch_report(next(epochs)))
        except StopIteration as end:
            tune.report(final_report(end.value))
            return


def trial_of(config: Fields) -> Trial:
    """The trial of a Tune config."""
    return Trial(**json.loads(config["trial"]))


def run_attempt(job: Job, trial: Trial, *, writes: bool = True) -> Generator[Fields, None, Record]:
    """Yield the epochs of an attempt in the trial's folder on this node; return its record.

    It is seen from outside: its title in the list of processes, its numbers among Ray's metrics.

    Args:
        writes: whether this process writes; of several workers only one does.
    """
    hide_gpus(job)
    title = trial_title(job.space, trial)
    set_process_title(title)
    gauges = EpochGauges(job, trial) if writes else None
    folder = job.files.open_folder(trial.id, writes=writes)
    epochs = run_trial(job.train, trial, folder, job.commit, writes=writes)
    while True:
        try:
            row = next(epochs)
        except StopIteration as end:
            if writes:
                job.files.save(trial.id, folder)
            return end.value
        if gauges:  # this process writes
            job.files.save(trial.id, folder)
            gauges.set(row)
        yield row
        set_process_title(title)  # Ray sets its own with every call


def hide_gpus(job: Job) -> None:
    """Hide the GPUs from a trial that asked for none: Ray would leave all of them visible."""
    if not job.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


class EpochGauges:
    """Numbers of a running trial among Ray's metrics, for Prometheus, as ray_study_<name>."""

    def __init__(self, job: Job, trial: Trial) -> None:
        names = dict.fromkeys(("epoch", "loss", *(number.name for number in job.words.live)))
        self.gauges = {
            name: Gauge(f"study_{name}", f"{name} of a running trial", tag_keys=TAGS)
            for name in names
        }
        values = (job.space, trial.arm, trial.stage, str(trial.seed), trial.id)
        self.tags = dict(zip(TAGS, values, strict=True))

    def set(self, row: Fields) -> None:
        """Show an epoch's numbers."""
        for name, gauge in self.gauges.items():
            if isinstance(row.get(name), int | float):
                gauge.set(float(row[name]), self.tags)


def run_data_parallel(config: Fields, job: Job) -> None:
    """Run a trial as a Ray Train run of several data-parallel workers: a Tune trainable.

    Train retries nothing, else its retries and the study's would multiply. A lost worker ends the
    attempt, and the study begins another one, which continues from the last epoch.
    """
    from ray import train

    trainer = make_train_run(config, job)
    try:
        trainer.fit()
    except train.WorkerGroupError as problem:
        error = trial_failure(problem.worker_failures.values())
        if not error:
            raise
        record = make_record(trial_of(config), "failed", job.commit, error=error)
        tune.report(final_report(record))


def make_train_run(config: Fields, job: Job) -> Any:
    """The Ray Train run of a trial."""
    from ray import train
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    from study.runner.process_group import make_torch_config

    resources = {"CPU": job.cores, **({"GPU": job.gpus} if job.gpus else {})}
    return TorchTrainer(
        run_worker,
        train_loop_config={"trial": config["trial"], "job": job},
        torch_config=make_torch_config(has_gpus=job.gpus > 0, is_local=job.is_local),
        scaling_config=train.ScalingConfig(
            num_workers=job.workers, use_gpu=bool(job.gpus), resources_per_worker=resources
        ),
        run_config=train.RunConfig(  # type: ignore[call-arg]
            name=trial_title(job.space, trial_of(config)),
            storage_path=str(job.files.scratch_folder("train")),
            callbacks=[TuneReportCallback()],  # type: ignore[list-item]
            failure_config=train.FailureConfig(**NO_RETRIES),
            logging_config=train.LoggingConfig(log_level="ERROR"),
        ),
    )


def trial_failure(failures: Iterable[Exception]) -> str:
    """The error of a trial that failed by itself.

    Empty where a worker was lost: the others then fail of that.
    """
    texts = [f"{type(failure).__name__} {failure}" for failure in failures]
    if not texts or not all(TrialFailed.__name__ in text for text in texts):
        return ""
    return texts[0].partition(" ")[2][-ERROR_LENGTH:]


def run_worker(config: Fields) -> None:
    """Run one data-parallel worker; the first one's numbers and record count."""
    from ray import train

    is_first = train.get_context().get_world_rank() == 0
    epochs = run_attempt(config["job"], trial_of(config), writes=is_first)
    while True:
        try:
            train.report(epoch_report(next(epochs)))
        except StopIteration as end:
            if end.value.status == "failed":
                raise TrialFailed(end.value.error) from None
            train.report(final_report(end.value))
            return


def epoch_report(row: Fields) -> Fields:
    """An epoch's numbers as Tune takes them, and all of the row as JSON."""
    return {"row": json.dumps(row), **only_numbers(row)}


def final_report(record: Record) -> Fields:
    """The last report: the result's numbers, and the record as JSON, else Tune would flatten it."""
    loss = record.curve[-1]["loss"] if record.curve else float("nan")
    return {
        "loss": loss,
        **only_numbers(record.result),
        "outcome": json.dumps(record.to_dict()),
    }


def only_numbers(values: Fields) -> Fields:
    """The values that are numbers."""
    return {name: value for name, value in values.items() if isinstance(value, int | float)}
