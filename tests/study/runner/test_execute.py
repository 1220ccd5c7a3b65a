"""The runner on a real Ray, with a toy in place of training: complete, resumable, and nothing lost or doubled by a kill."""

import os
import signal
import subprocess
import time
from collections import Counter

import pytest
import toy_run
from waiting import wait_for

from study.design.record import final_records
from study.design.stages import due_trials
from study.store.ledger import read_records


def start(folder, sizes, overrides, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return toy_run.start(folder, sizes, overrides, options, **pipes)


def run_to_end(folder, sizes, overrides, **options):
    process = start(folder, sizes, overrides, **options)
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def check_complete(toy, folder, sizes, overrides):
    plan = toy.plan(overrides=overrides, **sizes)
    records = read_records(folder)
    done = final_records(records)
    assert [trial.id for trial in due_trials(plan, done) if trial.id not in done] == []
    assert max(Counter(record.trial for record in records).values()) == 1
    assert all(
        [row["epoch"] for row in record.curve] == [1, 2, 3]
        for record in records
        if record.status == "finished"
    )


@pytest.mark.slow
def test_a_study_survives_kills_of_everything_and_a_gentle_interrupt(toy, tmp_path):
    sizes = {"search_trials": 3, "final_seeds": 2, "replica_seeds": 1, "confirm_seeds": 1}
    overrides = {"sleep": 0.1}
    folder = tmp_path / "results"
    for stop in (signal.SIGKILL, signal.SIGINT):
        before = len(read_records(folder))
        process = start(folder, sizes, overrides)
        wait_for(lambda: len(read_records(folder)) >= before + 4, process)  # noqa: B023
        os.killpg(process.pid, stop)
        output, _ = process.communicate(timeout=60)
        assert len(read_records(folder)) >= before + 4, output
        assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130), output
    assert "running trials reach the end of their epoch" in output
    code, output = run_to_end(folder, sizes, overrides)
    assert code == 0, output
    check_complete(toy, folder, sizes, overrides)


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.faults), signal.SIGTERM]
)
def test_the_first_signal_lets_running_epochs_end_and_the_second_does_not(tmp_path, number):
    folder, sizes = (
        tmp_path / "results",
        {"search_trials": 2, "final_seeds": 1, "replica_seeds": 1, "confirm_seeds": 1},
    )
    process = start(folder, sizes, {"sleep": 4.0, "epochs": 9})
    rows = folder / "trials"
    wait_for(lambda: len(list(rows.glob("*/metrics.jsonl"))) == 2, process)
    time.sleep(1.0)
    before = {
        path.parent.name: path.read_text().count("\n") for path in rows.glob("*/metrics.jsonl")
    }
    os.kill(process.pid, number)
    began = time.monotonic()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    after = {
        path.parent.name: path.read_text().count("\n") for path in rows.glob("*/metrics.jsonl")
    }
    assert after == {trial: count + 1 for trial, count in before.items()}, (
        "each running trial ended the epoch it was in, and began no other"
    )
    assert not read_records(folder)
    assert time.monotonic() - began < 30
    folder = tmp_path / "impatient"
    process = start(folder, sizes, {"sleep": 30.0})
    wait_for(lambda: list((folder / "trials").glob("*")), process)
    os.kill(process.pid, number)
    time.sleep(1.0)
    assert process.poll() is None
    os.kill(process.pid, number)
    process.communicate(timeout=20)
    assert process.returncode != 0


@pytest.mark.slow
def test_time_that_is_over_stops_a_study_after_the_running_epochs(tmp_path):
    code, output = run_to_end(
        tmp_path / "results", {"search_trials": 3}, {"sleep": 0.5}, hours=16 / 3600
    )
    assert code == 130, output
    assert len(read_records(tmp_path / "results")) < 28


@pytest.mark.slow
def test_a_trial_that_diverges_ends_as_diverged_and_the_study_completes(toy, tmp_path):
    sizes = {
        "search_trials": 2,
        "final_seeds": 1,
        "replica_seeds": 1,
        "confirm_seeds": 1,
        "confirm_points": 1,
        "added_trials": 0,
    }
    overrides = {"limit": 0.4}  # the replica's rate and the default lie above it
    code, output = run_to_end(tmp_path / "results", sizes, overrides)
    assert code == 0, output
    check_complete(toy, tmp_path / "results", sizes, overrides)
    statuses = Counter(
        (record.stage, record.status) for record in read_records(tmp_path / "results")
    )
    assert statuses["replica", "diverged"] == 2
    assert statuses["beside", "diverged"] == 5
    assert "diverged" in output


@pytest.mark.slow
def test_a_study_whose_trials_all_fail_tries_each_twice_stops_and_says_why(tmp_path):
    sizes = {
        "search_trials": 1,
        "final_seeds": 1,
        "replica_seeds": 1,
        "confirm_seeds": 1,
        "confirm_points": 1,
    }
    code, output = run_to_end(
        tmp_path / "results", sizes, {"epochs": 0}
    )  # the toy then has no loss to return
    assert code == 2, output
    records = read_records(tmp_path / "results")
    assert {record.status for record in records} == {"failed"}
    assert max(Counter(record.trial for record in records).values()) == 2
    assert "loss" in records[0].error
    assert "the study is stopped, since the last" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_two_workers_run_a_trial_under_ray_train_and_the_first_ones_numbers_are_recorded(tmp_path):
    folder = tmp_path / "results"
    process = start(folder, {"workers": 2}, {})
    wait_for(lambda: read_records(folder), process)
    os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    record = read_records(folder)[0]
    assert (record.status, [row["epoch"] for row in record.curve]) == ("finished", [1, 2, 3]), (
        output
    )
