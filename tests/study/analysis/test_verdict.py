"""Labels and gates: what may be quoted, and what no number can repair."""

import math
from dataclasses import replace

import numpy as np
import pytest
from toy import run_all

from study.analysis.gates.gate import Gate
from study.analysis.results import Results
from study.analysis.statistics import ArmDifference, paired
from study.analysis.verdict import LABELS, choose_label

PASSED = (Gate("Seeds", "passed", ""),)


def result(low, high, mean=None, n=8):
    mean = (low + high) / 2 if mean is None else mean
    return ArmDifference(tuple(range(n)), (mean,) * n, mean, low, high, 0.95, 0.01)


@pytest.mark.parametrize(
    ("low", "high", "p", "label"),
    [
        (0.3, 2.4, 0.01, "supported"),
        (0.3, 2.4, 0.06, "undecided"),
        (0.1, 0.7, 0.01, "small"),
        (-2.0, -0.1, 0.01, "contradicted"),
        (-0.4, 0.4, 0.9, "equivalent"),
        (-1.5, 0.4, 0.3, "nogain"),
        (-1.0, 1.5, 0.5, "undecided"),
    ],
)
def test_the_first_rule_that_fits_gives_the_label(low, high, p, label):
    assert choose_label(result(low, high), p, delta=0.5, gates=PASSED) == label
    assert label in LABELS


def test_a_failed_gate_or_a_single_pair_goes_before_every_number():
    failed, unknown = (Gate("Range", "failed", ""),), (Gate("Task", "unknown", ""),)
    assert choose_label(result(1, 2), 0.01, delta=0.5, gates=failed) == "untestable"
    single = paired({1: 2.0}, {1: 1.0})
    assert choose_label(single, math.nan, delta=0.5, gates=PASSED) == "untestable"
    assert choose_label(result(1, 2), 0.01, delta=0.5, gates=unknown) == "supported"


def labels(plan, records):
    return {verdict.claim.name: verdict.label for verdict in Results(plan, records).verdicts}


def verdict_on(plan, records, claim):
    return next(v for v in Results(plan, records).verdicts if v.claim.name == claim)


def gate(plan, records, claim, name):
    return next(g for g in verdict_on(plan, records, claim).gates if g.name == name)


def test_a_true_difference_is_supported_and_the_published_claim_is_not_testable(finished):
    found = labels(*finished)
    assert found["main"] == "supported"
    assert found["published"] == "untestable"


def test_too_narrow_a_range_makes_the_claim_not_testable(toy, tmp_path):
    plan = toy.plan(overrides={"best": 1e-5})
    records = run_all(plan, toy.task, tmp_path)
    assert labels(plan, records)["main"] == "untestable"
    assert gate(plan, records, "main", "Range").state == "failed"


def test_missing_runs_make_the_budget_unequal(finished):
    plan, records = finished
    fewer = [r for r in records if not (r.stage == "final" and r.arm == "green" and r.seed > 103)]
    assert gate(plan, fewer, "main", "Budget").state == "failed"
    assert gate(plan, fewer, "green", "Seeds").state == "failed"


def test_a_seed_that_was_used_to_choose_is_refused(finished):
    plan, records = finished
    leaked = [replace(r, seed=21) if r.stage == "final" and r.seed == 101 else r for r in records]
    assert gate(plan, leaked, "main", "Seeds").state == "failed"


def test_selection_and_score_on_one_split_is_refused(finished):
    plan, records = finished
    same = [replace(r, config={**r.config, "split": "test"}) for r in records]
    assert gate(plan, records, "main", "Splits").state == "passed"
    assert gate(plan, same, "main", "Splits").state == "failed"


def test_arms_that_differ_in_another_field_do_not_do_the_same_task(finished):
    plan, records = finished
    other = [
        replace(r, config={**r.config, "epochs": 9})
        if r.stage == "final" and r.arm == "blue"
        else r
        for r in records
    ]
    found = gate(plan, other, "main", "Task")
    assert (found.state, found.reason) == ("failed", "the runs also differ in epochs")


@pytest.mark.parametrize("arm", ["red", "blue"])
def test_a_diverged_run_of_either_arm_fails_the_gates_and_enters_no_mean(finished, arm):
    plan, records = finished
    lost = next(r for r in records if r.stage == "final" and r.arm == arm)
    spoiled = [replace(r, status="diverged") if r.trial == lost.trial else r for r in records]
    assert gate(plan, spoiled, "main", "Stability").state == "failed"
    assert gate(plan, spoiled, "main", "Seeds").state == "failed"
    verdict = verdict_on(plan, spoiled, "main")
    assert verdict.label == "untestable"
    assert (verdict.result.n, lost.seed in verdict.result.seeds) == (6, False)


def test_five_seeds_are_not_enough(toy, tmp_path):
    plan = toy.plan(final_seeds=5)
    assert labels(plan, run_all(plan, toy.task, tmp_path))["main"] == "untestable"


def test_one_of_twenty_null_studies_at_most_is_supported(finished):
    """The same arms without a difference, 200 times: noise alone must not be supported more often than the rule allows."""
    plan, records = finished
    draws = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        noisy = [
            replace(r, result={**r.result, "score": 0.8 + 0.02 * draws.normal()})
            if r.stage == "final"
            else r
            for r in records
        ]
        wrong += verdict_on(plan, noisy, "main").label in ("supported", "small")
    assert wrong <= 10


def test_delta_of_a_share_of_images_is_not_below_their_noise(finished):
    plan, records = finished
    share = replace(plan.space.primary, share_of_images=True)
    shares = replace(
        plan,
        space=replace(plan.space, metrics=(share, plan.space.metrics[1])),
        data=replace(plan.data, counts={"test": 400}),
    )
    verdict = verdict_on(shares, records, "main")
    assert verdict.delta == pytest.approx(100 * math.sqrt(0.8 * 0.2 / 400), abs=0.1)
