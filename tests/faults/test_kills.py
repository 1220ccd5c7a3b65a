"""A study that is killed again and again ends with the records of an undisturbed one, bit for bit, and repeats next to nothing.

FAULT_KILLS and FAULT_STUDY=whole make it larger: `make test-faults` kills the whole quick study ten times.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from waiting import wait_for

from study.design.record import final_records
from study.store.ledger import read_records

ROOT = Path(__file__).parents[2]
WHOLE = os.environ.get("FAULT_STUDY") == "whole"
KILLS = int(os.environ.get("FAULT_KILLS", "1"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
TIMES = ("seconds", "images_per_second")  # what differs between two runs of an epoch
SMALL = [str(Path(__file__).with_name("run_small.py"))]
COMMAND = (
    ["run_study.py", "--space", "optimizers", "--profile", "quick", "--out"] if WHOLE else SMALL
)


def start(folder, data, *more, command=COMMAND):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open(folder.with_suffix(".txt"), "a") as output:
        words = [sys.executable, *command, str(folder), "--data-dir", str(data), *more]
        return subprocess.Popen(
            words,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def told(folder):
    return folder.with_suffix(".txt").read_text()[-3000:]


def comparable(record):
    curve = [
        {name: value for name, value in row.items() if name not in TIMES} for row in record.curve
    ]
    return (
        record.stage,
        record.arm,
        record.seed,
        record.status,
        record.config,
        record.point,
        json.dumps(curve),
        json.dumps(record.result),
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_random_moments_change_nothing(tmp_path):
    calm, shaken, data = tmp_path / "calm", tmp_path / "shaken", tmp_path / "data"
    assert start(calm, data).wait() == 0, told(calm)
    moments = random.Random(SEED)
    kills = 0
    while True:
        process = start(shaken, data)
        try:
            patience = moments.uniform(4.0, 60.0 if WHOLE else 25.0) if kills < KILLS else None
            code = process.wait(patience)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert code == 0, told(shaken)
    assert kills == KILLS or not WHOLE, f"the study ended after {kills} kills"
    ours, theirs = (final_records(read_records(folder)) for folder in (shaken, calm))
    assert {id: comparable(record) for id, record in ours.items()} == {
        id: comparable(record) for id, record in theirs.items()
    }
    assert len(read_records(shaken)) == len(ours), "no trial ran to its end twice"
    repeated = 0
    for trial in (id for id, record in ours.items() if record.curve):  # a control may have none
        epochs = [
            json.loads(line)["epoch"]
            for line in (shaken / "trials" / trial / "metrics.jsonl").read_text().splitlines()
        ]
        assert sorted(set(epochs)) == list(range(1, max(epochs) + 1))
        repeated += len(epochs) - len(set(epochs))
    print(f"{len(ours)} trials, {kills} kills, {repeated} finished epochs trained again")
    assert repeated <= 2 * kills, "of the two running trials at most one epoch each, a kill"


@pytest.mark.faults
def test_a_worker_killed_in_a_trial_of_two_makes_it_go_on_from_its_checkpoint(tmp_path):
    """The reader of `ps` sees the workers by the trial's name."""
    folder, data = tmp_path / "pair", tmp_path / "data"
    process = start(folder, data, "--workers", "2", "--set", "epochs=40", command=SMALL)
    try:
        lines = wait_for(
            lambda: [
                path
                for path in folder.glob("trials/*/metrics.jsonl")
                if path.read_text().count("\n") >= 3
            ],
            process,
            partial(told, folder),
            seconds=150,
        )
        rows, trial = lines[0], lines[0].parent.name
        victim = wait_for(lambda: workers_of(trial), process, partial(told, folder))[-1]
        before, killed = rows.read_text().count("\n"), time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: rows.read_text().count("\n") > before + 1, process, partial(told, folder))
        print(f"the trial went on {time.monotonic() - killed:.1f} s after its worker was killed")
        wait_for(lambda: read_records(folder), process, partial(told, folder), seconds=150)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    record = read_records(folder)[0]
    assert (record.trial, record.status) == (trial, "finished")
    assert [row["epoch"] for row in record.curve] == list(range(1, 41))
    epochs = [json.loads(line)["epoch"] for line in rows.read_text().splitlines()]
    assert len(epochs) <= 41, "at most one epoch was trained again"


def workers_of(trial):
    """Both workers of a trial, or none while one of them is between two calls of Ray, which then names it."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if trial in place.read_text():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found if len(found) >= 2 else []
