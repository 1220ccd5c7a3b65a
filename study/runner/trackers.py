"""Trackers of other makers, through Ray's own callbacks: MLflow and Weights & Biases."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from ray import tune

from study.errors import StudyError
from study.runner.cluster import Cluster, first_line

HOOKS = (
    "setup",
    "on_trial_start",
    "on_trial_result",
    "on_trial_complete",
    "on_trial_error",
    "on_experiment_end",
)


class Guarded(tune.Callback):
    """A tracker that falls silent when it fails: Tune would end the study."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name, self.inner = name, inner

    def call(self, hook: str, *values: Any, **named: Any) -> None:
        """What Tune tells, told on."""
        if self.inner is None:
            return
        try:
            getattr(self.inner, hook)(*values, **named)
        except Exception as problem:  # whatever a tracker raises
            self.inner = None
            print(
                f"{self.name} is told no more, since it failed: {first_line(problem)}",
                file=sys.stderr,
            )

    def __getstate__(self) -> dict[str, Any]:
        return {}


def hooked(hook: str) -> Any:
    """A method of Guarded that passes one of Tune's calls on."""

    def method(self: Guarded, *values: Any, **named: Any) -> None:
        self.call(hook, *values, **named)

    return method


for _hook in HOOKS:
    setattr(Guarded, _hook, hooked(_hook))


def trackers(cluster: Cluster, space: str, folder: Path) -> list[tune.Callback]:
    """Those that the command names; what they leave on this machine lies in the study's folder.

    Raises:
        StudyError: one is not installed.
    """
    for option, package in (("mlflow", "mlflow"), ("wandb", "wandb")):
        if getattr(cluster, option) and importlib.util.find_spec(package) is None:
            raise StudyError(
                f'--{option} needs {package}, which is not installed: pip install "moco-study[{package}]"'
            )
    found: list[tune.Callback] = []
    if cluster.mlflow:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        if cluster.mlflow.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        found.append(
            Guarded(
                "MLflow", MLflowLoggerCallback(tracking_uri=cluster.mlflow, experiment_name=space)
            )
        )
    if cluster.wandb:
        from ray.air.integrations.wandb import WandbLoggerCallback

        told: dict[str, Any] = {
            "project": cluster.wandb,
            "group": space,
            "excludes": ["outcome", "row", "trial"],
            "dir": str(folder),
        }
        found.append(Guarded("Weights & Biases", WandbLoggerCallback(**told)))
    return found
