"""From records to tables and page: seconds and memory of `run_study.py --report`, by the number of
trials.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.growth import growth
from benchmarks.rounds import ROOT
from benchmarks.table import Table
from search_spaces.optimizers import SPACE
from study.design.facts import DataFacts, Prepared
from study.design.make_plan import make_plan
from study.design.plan import Plan
from study.design.record import Record
from study.design.space import Profile
from study.design.stages import due_trials, expected_trials
from study.design.trial import Trial
from study.search.quasi_random import sobol_points
from study.store.study_file import About, fix_plan

COUNTS = (10, 100, 1_000, 10_000)
LONG = (1_000, 200)  # trials and epochs that must become a report in LIMIT
LIMIT = (10.0, 500.0)  # seconds, MB


REPORT = """
import sys, run_study, benchmarks.memory
code = run_study.main(["--report", "--out", sys.argv[1]])
print(benchmarks.memory.peak())
sys.exit(code)
"""


DATA = DataFacts(
    fingerprint="0" * 64,
    name="digits",
    title="made up",
    bundled=True,
    classes=tuple("0123456789"),
    counts={"train": 1000, "validation": 200, "test": 300},
    chance={"loss": 4.9, "probe_accuracy": 0.1},
    about=(("Data", "made up", ""),),
    provenance=(("Views", "digits"),),
)
ABOUT = About(command=[], folder="made-up", versions={}, commit="", created="")


class Cost(NamedTuple):
    """One run of the command."""

    seconds: float
    megabytes: float  # the most that it held
    page: float  # MB


def run() -> list[Table]:
    """The two tables."""
    costs = [cost_of(count, 20) for count in COUNTS]
    rows = [
        [f"{count:,}", f"{c.seconds:.1f}", f"{c.megabytes:,.0f}", f"{c.page:.1f}"]
        for count, c in zip(COUNTS, costs, strict=True)
    ]
    named = (
        growth(COUNTS[1:], [c.seconds for c in costs[1:]]),
        growth(COUNTS[1:], [c.megabytes for c in costs[1:]]),
    )
    long = cost_of(*LONG)
    last = [
        f"{LONG[0]:,} of {LONG[1]} epochs",
        f"{long.seconds:.1f}",
        f"{long.megabytes:,.0f}",
        f"{long.page:.1f}",
    ]
    note = (
        f"Between the largest two, seconds grow {named[0]} and memory {named[1]}. Aim for the last "
        f"row: {LIMIT[0]:.0f} s and {LIMIT[1]:.0f} MB."
    )
    return [
        Table(
            "Records to report (20 epochs a trial)",
            ["trials", "seconds", "MB", "page, MB"],
            [*rows, last],
            note,
        )
    ]


def cost_of(count: int, epochs: int) -> Cost:
    """`run_study.py --report` in a process of its own, over so many made-up records."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = plan_of(count)
        fix_plan(folder, plan, ABOUT)
        with open(folder / "records.jsonl", "w") as file:
            for record in records(plan, count, epochs):
                file.write(json.dumps(record.to_dict()) + "\n")
        started = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", REPORT, name],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        seconds = time.perf_counter() - started
        return Cost(seconds, float(told.split()[-1]), (folder / "report.html").stat().st_size / 1e6)


def plan_of(count: int) -> Plan:
    """A plan of the optimizers whose searches are long enough for so many trials."""
    quick = SPACE.profiles["quick"]
    searches = len(SPACE.arms) * quick.searches
    others = sum(expected_trials(plan_with(quick)).values()) - searches * quick.search_trials
    trials = max(quick.search_trials, (count - others) // searches)
    return plan_with(replace(quick, search_trials=trials))


def plan_with(sizes: Profile) -> Plan:
    """The plan at these sizes, over data that do not exist."""
    return make_plan(
        space=SPACE,
        profile="quick",
        sizes=sizes,
        overrides={},
        prepared=Prepared(DATA, fields={"dataset": DATA.name}),
        propose=sobol_points,
    )


def records(plan: Plan, count: int, epochs: int) -> list[Record]:
    """The first so many records that the plan asks for, stage after stage."""
    done: dict[str, Record] = {}
    while len(done) < count and (
        open_trials := [trial for trial in due_trials(plan, done) if trial.id not in done]
    ):
        for trial in open_trials[: count - len(done)]:
            done[trial.id] = record_of(trial, epochs)
    return list(done.values())


def record_of(trial: Trial, epochs: int) -> Record:
    """A record with a falling loss and an accuracy that depends on rate and seed."""
    off = abs(math.log10(trial.config["lr"] / 0.01)) + (trial.seed * 37 % 11) / 50
    curve: list[dict[str, Any]] = [
        {
            "epoch": k, "step": k * 17, "loss": 5 / (1 + 0.1 * k) + off / 7,
            "lr": trial.config["lr"] * (1 - k / (epochs + 1)), "chance_loss": 4.8598,
            "contrastive_accuracy": 0.4 + k / 1e4, "alignment": 0.3 + off / 70,
            "uniformity": -3.2 - off / 7, "projection_std": 0.9137,
            "projection_rank": 51.2 - off, "queue_fill": 1.0, "queue_age": 2.0,
            "key_drift": 0.065 + off / 700, "gradient_norm": 1.23 + off / 7,
            "key_momentum": 0.99, "images_per_second": 2345.6 + k, "seconds": 0.4321 + off / 700,
            "knn_accuracy": 0.9 - off / 10 if k % 5 == 0 else None, "knn_projection_accuracy": None,
        }
        for k in range(1, epochs + 1)
    ]  # fmt: skip
    result = {
        "loss": curve[-1]["loss"], "probe_accuracy": 0.92 - off / 10,
        "knn_accuracy": 0.9 - off / 10, "effective_rank": 20.0 - off,
        "probe_lr": 1.0, "probe_at_edge": False, "probe_validation_accuracy": 0.92,
        "device": "made up", "precision": "float32", "remarks": [],
    }  # fmt: skip
    made = asdict(trial) | {
        "status": "finished",
        "curve": curve,
        "result": result,
        "error": "",
        "seconds": 9.0,
        "device": "made up",
    }
    return Record(
        **{"trial": made.pop("id"), **made},
        versions={"torch": "0"},
        commit="",
        started="",
        ended="2026-01-01T00:00:00Z",
    )
