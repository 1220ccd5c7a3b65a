"""Trackers of other makers: one that fails falls silent, one that is missing is named before anything starts."""

import json
from dataclasses import asdict

import pytest

from study.design.stages import due_trials
from study.errors import StudyError
from study.runner.cluster import Cluster
from study.runner.trackers import GuardedTracker, make_mlflow, make_trackers


class Broken:
    def __init__(self):
        self.calls = 0

    def on_trial_result(self, iteration, trials, trial, result):
        self.calls += 1
        raise ConnectionError("no route to the tracker")


def test_a_tracker_that_fails_is_told_no_more_and_ends_nothing(capsys):
    inner = Broken()
    tracker = GuardedTracker("MLflow", inner)
    for _ in range(2):
        tracker.on_trial_result(iteration=1, trials=[], trial=None, result={})
    assert inner.calls == 1
    assert (
        capsys.readouterr().err == "MLflow failed and gets nothing more: no route to the tracker\n"
    )


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_named_with_the_way_to_it(tmp_path, monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(
        StudyError,
        match=rf"--{name} needs {name}, which is not installed: pip install \"moco-study\[{name}\]\"",
    ):
        make_trackers(Cluster(**{name: "x"}), "toy", tmp_path)


def test_without_a_wish_there_is_none(tmp_path):
    assert make_trackers(Cluster(), "toy", tmp_path) == []


class TuneTrial:
    """What a tracker reads of a trial of Tune."""

    def __init__(self, config, trial_id):
        self.config, self.trial_id = config, trial_id


@pytest.mark.filterwarnings("ignore")  # of MLflow and SQLAlchemy
def test_a_run_s_fields_are_mlflow_s_parameters(toy, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    trial = next(iter(due_trials(toy.plan(), {})))
    run = TuneTrial({"trial": json.dumps(asdict(trial))}, trial.id)
    tracker = GuardedTracker("MLflow", make_mlflow(uri, "toy"))
    tracker.setup()
    whole = dict(run.config)
    tracker.on_trial_start(1, [run], run)
    assert tracker.tracker is not None
    assert run.config == whole
    mlflow.set_tracking_uri(uri)
    client = mlflow.tracking.MlflowClient(uri)
    experiment = client.get_experiment_by_name("toy").experiment_id
    params = client.search_runs([experiment])[0].data.params
    assert {"stage", "arm", "lr", "colour", "seed"} <= set(params)
    assert (params["arm"], params["lr"]) == (trial.arm, str(trial.config["lr"]))
