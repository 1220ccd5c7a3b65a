"""What runs in a Ray actor: one attempt at a trial, in this process or under Ray Train."""

import json
import os
from collections.abc import Generator
from dataclasses import asdict
from typing import Any, NamedTuple

from ray import tune
from ray.util.metrics import Gauge

from study.design.record import Record
from study.design.trainer import Task
from study.design.trial import Trial, title
from study.execution.run_trial import attempt, record_of_run
from study.runner.file_transfer import Files
from study.runner.ray_patches import show

GAUGES = (
    "epoch",
    "loss",
    "knn_accuracy",
    "images_per_second",
)  # of an epoch's numbers, as ray_study_<name>
TAGS = ("space", "arm", "stage", "seed", "trial")


class Job(NamedTuple):
    """What all trials of a study have in common."""

    space: str
    task: Task
    files: Files
    commit: str
    workers: int
    cores: int
    gpus: float
    alone: bool  # on this machine: workers then meet in a file, since torch's meeting point listens on all interfaces


class TrialFailed(RuntimeError):
    """The trial itself failed, and would again; its process did not."""


def run_here(config: dict[str, Any], job: Job) -> None:
    """A Tune trainable: the trial in this process, an epoch a report, the record with the last."""
    trial = Trial(**json.loads(config["trial"]))
    hide_gpus(job)
    steps = attempted(job, trial)
    while True:
        try:
            tune.report(shown(next(steps)))
        except StopIteration as end:
            tune.report(closing(end.value))
            return


def hide_gpus(job: Job) -> None:
    """A trial that asked for no GPU uses none: Ray would leave all of them visible."""
    if not job.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def attempted(
    job: Job, trial: Trial, writes: bool = True
) -> Generator[dict[str, Any], None, Record]:
    """An attempt in the trial's folder on this node, seen from outside: its name stands in the list of processes, its numbers among Ray's metrics."""
    name = title(job.space, trial)
    gauges = (
        {key: Gauge(f"study_{key}", f"{key} of a running trial", tag_keys=TAGS) for key in GAUGES}
        if writes
        else {}
    )
    tags = dict(
        zip(TAGS, (job.space, trial.arm, trial.stage, str(trial.seed), trial.id), strict=True)
    )
    show(name)
    folder = job.files.open(trial.id, writes)
    steps = attempt(job.task, trial, folder, job.commit, writes=writes)
    while True:
        try:
            row = next(steps)
        except StopIteration as end:
            if writes:
                job.files.keep(trial.id, folder)
            return end.value
        if writes:
            job.files.keep(trial.id, folder)
        for key, gauge in gauges.items():
            if isinstance(row.get(key), int | float):
                gauge.set(float(row[key]), tags)
        yield row
        show(name)  # Ray sets its own with every call


def run_train(config: dict[str, Any], job: Job) -> None:
    """A Tune trainable: the trial as a Ray Train run of several data-parallel workers.

    Train itself retries nothing, else its retries and the study's would multiply: a lost worker ends the attempt, and the study begins
    another one, which goes on from the last epoch.
    """
    from ray import train
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    from study.runner.process_group import group_of

    trial = Trial(**json.loads(config["trial"]))
    asked = {"CPU": job.cores, **({"GPU": job.gpus} if job.gpus else {})}
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"trial": config["trial"], "job": job},
        torch_config=group_of(job.gpus > 0, job.alone),
        scaling_config=train.ScalingConfig(
            num_workers=job.workers, use_gpu=bool(job.gpus), resources_per_worker=asked
        ),
        run_config=train.RunConfig(
            name=title(job.space, trial),
            storage_path=str(job.files.scratch("train")),
            callbacks=[TuneReportCallback()],  # type: ignore[list-item]
            failure_config=train.FailureConfig(max_failures=0, controller_failure_limit=2),  # type: ignore[call-arg]
            logging_config=train.LoggingConfig(log_level="ERROR"),
        ),
    )
    try:
        trainer.fit()
    except train.WorkerGroupError as problem:
        if said := failure_of(list(problem.worker_failures.values())):
            tune.report(closing(record_of_run(trial, "failed", job.commit, error=said)))
        else:
            raise


def failure_of(failures: list[Exception]) -> str:
    """What the trial failed of; empty where a worker was lost, since the others then fail of that."""
    own = [
        failure
        for failure in failures
        if TrialFailed.__name__ in f"{type(failure).__name__} {failure}"
    ]
    return str(own[0])[-2000:] if own and len(own) == len(failures) else ""


def train_worker(config: dict[str, Any]) -> None:
    """One data-parallel worker; the first one's numbers and record count."""
    from ray import train

    job: Job = config["job"]
    hide_gpus(job)
    first = train.get_context().get_world_rank() == 0
    trial = Trial(**json.loads(config["trial"]))
    steps = attempted(job, trial, writes=first)
    while True:
        try:
            train.report(shown(next(steps)))
        except StopIteration as end:
            if end.value.status == "failed":
                raise TrialFailed(end.value.error) from None
            train.report(closing(end.value))
            return


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """An epoch's numbers as Tune takes them, and all of them as JSON."""
    return {
        "row": json.dumps(row),
        **{name: value for name, value in row.items() if isinstance(value, int | float)},
    }


def closing(record: Record) -> dict[str, Any]:
    """The last report: the result's numbers, and the record as JSON, since Tune flattens anything else."""
    values = asdict(record)
    values.pop("extra")
    numbers = {
        name: value for name, value in record.result.items() if isinstance(value, int | float)
    }
    return {
        "loss": record.curve[-1]["loss"] if record.curve else float("nan"),
        **numbers,
        "outcome": json.dumps(values),
    }
