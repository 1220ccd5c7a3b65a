"""What runs in a Ray actor: one attempt at a trial, in this process or under Ray Train."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from study.attempt import attempt, lost
from study.record import Record
from study.trial import Task, Trial


def run_here(config: dict[str, Any], task: Task, folder: str, commit: str) -> None:
    """A Tune trainable: the trial in this process, an epoch a report, the record with the last."""
    trial = Trial(**json.loads(config["trial"]))
    steps = attempt(task, trial, Path(folder) / trial.id, commit)
    while True:
        try:
            tune.report(shown(next(steps)))
        except StopIteration as end:
            tune.report(closing(end.value))
            return


def run_train(config: dict[str, Any], task: Task, folder: str, commit: str, workers: int, gpu: bool) -> None:
    """A Tune trainable: the trial as a Ray Train run of several data-parallel workers.

    A lost worker ends the attempt as failed; the study tries once more, and the task goes on from its last epoch. Train itself
    retries nothing, else the two layers' retries would multiply.
    """
    from ray import train
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    trial = Trial(**json.loads(config["trial"]))
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"trial": config["trial"], "task": task, "folder": folder, "commit": commit},
        scaling_config=train.ScalingConfig(num_workers=workers, use_gpu=gpu, resources_per_worker={"CPU": 1, **({"GPU": 1} if gpu else {})}),
        run_config=train.RunConfig(
            name="train",
            storage_path=str(Path(folder) / trial.id),
            callbacks=[TuneReportCallback()],  # type: ignore[list-item]
            failure_config=train.FailureConfig(max_failures=0, controller_failure_limit=2),  # type: ignore[call-arg]
            logging_config=train.LoggingConfig(log_level="ERROR"),
        ),
    )
    try:
        trainer.fit()
    except Exception as problem:  # the workers' exception, wrapped
        tune.report(closing(lost(trial, str(problem)[-2000:], commit)))


def train_worker(config: dict[str, Any]) -> None:
    """One data-parallel worker; the first one's numbers and record count."""
    from ray import train

    first = train.get_context().get_world_rank() == 0
    trial = Trial(**json.loads(config["trial"]))
    steps = attempt(config["task"], trial, Path(config["folder"]) / trial.id, config["commit"], writes=first)
    while True:
        try:
            train.report(shown(next(steps)))
        except StopIteration as end:
            if end.value.status == "failed":
                raise RuntimeError(end.value.error) from None
            train.report(closing(end.value))
            return


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """An epoch's numbers as Tune takes them."""
    return {name: value for name, value in row.items() if isinstance(value, int | float)}


def closing(record: Record) -> dict[str, Any]:
    """The last report: the record as JSON, since Tune flattens anything else."""
    values = asdict(record)
    values.pop("extra")
    return {"outcome": json.dumps(values), "loss": record.curve[-1]["loss"] if record.curve else float("nan")}
