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

from study.record import final_records, read_records
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
def test_diverged_trials_end_and_failing_ones_are_tried_twice_then_left(toy, tmp_path):
    sizes = {"search_trials": 2, "final_seeds": 1, "replica_seeds": 1, "confirm_seeds": 1, "confirm_points": 1}
    code, output = whole(tmp_path / "results", sizes, {"best": 1.0, "epochs": 0})
    assert code == 0, output
    records = read_records(tmp_path / "results")
    assert {record.status for record in records} == {"failed"}
    assert set(Counter(record.trial for record in records).values()) == {2}
    assert "loss" in records[0].error
