"""Commands of the program as processes of their own, killed with all that they started and run again."""

import json
import os
import signal
import subprocess

from waiting import wait_for


def start(words, folder):
    """A command's process, in a process group of its own."""
    return subprocess.Popen(
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(words, folder, seconds=240):
    """The exit code and the output of a command."""
    process = start(words, folder)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        end(process)
        raise
    return process.returncode, output


def end(process):
    """Kill a command with all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def records_of(file):
    """The records of a file by trial, each as JSON has it; a line still being written is left out."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    whole = (json.loads(line) for line in lines if line.endswith("\n"))
    return {record["trial"]: record for record in whole}


def kill_and_resume(words, folder, records, after=3):
    """Run a study, kill it once some trials have ended, run it to its end; its output and records."""
    process = start(words, folder)
    try:
        wait_for(lambda: len(records_of(records)) >= after, process, seconds=150)
    finally:
        end(process)
    killed = records_of(records)
    code, output = finish(words, folder)
    assert code == 0, output
    whole = records_of(records)
    assert killed.items() <= whole.items()
    assert len(whole) > len(killed)
    assert not [record for record in whole.values() if record["status"] == "failed"]
    return output, whole
