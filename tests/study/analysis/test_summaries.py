"""Summaries of a study: what is best follows the direction of the primary metric."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import toy

from study.analysis.results import Results


def turned(plan, records, higher_is_better):
    """The toy's study judged by a primary metric of that direction."""
    primary = replace(plan.space.primary, higher_is_better=higher_is_better)
    metrics = (primary, *plan.space.metrics[1:])
    return Results(replace(plan, space=replace(plan.space, metrics=metrics)), records)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_more_trials_never_make_the_expected_best_worse(finished, higher_is_better):
    curves = turned(*finished, higher_is_better).budget_curves
    assert set(curves) == {"red", "blue", "green"}
    for curve in curves.values():
        steps = [after - before for before, after in pairwise(curve)]
        assert all(step >= 0 if higher_is_better else step <= 0 for step in steps)
        assert not any(map(math.isnan, curve))


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_good_range_is_around_the_best_trial(finished, higher_is_better):
    results = turned(*finished, higher_is_better)
    for curve in results.rate_curves:
        tried = [point for point in curve.points if point.is_tried and not math.isnan(point.score)]
        best = (max if higher_is_better else min)(tried, key=lambda point: point.score)
        assert curve.good[0] <= best.value <= curve.good[1]


def test_the_toy_is_what_these_tests_think():
    assert toy.SPACE.primary.higher_is_better
