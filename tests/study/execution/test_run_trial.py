"""One attempt at a trial: however it ends, it ends as a record."""

import json
from dataclasses import replace

import numpy as np
import pytest

from study.design.record import parse_record
from study.design.stages import due_trials
from study.execution.offline import Offline, run_offline
from study.execution.run_trial import run_trial
from study.store.exchange import export_trials, read_trials
from study.store.ledger import read_records


def ended(task, toy, folder):
    """The record of a trial."""
    steps = run_trial(task, next(due_trials(toy.plan(), {})), folder / "t", "")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def returns(result):
    def task(config, folder):
        yield {"epoch": 1, "loss": 1.0}
        return result

    return task


def test_an_exception_ends_a_trial_as_failed_with_its_words(toy, tmp_path):
    def broken(config, folder):
        yield {"epoch": 1, "loss": 1.0}
        raise RuntimeError("the disk is full")

    record = ended(broken, toy, tmp_path)
    assert record.status == "failed"
    assert "the disk is full" in record.error
    assert (tmp_path / "t" / "metrics.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "a trainer must return a dict of results; got None"),
        ({"score": np.float32(0.5)}, "a trainer's result must be plain numbers and texts"),
    ],
    ids=["nothing", "a number of NumPy"],
)
def test_a_result_that_is_no_json_is_a_failure_of_the_trial(toy, tmp_path, result, words):
    record = ended(returns(result), toy, tmp_path)
    assert record.status == "failed"
    assert words in record.error


def test_a_result_beyond_every_use_diverged_and_its_record_can_be_read(toy, tmp_path):
    record = ended(returns({"score": 5e30}), toy, tmp_path)
    assert record.status == "diverged"
    assert record.result == {}
    assert parse_record(json.dumps(record.to_dict()), "here") == record


def test_a_trial_without_the_study_s_number_fails_without_ray_too(toy, tmp_path):
    export_trials(toy.plan(), {}, tmp_path)
    trials = read_trials(tmp_path / "trials.jsonl")[:1]

    def lacks(config, folder):
        yield {"epoch": 1, "loss": 1.0}
        return {"rank": 9.0}

    trainer = toy.Toy(lacks, toy.DEFAULTS, toy.WORDS)
    space = replace(toy.SPACE, trainer=trainer)
    options = Offline(tmp_path / "more.jsonl", None, tmp_path, None, 1, 1, "")
    assert run_offline(trials, space, options) == 1
    (record,) = read_records(tmp_path, "more.jsonl")
    assert record.status == "failed"
    assert "the result must hold score, a finite number; it is None" in record.error
