"""What the engine adds to a study's trials: the wall time of the quick study against the seconds of
its trials.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rounds import ROOT
from benchmarks.table import Table
from moco.device import gpu_count
from study.store.environment import cores


def run() -> list[Table]:
    """Runs the study in a fresh folder."""
    with tempfile.TemporaryDirectory() as name:
        words = [
            "--space",
            "optimizers",
            "--profile",
            "quick",
            "--out",
            f"{name}/study",
            "--data-dir",
            f"{name}/data",
            *(["--gpus", "1"] if gpu_count() else []),
        ]
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "run_study.py", *words],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        wall = time.perf_counter() - started
        records = [
            json.loads(line)
            for line in (Path(name) / "study" / "records.jsonl").read_text().splitlines()
        ]
    busy = sum(record["seconds"] for record in records)
    at_once = min(cores(), gpu_count()) if gpu_count() else cores()
    allowed = 1.25 * busy / at_once + 10
    rows = [
        [
            str(len(records)),
            f"{busy:,.0f}",
            str(at_once),
            f"{wall:,.0f}",
            f"{wall / (busy / at_once):.2f}",
            f"{allowed:,.0f}",
        ]
    ]
    head = ["trials", "their seconds", "at once", "wall, s", "wall / (seconds / at once)", "aim, s"]
    return [
        Table(
            "The quick study",
            head,
            rows,
            "From the command to the page, imports and Ray's start included. Aim: 1.25 (seconds "
            "/ at once) + 10 s.",
        )
    ]
