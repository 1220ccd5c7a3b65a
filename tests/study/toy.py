"""A toy study: two arms whose score depends on the learning rate alone, with seed noise.

Nothing is trained. The file is a search space of its own: run_study.py --space tests/study/toy.py.
"""

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from study.design.facts import DataFacts, Prepared
from study.design.functions.trainer import FunctionTrainer
from study.design.make_plan import make_plan
from study.design.ranges import By, Choice, LogRange
from study.design.record import final_records
from study.design.space import Arm, Claim, Explore, Metric, Profile, Replica, Space
from study.design.stages import due_trials
from study.design.words import EpochNumber, Words
from study.execution.run_trial import run_trial
from study.store.study_file import About

DEFAULTS = {
    "epochs": 3,
    "colour": "red",
    "lr": 0.1,
    "split": "test",
    "seed": 0,
    "gain": 3.0,
    "mode": "low",
    "sleep": 0.0,
    "best": 0.03,
    "limit": 0.95,
}
WORDS = Words(
    epochs="epochs",
    live=(EpochNumber("loss", "loss"), EpochNumber("progress", "progress, %", 100.0, 1)),
    alike={"precision": "precision"},
    packages=("numpy",),
)
DATA = DataFacts(
    fingerprint="f" * 64,
    name="none",
    title="no data",
    counts={"test": 1000},
    classes=("a", "b"),
    about=(("Data", "none", "at all"),),
)


def task(config, folder):
    """Yields made-up epochs; the best rate is `best`, blue is `gain` points better, rates above `limit` diverge.

    While the file that TOY_HOLD names is there, no epoch follows the first.
    """
    off = abs(math.log10(config["lr"] / config["best"]))
    noise = math.sin(7.0 * config["seed"] + 3.0 * len(config["colour"])) / 100
    gain = {"red": 0.0, "blue": config["gain"], "green": 0.2}[config["colour"]]
    score = 0.8 - 0.1 * off + noise + gain / 100
    for epoch in range(1, config["epochs"] + 1):
        time.sleep(config["sleep"])
        loss = math.nan if config["lr"] > config["limit"] else 2.0 / epoch + off - score
        yield {
            "epoch": epoch,
            "step": epoch * 4,
            "loss": loss,
            "seconds": 0.01,
            "lr": config["lr"],
            "progress": score,
        }
        while (hold := os.environ.get("TOY_HOLD")) and Path(hold).exists():
            time.sleep(0.05)
    return {"loss": loss, "score": score, "rank": 9.0, "device": "none", "precision": "none"}


@dataclass(frozen=True)
class Toy(FunctionTrainer):
    """The toy's trainer; it knows its data."""

    def prepare(self, request):
        return Prepared(DATA)


TRAINER = Toy(task, DEFAULTS, WORDS)

SPACE = Space(
    name="toy",
    question="Does blue beat red?",
    scientific="colour",
    rows="T1",
    reference="red",
    arms=(
        Arm("red", "Red", {"colour": "red"}, {"lr": LogRange(1e-3, 1.0)}, {"lr": 0.5}),
        Arm("blue", "Blue", {"colour": "blue"}, {"lr": LogRange(1e-3, 1.0)}, {"lr": 0.5}),
        Arm(
            "green",
            "Green <b>",
            {"colour": "green"},
            {"lr": LogRange(1e-3, 1.0)},
            {"lr": 0.5},
            in_report=False,
        ),
    ),
    fixed={"epochs": 3},
    stages={
        "replica": {"split": "test"},
        "search": {"split": "validation"},
        "confirm": {"split": "validation"},
        "final": {"split": "test"},
    },
    replica=Replica("T1", "red is outperformed", {"lr": 0.9}, "lr 0.9", ("Everything else.",)),
    metrics=(
        Metric("score", "score", "points", 100.0, True, 0.5),
        Metric("loss", "loss", "nats", 1.0, False, 0.1),
    ),
    collapse=("rank", 2.0),
    trainer=TRAINER,
    claims=(
        Claim("main", "blue", "red", "score", "final", "primary", "Blue scores higher than red"),
        Claim("published", "blue", "red", "loss", "replica", "published", "As published", seeds=1),
        Claim("replica", "blue", "red", "loss", "replica", "replica", "As published, with seeds"),
        Claim("loss", "blue", "red", "loss", "final", "secondary", "Blue has the lower loss"),
        Claim("green", "green", "red", "score", "final", "family", "Green scores higher than red"),
    ),
    profiles={
        "quick": Profile(
            "none",
            {},
            search_trials=5,
            added_trials=2,
            confirm_points=2,
            confirm_seeds=2,
            final_seeds=7,
            replica_seeds=6,
            note="a toy",
        )
    },
    threats=("It is a toy.",),
)
EXPLORING = replace(
    SPACE,
    arms=(
        Arm("red", "Red", {"colour": "red"}, {}, {"lr": 0.5}, in_report=False),
        Arm("blue", "Blue", {"colour": "blue"}, {}, {}, in_report=False),
    ),
    explore=Explore(
        "blue",
        {
            "mode": Choice(("low", "high")),
            "lr": By("mode", {"low": LogRange(1e-3, 0.1), "high": LogRange(0.1, 1.0)}),
        },
        (("score", True), ("seconds", False)),
        known=({"mode": "high", "lr": 0.5},),
        random=4,
        judge="progress",
        grace=0.3,
        reduction=2,
    ),
    claims=(
        Claim(
            "main",
            "blue",
            "red",
            "score",
            "final",
            "primary",
            "What was found scores higher than red",
        ),
    ),
    replica=Replica("", "", {}, "red", ()),
    stages={
        "search": {"split": "validation"},
        "confirm": {"split": "validation"},
        "final": {"split": "test"},
    },
    profiles={
        "quick": Profile(
            "none",
            {},
            search_trials=12,
            confirm_points=2,
            confirm_seeds=2,
            final_seeds=7,
            note="a toy",
        )
    },
)


def plan(overrides=None, workers=1, explore=False, space=None, data=DATA, **changes):
    """The toy's plan, with `changes` to its sizes."""
    from study.search.quasi_random import sobol_points  # Optuna, which a trial needs not

    space = space or (EXPLORING if explore else SPACE)
    sizes = replace(space.profiles["quick"], **changes)
    return make_plan(
        space=space,
        profile="quick",
        sizes=sizes,
        overrides=overrides or {},
        prepared=Prepared(data),
        propose=sobol_points,
        workers=workers,
    )


def about(**changes):
    """Where the toy's study comes from."""
    return About(command=[], folder="toy", versions={}, commit="", created="")._replace(**changes)


def run_all(plan, task, folder, limit=10_000):
    """What the runner does, one trial after the other; the records."""
    records = []
    for _ in range(limit):
        done = final_records(records)
        trial = next((trial for trial in due_trials(plan, done) if trial.id not in done), None)
        if trial is None:
            break
        steps = run_trial(task, trial, folder / "trials" / trial.id, "c0ffee")
        while True:
            try:
                next(steps)
            except StopIteration as end:
                records.append(end.value)
                break
    return records
