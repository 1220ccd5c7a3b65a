"""Repeated searches: points, seeds and choices of their own, and the search as the unit that is compared."""

import math
import re
from dataclasses import replace

import pytest
import toy
from toy import run_all

from study.analysis.gates.claim_gates import seeds_gate
from study.analysis.gates.tuning import range_gate, tuning_gate
from study.analysis.results import Results
from study.analysis.summaries import seed_variance_share
from study.design.record import final_records
from study.design.stages import (
    chosen_point,
    due_trials,
    expected_trials,
    highest_point,
    make_trial,
    parabola_vertex,
)
from study.errors import StudyError
from study.execution.run_trial import make_record
from study.report.levels import untuned_words
from study.store.study_file import fix_plan

SIZES = {"searches": 6, "search_trials": 4, "confirm_points": 0, "confirm_seeds": 0}


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """The toy searched six times, two final seeds each, and run to its end."""
    plan = toy.plan(**SIZES, final_seeds=2)
    return plan, run_all(plan, toy.task, tmp_path_factory.mktemp("repeated"))


def test_each_search_has_points_and_seeds_of_its_own_the_same_for_all_arms(repeated):
    plan, records = repeated
    points = {}
    for record in records:
        if record.stage == "search":
            key = (plan.search_of(record.seed), record.arm)
            points.setdefault(key, []).append(record.point["lr"])
    assert len({tuple(found) for found in points.values()}) == 6
    for search in plan.searches:
        assert points[search, "red"] == points[search, "blue"] == points[search, "green"]
        assert len(points[search, "red"]) == 4


def test_no_seed_is_shared_by_two_searches_or_by_search_and_final_stage(repeated):
    plan, records = repeated
    seen = {}
    for record in records:
        seen.setdefault(record.seed, set()).add(
            record.stage if record.stage in ("final", "replica") else "search"
        )
    assert all(len(stages) == 1 for stages in seen.values())
    finals = [seed for search in plan.searches for seed in plan.final_seeds(search)]
    assert len(finals) == len(set(finals)) == 12
    assert [plan.search_of(seed) for seed in finals] == sorted([1, 2, 3, 4, 5, 6] * 2)


def test_as_many_trials_run_as_were_announced(repeated):
    plan, records = repeated
    expected = expected_trials(plan)
    for stage in ("replica", "search", "beside", "confirm", "final"):
        assert sum(record.stage == stage for record in records) == expected[stage], stage
    assert sum(record.stage == "added" for record in records) <= expected["added"]
    assert expected["confirm"] == 0


def test_the_final_runs_of_a_search_are_at_its_own_choice(repeated):
    plan, records = repeated
    done = final_records(records)
    for arm in plan.space.arms:
        for search in plan.searches:
            point = chosen_point(plan, arm, done, search)
            own = [r for r in records if r.stage == "final" and r.arm == arm.name]
            own = [r for r in own if plan.search_of(r.seed) == search]
            assert [r.point for r in own] == [point, point]


def test_a_search_that_goes_on_keeps_no_other_one_waiting(repeated):
    plan, records = repeated
    lost = next(r for r in records if r.stage == "search" and plan.search_of(r.seed) == 3)
    due = due_trials(plan, {r.trial: r for r in records if r.trial != lost.trial})
    finals = {plan.search_of(t.seed) for t in due if (t.stage, t.arm) == ("final", lost.arm)}
    assert finals == {1, 2, 4, 5, 6}


def test_the_unit_of_a_comparison_is_the_search(repeated):
    plan, records = repeated
    results = Results(plan, records)
    primary = results.verdict("primary")
    assert primary.result.seeds == (1, 2, 3, 4, 5, 6)
    metric = plan.space.primary
    runs = [r for r in records if (r.stage, r.arm) == ("final", "blue")]
    first = [r.result["score"] * 100 for r in runs if plan.search_of(r.seed) == 1]
    assert results.values("blue", "final", metric)[1] == pytest.approx(sum(first) / 2)
    assert seeds_gate(results, primary.claim).state == "passed"
    assert 0 <= seed_variance_share(results) <= 1


def test_a_search_without_one_of_its_final_runs_is_no_value_and_fails_the_gate(repeated):
    plan, records = repeated
    lost = next(r for r in records if (r.stage, r.arm) == ("final", "blue"))
    broken = replace(lost, result={**lost.result, "score": None})
    results = Results(plan, [broken if r is lost else r for r in records])
    assert 1 not in results.values("blue", "final", plan.space.primary)
    gate = seeds_gate(results, plan.space.claims[0])
    assert (gate.state, "one only" in gate.reason) == ("failed", True)


def test_a_number_that_both_arms_lack_fails_the_gate_too(repeated):
    plan, records = repeated
    seed = plan.final_seeds(1)[0]
    broken = [
        replace(r, result={**r.result, "score": None}) if r.seed == seed else r for r in records
    ]
    gate = seeds_gate(Results(plan, broken), plan.space.claims[0])
    assert (gate.state, gate.reason) == ("failed", "5 of 6 searches have the score in both arms")


def test_the_vertex_of_a_parabola():
    def height(x):
        return 5 - 3 * (x - 0.37) ** 2

    for x in ((0.0, 0.3, 1.1), (0.0, 0.5, 0.7)):
        assert parabola_vertex(x, [height(one) for one in x]) == pytest.approx(0.37)
    assert parabola_vertex([0.0, 1.0, 2.0], [4.0, 4.0, 4.0]) == 1.0


def trials_at(plan, rates):
    arm = plan.space.arm("red")
    return [make_trial(plan, "search", arm, 10_100, point={"lr": rate}) for rate in rates]


def outcomes(trials, scores):
    return {
        trial.id: make_record(
            trial, "finished" if score == score else "diverged", "", result={"score": score}
        )
        for trial, score in zip(trials, scores, strict=True)
    }


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.1, 0.8, 0.8, 0.1), (0.01, 0.1)),  # between the two that are level
        ((0.1, 0.5, 0.7, 0.9), (1.0, 1.0)),  # the outermost as it is
        ((0.1, 0.7, 0.8, math.nan), (0.1, 0.1)),  # no parabola through a run that diverged
    ],
)
def test_a_search_chooses_between_its_best_trial_and_its_neighbours(scores, expected):
    plan = toy.plan(**SIZES)
    trials = trials_at(plan, (0.001, 0.01, 0.1, 1.0))
    low, high = expected
    point = highest_point(plan, plan.space.arm("red"), trials, outcomes(trials, scores))
    assert low <= point["lr"] <= high
    assert highest_point(plan, plan.space.arm("red"), trials, {}) is None


def test_a_range_whose_end_is_chosen_by_many_searches_fails(repeated, tmp_path):
    plan, records = repeated
    claim = plan.space.claims[0]
    assert range_gate(Results(plan, records), claim).state == "passed"
    far = {"best": 30.0, "limit": 1e9}
    beyond = toy.plan(far, **SIZES, final_seeds=1, added_trials=1)
    gate = range_gate(Results(beyond, run_all(beyond, toy.task, tmp_path)), claim)
    assert (gate.state, "chose a point at an edge" in gate.reason) == ("failed", True)


def test_an_arm_that_was_better_untuned_is_suspect(repeated):
    plan, records = repeated
    claim = plan.space.claims[0]
    results = Results(plan, records)
    gate = tuning_gate(results, claim)
    assert gate.state == "passed"
    assert re.search(
        r"own runs at .*: Blue [+−][\d.]+ \[[+−][\d.]+, [+−][\d.]+\], Red", gate.reason
    )
    assert untuned_words(results, results.verdict("primary")) == ""
    lifted = [
        replace(r, result={**r.result, "score": 0.99 + r.seed / 1e4})
        if (r.stage, r.arm) == ("replica", "red")
        else r
        for r in records
    ]
    results = Results(plan, lifted)
    gate = tuning_gate(results, claim)
    assert gate.state == "failed"
    words = untuned_words(results, results.verdict("primary"))
    assert words.startswith(" Red untuned, at ")
    assert words.endswith(": better than tuned, beyond noise.")
    survivors = [
        replace(r, status="diverged", result={})
        if (r.stage, r.arm) == ("replica", "red") and r.seed > 2
        else r
        for r in lifted
    ]
    assert "Red" not in tuning_gate(Results(plan, survivors), claim).reason


def test_where_less_is_better_an_arm_that_was_better_untuned_ends_above_itself(repeated):
    plan, records = repeated
    less = replace(plan.space.primary, higher_is_better=False)
    plan = replace(plan, space=replace(plan.space, metrics=(less, *plan.space.metrics[1:])))
    lowered = [
        replace(r, result={**r.result, "score": -0.99 - r.seed / 1e4})
        if (r.stage, r.arm) == ("replica", "red")
        else replace(r, result={**r.result, "score": -r.result["score"]})
        for r in records
    ]
    gate = tuning_gate(Results(plan, lowered), plan.space.claims[0])
    assert re.search(r"Red tuned ends [\d.]+ points above its own runs at", gate.reason)
    assert gate.reason.startswith("suspect, under-tuned: Red tuned ends ")


def test_searches_may_be_added_but_a_single_search_never_becomes_several(tmp_path):
    first = toy.plan(**SIZES)
    fix_plan(tmp_path / "a", first, toy.about())
    more = fix_plan(tmp_path / "a", toy.plan(**{**SIZES, "searches": 8}), toy.about(), seen=True)
    assert (more.sizes.searches, more.interim_analyses) == (8, 2)
    fix_plan(tmp_path / "b", toy.plan(), toy.about())
    with pytest.raises(StudyError, match=r"sizes\.searches was 1 and is now 6"):
        fix_plan(tmp_path / "b", first, toy.about())


def test_more_searches_leave_the_trials_of_the_first_as_they_are():
    few, many = (
        {t.id for t in due_trials(toy.plan(**{**SIZES, "searches": n}), {})} for n in (6, 8)
    )
    assert few < many
