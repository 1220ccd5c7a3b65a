"""When the interval of a comparison covers the test items, and when it is of these items alone."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from toy import SPACE, plan

from study.analysis.arm_records import ArmRecords
from study.analysis.comparison import ArmStage, compare
from study.design.space import Metric
from study.design.stages import due_trials
from study.execution.run_trial import make_record

METRIC = Metric("score", "score", "points", 100.0, True, 0.5, correct="correct")
PLAN = plan(space=replace(SPACE, metrics=(METRIC, *SPACE.metrics[1:])))
ITEMS = 40


def text(correct):
    return f"{len(correct)}:{base64.b64encode(np.packbits(correct).tobytes()).decode()}"


def results(change=lambda seed, result: result, items=ITEMS):
    """The final runs of blue and red on made-up items; `change` alters those of red."""
    draws, records = np.random.default_rng(0), {}
    while missing := [one for one in due_trials(PLAN, records) if one.id not in records]:
        for trial in missing:
            correct = draws.random(items) < (0.8 if trial.arm == "blue" else 0.6)
            result = {"score": correct.mean(), "correct": text(correct), "loss": 1.0, "rank": 9.0}
            if trial.arm == "red":
                result = change(trial.seed, result)
            records[trial.id] = make_record(trial, "finished", "", result=result)
    return ArmRecords(PLAN, records.values())


def compared(found):
    return compare(found, ArmStage("blue", "final"), ArmStage("red", "final"), metric=METRIC)


def test_with_the_items_of_every_run_the_interval_covers_them():
    found = compared(results())
    assert found.items == ITEMS
    assert 0 <= found.item_share < 1
    assert found.low < found.mean < found.high


@pytest.mark.parametrize(
    "change",
    [
        lambda seed, result: {**result, "correct": None},
        lambda seed, result: {**result, "correct": "40:!"},
        lambda seed, result: {**result, "correct": result["correct"] if seed % 2 else ""},
        lambda seed, result: {**result, "correct": text(np.ones(ITEMS // 2, bool))},
        lambda seed, result: {**result, "score": result["score"] - 0.1},  # of other items
        lambda seed, result: {**result, "score": result["score"] + 0.1 * (-1) ** seed},
    ],
    ids=["none", "torn", "of some runs", "other items", "not the metric", "only in the mean"],
)
def test_otherwise_it_is_the_interval_over_the_runs(change):
    found = compared(results(change))
    half = (found.high - found.low) / 2
    assert found.items == 0
    assert found.mean == pytest.approx(found.low + half)


def test_one_item_has_no_variance_and_is_not_covered():
    assert compared(results(items=1)).items == 0
