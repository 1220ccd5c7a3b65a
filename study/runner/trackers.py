"""Trackers of other makers, through Ray's own callbacks: MLflow and Weights & Biases."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from study.design.trial import Trial
from study.errors import StudyError, first_line
from study.runner.cluster import Cluster
from study.runner.ray_patches import DriverOnly


def forward(hook: str) -> Callable[..., None]:
    """A method that passes one of Tune's calls on to the tracker inside."""

    def method(self: "GuardedTracker", *values: Any, **named: Any) -> None:
        self.call(hook, *values, **named)

    return method


class GuardedTracker(DriverOnly, tune.Callback):
    """A tracker that is dropped when it fails: Tune would end the study."""

    def __init__(self, name: str, tracker: Any) -> None:
        self.name, self.tracker = name, tracker

    def call(self, hook: str, *values: Any, **named: Any) -> None:
        """Call a method of the tracker."""
        if self.tracker is None:
            return
        try:
            getattr(self.tracker, hook)(*values, **named)
        except Exception as problem:  # whatever a tracker raises
            self.tracker = None
            print(
                f"{self.name} failed and gets nothing more: {first_line(problem)}",
                file=sys.stderr,
            )

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Pass on the start of a trial with its fields as parameters, not with a text of them."""
        whole = trial.config
        trial.config = tracked_fields(whole)
        try:
            self.call("on_trial_start", iteration, trials, trial, **info)
        finally:
            trial.config = whole

    setup = forward("setup")
    on_trial_result = forward("on_trial_result")
    on_trial_complete = forward("on_trial_complete")
    on_trial_error = forward("on_trial_error")
    on_experiment_end = forward("on_experiment_end")


def tracked_fields(config: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Tune trial's run, with its stage and arm."""
    trial = Trial(**json.loads(config["trial"]))
    return {"stage": trial.stage, "arm": trial.arm, **trial.config, "seed": trial.seed}


def make_trackers(cluster: Cluster, space: str, folder: Path) -> list[tune.Callback]:
    """The trackers that the command names; their files on this machine are in the study's folder.

    Raises:
        StudyError: one is not installed.
    """
    for name in ("mlflow", "wandb"):
        if getattr(cluster, name) and importlib.util.find_spec(name) is None:
            raise StudyError(
                f'--{name} needs {name}, which is not installed: pip install "moco-study[{name}]"'
            )
    trackers: list[tune.Callback] = []
    if cluster.mlflow:
        trackers.append(GuardedTracker("MLflow", make_mlflow(cluster.mlflow, space)))
    if cluster.wandb:
        wandb = make_wandb(cluster.wandb, space, folder)
        trackers.append(GuardedTracker("Weights & Biases", wandb))
    return trackers


def make_mlflow(uri: str, space: str) -> Any:
    """Ray's callback for MLflow."""
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    if uri.startswith("file:"):
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    return MLflowLoggerCallback(tracking_uri=uri, experiment_name=space)


def make_wandb(project: str, space: str, folder: Path) -> Any:
    """Ray's callback for Weights & Biases."""
    from ray.air.integrations.wandb import WandbLoggerCallback

    hidden: Any = {"dir": str(folder)}  # goes on to wandb.init
    return WandbLoggerCallback(
        project=project, group=space, excludes=["outcome", "row", "trial"], **hidden
    )
