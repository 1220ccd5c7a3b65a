"""What goes wrong around a study ends in a sentence, keeps all records, and the same command goes on when the cause is gone."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import wait_for

from study.design.record import final_records
from study.store.ledger import read_records

ROOT = Path(__file__).parents[2]


def start(folder, data, *more, **variables):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    words = [
        sys.executable,
        str(Path(__file__).with_name("run_small.py")),
        str(folder),
        "--data-dir",
        str(data),
        *more,
    ]
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process, seconds=200):
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, output


def kill_a_trial(process):
    """Kills a process of the study that runs a trial; whether there was one."""
    return signal_a_trial(signal.SIGKILL) is not None


def signal_a_trial(number):
    """Sends a signal to a process of the study that runs a trial, whose name is its title; its number."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if (
                place.read_text().startswith("ray::optimizers ")
                and str(ROOT).encode() in (place.parent / "environ").read_bytes()
            ):
                os.kill(int(place.parent.name), number)
                return int(place.parent.name)
        except OSError:
            continue
    return None


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of 40 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40M", "tmpfs", str(place)], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.faults
def test_a_disk_that_fills_and_then_turns_read_only_keeps_the_records_and_the_study_goes_on(
    small_disk, tmp_path
):
    folder = small_disk / "results"
    process = start(folder, tmp_path / "data")
    wait_for(lambda: len(read_records(folder)) >= 2, process)
    with open(small_disk / "ballast", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 4096)
    code, output = end(process)
    assert code == 2, output
    assert output.strip().splitlines()[-1].startswith("run_study.py: "), output
    assert "Traceback" not in output
    assert "No space left" in output or "disk is full" in output
    kept = final_records(read_records(folder))
    assert len(kept) >= 2
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code, output = end(start(folder, tmp_path / "data"))
    assert code == 2, output
    assert "must be a folder that can be written" in output
    subprocess.run(["mount", "-o", "remount,rw,size=400M", str(small_disk)], check=True)
    (small_disk / "ballast").unlink()
    code, output = end(start(folder, tmp_path / "data"))
    assert code == 0, output
    done = final_records(read_records(folder))
    assert {id: done[id] for id in kept} == kept


@pytest.mark.faults
def test_a_dataset_that_is_deleted_in_the_middle_ends_trials_in_a_sentence_and_comes_back_with_the_same_command(
    tmp_path,
):
    """Processes that have it go on; one of them is killed here, so that a new one looks for it."""
    folder, data = tmp_path / "results", tmp_path / "data"
    process = start(folder, data)
    wait_for(lambda: len(read_records(folder)) >= 2, process)
    kept = final_records(read_records(folder))
    shutil.rmtree(data)
    wait_for(lambda: kill_a_trial(process), process)
    code, output = end(process)
    assert code in (1, 2), output
    assert "Traceback" not in output
    assert "No such file" in output
    assert final_records(read_records(folder)).items() >= kept.items()
    code, output = end(start(folder, data))
    assert code == 0, output


@pytest.mark.faults
def test_a_trial_whose_process_is_stopped_for_a_while_goes_on(tmp_path):
    """As by a laptop that sleeps, or a debugger."""
    folder = tmp_path / "results"
    process = start(folder, tmp_path / "data")
    stopped = wait_for(lambda: signal_a_trial(signal.SIGSTOP), process)
    time.sleep(20)
    os.kill(stopped, signal.SIGCONT)
    code, output = end(process)
    assert code == 0, output
    assert {record.status for record in read_records(folder)} == {"finished"}


@pytest.mark.faults
def test_a_trial_that_asks_for_more_memory_than_there_is_is_refused_in_a_sentence(tmp_path):
    words = ["--set", "queue_size=16777216", "--set", "projection_size=65536"]
    code, output = end(start(tmp_path / "results", tmp_path / "data", *words))
    assert code == 2, output
    assert "allocate" in output.splitlines()[-1]
    assert "Traceback" not in output


@pytest.mark.faults
def test_processes_that_are_killed_for_want_of_memory_end_as_failed_trials_in_a_sentence(tmp_path):
    """Ray kills a process when this share of the machine's memory is used; almost none makes it kill all."""
    folder = tmp_path / "results"
    code, output = end(
        start(
            folder,
            tmp_path / "data",
            RAY_memory_usage_threshold="0.01",
            RAY_memory_monitor_refresh_ms="100",
        ),
        280,
    )
    assert code in (1, 2), output
    assert "Traceback" not in output
    assert "lost its process and goes on" in output
    failed = [record for record in read_records(folder) if record.status == "failed"]
    assert all("fewer trials at once" in record.error for record in failed)
