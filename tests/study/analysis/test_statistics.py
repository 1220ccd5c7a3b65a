"""The statistics against numbers worked by hand, brute force, and simulated studies with a known truth."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from study.analysis.power import (
    detectable,
    detectable_by_rule,
    hidden_by_items,
    pairs_needed,
    pairs_to_detect,
)
from study.analysis.statistics import (
    expected_best,
    holm,
    interquartile_mean,
    least_pairs,
    paired,
    sign_flip_p,
    t_interval,
    welch_interval,
)


def test_the_paired_interval_is_the_textbooks():
    """Student's sleep data (1908): ten patients, two drugs; mean 1.58, 95 % interval 0.70 to 2.46."""
    first = dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))
    second = dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
    result = paired(first, second)
    assert (result.mean, result.low, result.high) == pytest.approx((1.58, 0.7001142, 2.4598858))
    assert result.n == 10


def test_only_seeds_that_both_arms_have_are_paired():
    result = paired({1: 2.0, 2: 3.0, 4: 9.0}, {1: 1.0, 2: 1.0, 3: 7.0})
    assert (result.seeds, result.differences) == ((1, 2), (1.0, 2.0))


def test_one_pair_has_no_interval_and_no_p():
    result = paired({1: 2.0}, {1: 1.0})
    assert result.mean == 1.0
    assert math.isnan(result.low)
    assert math.isnan(result.p)
    assert math.isnan(paired({}, {}).mean)


@pytest.mark.parametrize("n", [5, 6, 8])
def test_the_least_sign_flip_p_is_two_in_two_to_the_n(n):
    assert sign_flip_p([1.0] * n) == pytest.approx(2 / 2**n)


def test_sign_flip_counts_every_assignment():
    d = [0.3, -0.1, 0.5, 0.2, 0.4, -0.2, 0.1]
    means = [
        abs(sum(s * x for s, x in zip(signs, d, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(d))
    ]
    assert sign_flip_p(d) == pytest.approx(np.mean([mean >= abs(sum(d)) - 1e-12 for mean in means]))


def test_many_pairs_are_sampled_and_never_give_zero():
    assert 0 < sign_flip_p([1.0] * 30) < 0.001


def test_holm_agrees_with_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    adjusted = holm([0.01, math.nan])
    assert adjusted[0] == 0.02
    assert math.isnan(adjusted[1])


def test_expected_best_agrees_with_brute_force():
    values = [0.3, 0.9, 0.1, 0.5]
    for k, expected in enumerate(expected_best(values), start=1):
        assert expected == pytest.approx(
            np.mean([max(chosen) for chosen in itertools.combinations(values, k)])
        )


@pytest.mark.parametrize(
    ("n", "sd"), [(3, 3.25), (5, 1.69), (6, 1.43), (8, 1.15), (10, 0.99), (30, 0.53)]
)
def test_the_detectable_difference_is_the_known_one(n, sd):
    assert detectable(n) == pytest.approx(sd, abs=0.02)


def test_the_mean_of_the_middle_half_and_the_pairs_needed():
    assert interquartile_mean([0, 1, 2, 3, 4, 5, 6, 100]) == 3.5
    # t(0.975, 15) sd / sqrt(16) = 0.533, and 15 pairs have 0.554
    assert pairs_needed(1.0, 0.54, 0.95) == 16
    assert pairs_needed(1.0, 0.53, 0.95) == 17
    assert pairs_needed(0.1, 10.0, 0.95) == 2


def test_equal_differences_are_ties_at_any_scale():
    for scale in (1e-9, 1.0, 1e9):
        assert sign_flip_p([0.1 * scale, 0.2 * scale, 0.3 * scale - 0.6 * scale]) == 1.0
        assert sign_flip_p([scale * (0.3 + k * 1e-17) for k in range(6)]) == 2 / 2**6


def test_an_unpaired_interval_is_that_of_welch():
    low, high = welch_interval([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0])
    # by hand: means 2.5 and 4, se = sqrt(5/12 + 4/3) = 1.3229, df = 3.235, t = 3.056
    assert (low, high) == pytest.approx((-5.542, 2.542), abs=0.005)
    assert welch_interval([3.0, 3.0], [1.0, 1.0]) == (2.0, 2.0)


def test_intervals_cover_and_the_rule_errs_rarely_when_nothing_differs():
    draws = np.random.default_rng(0)
    covered = wrong = 0
    for _ in range(1500):
        d = draws.normal(size=7)
        low, high = t_interval(d)
        covered += low <= 0 <= high
        wrong += low > 0 and sign_flip_p(d) <= 0.05
    assert 0.93 < covered / 1500 < 0.97
    assert wrong / 1500 < 0.04


def test_expected_best_of_thousands_of_trials_is_finite_and_rises_to_the_best():
    found = expected_best([k / 3000 for k in range(3000)])
    assert found[0] == pytest.approx(0.4998, abs=1e-3)
    assert found[-1] == pytest.approx(2999 / 3000)
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(("alpha", "pairs"), [(0.05, 6), (0.025, 7), (0.05 / 3, 7), (0.5, 2)])
def test_the_least_pairs_are_those_whose_least_p_is_small_enough(alpha, pairs):
    assert least_pairs(alpha) == pairs
    assert sign_flip_p([1.0] * pairs) <= alpha < 2 / 2 ** (pairs - 1)


@pytest.mark.parametrize("effect", [0.2, 1.0, 1.5])
def test_the_pairs_to_detect_a_difference_are_the_least_that_do(effect):
    pairs = pairs_to_detect(effect)
    assert detectable_by_rule(pairs) <= effect < detectable_by_rule(pairs - 1)


@pytest.mark.parametrize(
    ("n", "item_sd"), [(6, 0.3), (6, 1.2), (8, 0.4), (12, 0.35), (40, 0.2), (300, 0.1)]
)
def test_with_items_drawn_as_well_the_rule_finds_a_difference_with_the_power_stated(n, item_sd):
    """By other draws, and p by the function that verdicts use."""
    draws, studies = np.random.default_rng(1), 3000
    effect = detectable_by_rule(n, item_sd=item_sd)
    d = effect + draws.normal(size=(studies, n)) + item_sd * draws.normal(size=(studies, 1))
    over_pairs = stats.t.ppf(0.975, n - 1) * d.std(1, ddof=1) / n**0.5
    found = d.mean(1) > np.hypot(over_pairs, 1.96 * item_sd)
    if n <= 12:
        found &= np.array([sign_flip_p(row) <= 0.05 for row in d])
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_where_the_items_alone_hide_a_difference_no_number_of_pairs_finds_it():
    assert pairs_to_detect(1.0) < pairs_to_detect(1.0, item_sd=0.2) < math.inf
    assert pairs_to_detect(1.0, item_sd=0.5) == math.inf
    assert hidden_by_items(0.5) == pytest.approx(2.80 * 0.5, abs=0.01)
    just = hidden_by_items(0.3)
    assert pairs_to_detect(just * 1.02, item_sd=0.3) < math.inf
    assert pairs_to_detect(just * 0.98, item_sd=0.3) == math.inf


@pytest.mark.parametrize("sd", [1e9, 1e160, 1e300])
def test_numbers_that_lie_out_of_all_reach_are_infinite(sd):
    assert pairs_needed(sd, 0.5, 0.95) == math.inf
    assert pairs_to_detect(0.5 / sd) == math.inf
