"""The runner on a real Ray, with a toy in place of training: complete, resumable, and nothing lost or doubled by a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from study.errors import StudyError
from study.record import final_records, read_records
from study.runner import places
from study.stages import due

SCRIPT = Path(__file__).with_name("toy_run.py")
ROOT = SCRIPT.parents[2]


def start(folder, sizes, overrides):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{SCRIPT.parent}"}
    words = [sys.executable, str(SCRIPT), str(folder), json.dumps(sizes), json.dumps(overrides)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def whole(folder, sizes, overrides):
    process = start(folder, sizes, overrides)
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def check_complete(toy, folder, sizes, overrides):
    plan = toy.plan(overrides=overrides, **sizes)
    records = read_records(folder)
    done = final_records(records)
    assert [trial.id for trial in due(plan, done) if trial.id not in done] == []
    assert max(Counter(record.trial for record in records).values()) == 1
    assert all([row["epoch"] for row in record.curve] == [1, 2, 3] for record in records if record.status == "finished")


@pytest.mark.slow
def test_a_study_survives_kills_of_everything_and_a_gentle_interrupt(toy, tmp_path):
    sizes = {"search_trials": 3, "final_seeds": 2, "replica_seeds": 1, "confirm_seeds": 1}
    overrides = {"sleep": 0.1}
    folder = tmp_path / "results"
    for stop in (signal.SIGKILL, signal.SIGINT):
        before = len(read_records(folder))
        process = start(folder, sizes, overrides)
        deadline = time.monotonic() + 120
        while len(read_records(folder)) < before + 4 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, process.stdout.read()
        os.killpg(process.pid, stop)
        output, _ = process.communicate(timeout=60)
        assert len(read_records(folder)) >= before + 4, output
    code, output = whole(folder, sizes, overrides)
    assert code == 0, output
    check_complete(toy, folder, sizes, overrides)


@pytest.mark.slow
def test_a_trial_that_diverges_ends_as_diverged_and_the_study_completes(toy, tmp_path):
    sizes = {"search_trials": 2, "final_seeds": 1, "replica_seeds": 1, "confirm_seeds": 1, "confirm_points": 1, "added_trials": 0}
    overrides = {"limit": 0.4}  # the replica's rate and the default lie above it
    code, output = whole(tmp_path / "results", sizes, overrides)
    assert code == 0, output
    check_complete(toy, tmp_path / "results", sizes, overrides)
    statuses = Counter((record.stage, record.status) for record in read_records(tmp_path / "results"))
    assert statuses["replica", "diverged"] == 2
    assert statuses["beside", "diverged"] == 5
    assert "diverged" in output


@pytest.mark.slow
def test_a_trial_that_fails_is_tried_twice_then_left_and_shown(tmp_path):
    sizes = {"search_trials": 1, "final_seeds": 1, "replica_seeds": 1, "confirm_seeds": 1, "confirm_points": 1}
    code, output = whole(tmp_path / "results", sizes, {"epochs": 0})  # the toy then has no loss to return
    assert code == 0, output
    records = read_records(tmp_path / "results")
    assert {record.status for record in records} == {"failed"}
    assert set(Counter(record.trial for record in records).values()) == {2}
    assert "loss" in records[0].error


@pytest.mark.slow
def test_two_workers_run_a_trial_under_ray_train_and_the_first_ones_numbers_are_recorded(tmp_path):
    folder = tmp_path / "results"
    process = start(folder, {"workers": 2}, {})
    deadline = time.monotonic() + 120
    while not read_records(folder) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    record = read_records(folder)[0]
    assert (record.status, [row["epoch"] for row in record.curve]) == ("finished", [1, 2, 3]), output


def test_trials_get_a_core_each_and_where_there_are_gpus_a_share_of_one():
    assert places({"CPU": 4.0}, 1, 1) == (4, {"cpu": 1, "gpu": 0})
    assert places({"CPU": 16.0, "GPU": 1.0}, 1, 1) == (1, {"cpu": 1, "gpu": 1})
    assert places({"CPU": 16.0, "GPU": 2.0}, 1, 4) == (8, {"cpu": 1, "gpu": 0.25})
    assert places({"CPU": 3.0, "GPU": 2.0}, 1, 4) == (3, {"cpu": 1, "gpu": 0.25})  # no more trials than cores
    assert places({"CPU": 4.0}, 2, 1)[0] == 2
    with pytest.raises(StudyError, match="needs 2 cores and GPUs; the cluster has 4 cores and 1 GPUs"):
        places({"CPU": 4.0, "GPU": 1.0}, 2, 1)
