"""Trackers of other makers: one that fails falls silent, one that is missing is named before anything starts."""

import pytest

from study.errors import StudyError
from study.runner.cluster import Cluster
from study.runner.trackers import GuardedTracker, make_trackers


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
