"""The example of a question of one's own, run as its reader would: from a file outside the clone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "my_space.py"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a copy of the example."""
    shutil.copy(EXAMPLE, tmp_path)
    return tmp_path


def start(folder, *words):
    command = [sys.executable, str(ROOT / "run_study.py"), "--space", "./my_space.py", *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(folder, *words):
    process = start(folder, *words)
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def records_of(file):
    lines = file.read_text().splitlines() if file.exists() else []
    return {record["trial"]: record for record in map(json.loads, lines)}


def numbers_of(record):
    return record["config"], record["curve"], record["result"], record["status"]


@pytest.mark.slow
def test_it_is_killed_and_resumed_to_its_page_and_its_trials_run_elsewhere(elsewhere):
    file = elsewhere / "results" / "momentum-quick" / "records.jsonl"
    process = start(elsewhere, "--set", "epochs=60")
    deadline = time.monotonic() + 120
    while len(records_of(file)) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    killed = records_of(file)
    assert len(killed) >= 5
    code, output = finish(elsewhere, "--set", "epochs=60")
    assert code == 0, output
    page = (file.parent / "report.html").read_text()
    assert "Does momentum help gradient descent" in page
    whole = records_of(file)
    assert killed.items() <= whole.items()
    assert not [record for record in whole.values() if record["status"] == "failed"]

    code, output = finish(elsewhere, "--set", "epochs=60", "--plan", "--out", "shared")
    assert code == 0, output
    words = ("--trials", "shared/trials.jsonl", "--records", "more.jsonl", "--at-once", "2")
    code, output = finish(elsewhere, *words)
    assert code == 0, output
    more = records_of(elsewhere / "more.jsonl")
    assert len(more) == 6 * 4 * 2 + 2  # the searches; later stages follow from them
    assert all(numbers_of(record) == numbers_of(whole[id]) for id, record in more.items())


def test_its_training_function_is_short_and_knows_no_torch():
    source = EXAMPLE.read_text()
    function = source[source.index("def train(") : source.index("RATES =")]
    assert len(function.strip().splitlines()) <= 30
    assert "torch" not in function
    assert "import torch" not in source
