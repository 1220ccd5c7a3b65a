"""The stages of a fair study: equal budgets, no shared seed, choices from validation only, one boundary extension."""

import math
from dataclasses import replace

import pytest
from toy import run_all

from study.design.ranges import LogRange
from study.design.record import final_records
from study.design.stages import (
    added_trials,
    chosen_point,
    current_records,
    due_trials,
    edge_side,
    expected_trials,
)


def test_every_arm_gets_the_same_points_seeds_and_budget(finished, toy):
    plan, records = finished
    counts = {}
    for record in records:
        counts.setdefault((record.stage, record.arm), []).append(record)
    for stage, count in (("search", 5), ("confirm", 4), ("final", 7)):
        assert [len(counts[stage, arm.name]) for arm in plan.space.arms] == [count] * 3
    assert len({tuple(r.seed for r in counts["final", arm.name]) for arm in plan.space.arms}) == 1
    points = {
        arm.name: [r.point["lr"] for r in counts["search", arm.name]] for arm in plan.space.arms
    }
    assert points["red"] == points["blue"] == points["green"]


def test_no_two_stages_share_a_seed_and_no_trial_is_named_twice(finished):
    plan, records = finished
    seeds = {
        stage: {r.seed for r in records if r.stage == stage}
        for stage in ("replica", "search", "confirm", "final")
    }
    for one in seeds:
        for other in seeds:
            assert one == other or not seeds[one] & seeds[other]
    ids = [trial.id for trial in due_trials(plan, final_records(records))]
    assert len(ids) == len(set(ids)) == len(records)


def test_later_stages_wait_for_earlier_ones_of_their_arm_only(toy, tmp_path):
    plan = toy.plan()
    assert {trial.stage for trial in due_trials(plan, {})} == {"replica", "search", "beside"}
    records = run_all(plan, toy.task, tmp_path)
    some_search = next(r for r in records if r.arm == "red" and r.stage == "search")
    without = {r.trial: r for r in records if r.trial != some_search.trial}
    stages = {(trial.stage, trial.arm) for trial in due_trials(plan, without)}
    assert ("confirm", "red") not in stages
    assert ("final", "red") not in stages
    assert ("final", "blue") in stages


def test_the_winner_is_chosen_by_the_mean_of_the_confirm_seeds(finished):
    plan, records = finished
    for arm in plan.space.arms:
        confirm = [r for r in records if r.arm == arm.name and r.stage == "confirm"]
        means = {}
        for r in confirm:
            means.setdefault(r.point["lr"], []).append(r.metric("score"))
        assert len(means) == 2
        assert chosen_point(plan, arm, final_records(records))["lr"] == max(
            means, key=lambda lr: sum(means[lr])
        )


def test_choices_come_from_validation_and_the_end_is_scored_on_test(finished):
    _, records = finished
    assert {
        r.config["split"] for r in records if r.stage in ("search", "added", "beside", "confirm")
    } == {"validation"}
    assert {r.config["split"] for r in records if r.stage in ("final", "replica")} == {"test"}


def test_a_best_point_at_the_edge_brings_points_beyond_it(toy, tmp_path):
    plan = toy.plan(overrides={"best": 1e-3})
    records = run_all(plan, toy.task, tmp_path)
    added = [r for r in records if r.stage == "added" and r.arm == "red"]
    assert len(added) == 2
    assert all(r.point["lr"] < 1e-3 for r in added)
    middle = toy.plan()
    assert not list(
        added_trials(
            middle,
            middle.space.arms[0],
            final_records(run_all(middle, toy.task, tmp_path / "middle")),
        )
    )


@pytest.mark.parametrize(
    ("best", "side"), [(0.0011, -1), (0.002, -1), (0.03, 0), (0.5, 1), (0.9, 1)]
)
def test_an_edge_is_a_tenth_of_the_decades_or_the_outermost_trial(best, side):
    assert (
        edge_side(
            LogRange(1e-3, 1.0), best, [0.002, 0.0011 if best == 0.0011 else 0.01, 0.03, 0.5, best]
        )
        == side
    )


def test_a_diverged_run_is_never_chosen_and_has_no_score(toy, tmp_path):
    plan = toy.plan(overrides={"best": 1.0})
    records = run_all(plan, toy.task, tmp_path)
    diverged = [r for r in records if r.status == "diverged"]
    assert diverged
    assert all(math.isnan(r.metric("score")) for r in diverged)
    chosen = chosen_point(plan, plan.space.arms[0], final_records(records))
    assert chosen["lr"] <= 0.95


def test_a_failed_run_is_due_again(finished):
    plan, records = finished
    broken = [replace(records[0], status="failed"), *records[1:]]
    done = final_records(broken)
    assert [trial.id for trial in due_trials(plan, done) if trial.id not in done] == [
        records[0].trial
    ]


def test_the_expected_numbers_are_those_that_run(finished):
    plan, records = finished
    expected = expected_trials(plan)
    for stage in ("replica", "search", "beside", "confirm", "final"):
        assert sum(r.stage == stage for r in records) == expected[stage]
    assert sum(r.stage == "added" for r in records) <= expected["added"]


def test_more_trials_and_seeds_keep_what_was_done_and_the_runs_of_a_point_no_longer_chosen_stand_aside(
    finished, toy
):
    _, records = finished
    done = final_records(records)
    more_seeds = toy.plan(final_seeds=9)
    missing = [trial for trial in due_trials(more_seeds, done) if trial.id not in done]
    assert {(trial.stage, trial.seed) for trial in missing} == {("final", 108), ("final", 109)}
    assert current_records(more_seeds, done) == done
    more_trials = toy.plan(search_trials=9)
    missing = [trial for trial in due_trials(more_trials, done) if trial.id not in done]
    assert {trial.stage for trial in missing} == {"search"}
    assert len(missing) == 12
    aside = {
        record.stage for id, record in done.items() if id not in current_records(more_trials, done)
    }
    assert aside == {"confirm", "final"}, "until the longer search has ended nothing is chosen"
