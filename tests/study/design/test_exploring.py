"""A study whose one arm is searched adaptively: its stages, its gates, its page, and the engine that stops what lags."""

import json
import os
import signal
import subprocess
from collections import Counter

import pytest
import toy_run
from waiting import wait_for

from study.analysis.results import Results
from study.design.record import final_records
from study.design.stages import (
    chosen_point,
    due_trials,
    expected_trials,
    is_finished,
    make_trial,
    remaining_search_trials,
)
from study.execution.run_trial import run_trial
from study.report.page import write_report
from study.search.database import SearchDatabase
from study.search.quasi_random import sobol_points
from study.store.ledger import Ledger, read_records
from study.store.plan_json import plan_from_dict
from study.store.study_file import fix_plan


def run(plan, toy, folder):
    """What the runner does, one trial after the other, all points asked for before anything else."""
    folder.mkdir(exist_ok=True)
    fix_plan(folder, plan, toy.about(created="then"))
    ledger, database = Ledger(folder), SearchDatabase(folder, plan)
    arm = plan.space.arm("blue")
    while True:
        done = final_records(ledger.records)
        trial = next((trial for trial in due_trials(plan, done) if trial.id not in done), None)
        if remaining_search_trials(plan, done):
            trial = make_trial(plan, "search", arm, 0, point=database.adaptive.propose())
        if trial is None:
            break
        steps = run_trial(toy.task, trial, folder / "trials" / trial.id, "c0ffee")
        try:
            while True:
                next(steps)
        except StopIteration as end:
            ledger.append(end.value)
            database.add([end.value])
    database.close()
    ledger.close()
    return ledger.records


@pytest.fixture
def explored(toy, tmp_path):
    plan = toy.plan(explore=True)
    return plan, run(plan, toy, tmp_path / "study"), tmp_path / "study"


def test_the_plan_survives_json_and_its_stages_have_the_numbers_it_says(explored):
    plan, records, _ = explored
    again = plan_from_dict(json.loads(json.dumps(plan.to_dict())), sobol_points)
    assert again.to_dict() == plan.to_dict()
    assert again.space.explore == plan.space.explore
    counts = Counter(record.stage for record in records)
    assert counts == {stage: count for stage, count in expected_trials(plan).items() if count}
    assert counts == {"search": 12, "confirm": 4, "final": 14}
    assert is_finished(plan, final_records(records))
    assert records[0].point == {"mode": "high", "lr": 0.5}, "the known point came first"


def test_the_best_points_are_run_again_and_the_fixed_arm_at_its_own(explored):
    plan, records, _ = explored
    done = final_records(records)
    best = sorted((r for r in records if r.stage == "search"), key=lambda r: -r.metric("score"))[:2]
    assert {str(r.point) for r in records if r.stage == "confirm"} == {str(r.point) for r in best}
    assert {str(r.point) for r in records if (r.stage, r.arm) == ("final", "blue")} == {
        str(chosen_point(plan, plan.space.arm("blue"), done))
    }
    assert {r.config["lr"] for r in records if (r.stage, r.arm) == ("final", "red")} == {0.5}
    (verdict,) = Results(plan, records).verdicts
    assert verdict.label == "supported"
    assert [(gate.name, gate.state) for gate in verdict.gates] == [
        (name, "passed") for name in ("Search", "Seeds", "Splits", "Stability", "Task")
    ]


def test_until_the_search_has_its_budget_nothing_is_chosen_and_the_gate_says_so(explored, toy):
    _, records, _ = explored
    larger = toy.plan(explore=True, search_trials=13)
    done = final_records(records)
    assert remaining_search_trials(larger, done) == 1
    assert chosen_point(larger, larger.space.arm("blue"), done) is None
    (verdict,) = Results(larger, records).verdicts
    assert (
        next(gate for gate in verdict.gates if gate.name == "Search").reason
        == "12 of 13 trials searched, nothing chosen yet"
    )


def test_the_page_has_the_search_and_no_part_of_a_fair_comparison(explored):
    _, _, folder = explored
    page = write_report(folder).page.read_text()
    assert 'id="search"' in page
    assert "Trial by trial" in page
    for id in ("then", "rate", "fair", "budget", "loss"):
        assert f'<section id="{id}">' not in page
    assert "at the setting that the search found" in page
    assert "it needs 20 finished trials, and 12 finished" in page


@pytest.mark.slow
def test_the_engine_stops_what_lags_survives_a_kill_and_asks_for_nothing_twice(toy, tmp_path):
    folder, sizes, overrides = (
        tmp_path / "results",
        {"explore": True, "final_seeds": 2},
        {"sleep": 0.2},
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = toy_run.start(folder, sizes, overrides, {}, **pipes)
    wait_for(lambda: len(read_records(folder)) >= 4, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    process = toy_run.start(folder, sizes, overrides, {}, **pipes)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    records = read_records(folder)
    plan = toy.plan(overrides=overrides, **sizes)
    assert is_finished(plan, final_records(records))
    statuses = Counter(record.status for record in records if record.stage == "search")
    assert statuses["stopped"] > 0
    assert (
        sum(statuses.values())
        == 12
        == len({record.trial for record in records if record.stage == "search"})
    )
    assert {record.status for record in records if record.stage != "search"} == {"finished"}
    assert all(0 < len(record.curve) < 3 for record in records if record.status == "stopped")
    database = SearchDatabase(folder, plan)
    states = Counter(trial.state.name for trial in database.adaptive.study.trials)
    database.close()
    states.pop("FAIL", None)  # a proposal that the kill cut off
    assert states == {
        "COMPLETE": statuses["finished"],
        "PRUNED": statuses["stopped"] + statuses["diverged"],
    }
