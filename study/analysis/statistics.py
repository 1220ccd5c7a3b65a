"""Paired statistics for few seeds: what an interval covers and what a p-value means at n = 6 to 20.

The paired t interval covers 95 % at every n for normal differences; bootstrap intervals cover 83 to
87 % below n = 9, so none decides here.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

EXACT = 16  # pairs up to which all sign flips are counted
MOST_SIMULATED = 12  # pairs up to which the power of the rule is simulated
MOST_ITEMS_SIMULATED = 200  # the same where test items are drawn as well, without sign flips above
MOST_PAIRS = 2**20  # beyond which no number of pairs is looked for
SIMULATIONS = 2000


class Paired(NamedTuple):
    """Differences of two arms on the same seeds; positive favours the first."""

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    low: float  # of the interval; NaN for one pair
    high: float
    level: float  # of the interval, in (0, 1)
    p: float  # exact two-sided sign-flip p over the pairs; NaN for one pair
    items: int = 0  # test items that the interval covers as well; 0: it is of these items alone
    item_sd: float = 0.0  # of the mean, that comes from them

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.differences)

    @property
    def sd(self) -> float:
        """Standard deviation of the differences; NaN for one pair."""
        return float(np.std(self.differences, ddof=1)) if self.n > 1 else math.nan

    @property
    def item_share(self) -> float:
        """The share of the mean's variance that comes from the test items; NaN for one pair."""
        total = self.item_sd**2 + self.sd**2 / self.n if self.n > 1 else math.nan
        return self.item_sd**2 / total if total else 0.0

    @property
    def item_half(self) -> float:
        """Half the interval that the test items alone would leave, however many pairs there are."""
        if not self.items:
            return 0.0
        return self.item_sd * float(stats.t.ppf(0.5 + self.level / 2, self.items - 1))


def paired(first: dict[int, float], second: dict[int, float], level: float = 0.95) -> Paired:
    """Differences first − second over the seeds that both have.

    With the paired t interval (Student 1908) and the sign-flip test (Fisher 1935).
    """
    seeds = tuple(sorted(set(first) & set(second)))
    differences = tuple(first[seed] - second[seed] for seed in seeds)
    mean = float(np.mean(differences)) if differences else math.nan
    low, high = t_interval(differences, level)
    p = sign_flip_p(differences)
    return Paired(
        seeds=seeds, differences=differences, mean=mean, low=low, high=high, level=level, p=p
    )


def t_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The t interval of a mean; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan, math.nan
    half = (
        stats.t.ppf(0.5 + level / 2, len(values) - 1)
        * np.std(values, ddof=1)
        / math.sqrt(len(values))
    )
    return float(np.mean(values) - half), float(np.mean(values) + half)


def welch_interval(
    first: Sequence[float], second: Sequence[float], level: float = 0.95
) -> tuple[float, float]:
    """The interval of mean(first) − mean(second), unpaired, of two or more each (Welch 1947)."""
    squares = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    difference, square = float(np.mean(first) - np.mean(second)), sum(squares)
    if square == 0:  # no noise at all
        return difference, difference
    freedom = square**2 / sum(
        own**2 / (len(values) - 1) for own, values in zip(squares, (first, second), strict=True)
    )
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * math.sqrt(square)
    return difference - half, difference + half


def sign_flip_p(differences: Sequence[float]) -> float:
    """Share of sign assignments with a mean at least as far from 0 as the observed one.

    All 2^n up to n = 16, else 20,000 random ones and the observed. NaN for fewer than two
    differences. The smallest possible value is 2 / 2^n: five seeds can never give 0.05.
    """
    n = len(differences)
    if n < 2:
        return math.nan
    d = np.asarray(differences)
    if n <= EXACT:
        signs = sign_assignments(n)
    else:
        signs = np.random.default_rng(0).choice((1, -1), size=(20_000, n))
        signs[0] = 1  # the +1 rule: the observed assignment is one of those counted
    sums, tolerance = np.abs(signs @ d), 1e-9 * float(np.abs(d).sum())  # rounding breaks no ties
    return float(np.mean(sums >= abs(d.sum()) - tolerance))


@cache
def sign_assignments(n: int) -> NDArray[np.float64]:
    """Half of the 2^n assignments of signs, those that begin with +1; the others mirror them."""
    return np.array([(1.0, *rest) for rest in itertools.product((1.0, -1.0), repeat=n - 1)])


def least_pairs(alpha: float) -> int:
    """The least number of pairs whose sign-flip p, 2 / 2^n at least, can reach an error rate."""
    return math.ceil(1 - math.log2(alpha) - 1e-9)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family (Holm 1979), in the order given; NaN is a member, stays NaN."""
    order = sorted(range(len(p_values)), key=lambda i: (math.isnan(p_values[i]), p_values[i]))
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, i in enumerate(order):
        if math.isnan(p_values[i]):
            continue
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half (Agarwal et al. 2021)."""
    return float(stats.trim_mean(values, 0.25))


def expected_best(values: Sequence[float]) -> list[float]:
    """E[best of k] for k = 1 .. N trials drawn without replacement (Tang et al. 2020).

    The sum over i ≥ k of C(i−1, k−1) / C(N, k) v_(i), values ascending.
    """
    ordered, n = np.sort(np.asarray(values, dtype=float)), len(values)
    rank, weight = np.arange(1, n + 1), np.full(n, 1 / n)
    found = []
    for k in range(1, n + 1):
        found.append(float(weight @ ordered))
        # the weights of k + 1 from those of k: binomials themselves would overflow
        weight = weight * np.maximum(rank - k, 0) / max(n - k, 1) * ((k + 1) / k)
    return found


def detectable(n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The true mean difference that a two-sided paired t test of n pairs finds with this power.

    In standard deviations of the differences.
    """
    if n < 2:
        return math.inf
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    return least_effect(lambda effect: stats.nct.sf(critical, n - 1, effect * math.sqrt(n)), power)


@cache
def detectable_by_rule(
    n: int, alpha: float = 0.05, family: int = 1, power: float = 0.8, item_sd: float = 0.0
) -> float:
    """The same for the whole rule: interval above zero at 1 − alpha / family, and p likewise.

    Found by simulation of normal differences; the p of a member counts by Bonferroni, which Holm
    exceeds a little. Infinite where no p of n pairs is small enough. Above 12 pairs the sign-flip
    test of normal differences agrees with the t test, which then stands for both.

    Args:
        item_sd: of the mean, that comes from the test items, in standard deviations of the
            differences. The items move all pairs together, and the interval covers them.
    """
    if n < 2 or 2 / 2**n * family > alpha:
        return math.inf
    if n > MOST_SIMULATED and not item_sd:
        return detectable(n, alpha / family, power)
    if n > MOST_ITEMS_SIMULATED:  # quantiles of t and of the normal distribution agree
        quantiles = float(stats.norm.ppf(1 - alpha / family / 2) + stats.norm.ppf(power))
        return quantiles * math.hypot(1 / math.sqrt(n), item_sd)
    draws = np.random.default_rng(0)
    noise = draws.standard_normal((SIMULATIONS, n))
    noise += item_sd * draws.standard_normal((SIMULATIONS, 1)) if item_sd else 0.0
    signs = sign_assignments(n) if n <= MOST_SIMULATED else None
    over_pairs = stats.t.ppf(1 - alpha / family / 2, n - 1) / math.sqrt(n) * noise.std(1, ddof=1)
    half = np.hypot(over_pairs, stats.norm.ppf(1 - alpha / family / 2) * item_sd)

    def find_power(effect: float) -> float:
        d = noise[noise.mean(1) + effect > half] + effect
        if signs is None:
            return len(d) / SIMULATIONS
        as_far = np.abs(d @ signs.T) >= np.abs(d.sum(1))[:, None] * (1 - 1e-9)
        return float((as_far.mean(1) <= alpha / family).sum() / SIMULATIONS)

    most = 8.0 * math.sqrt(1 + n * item_sd**2)
    return least_effect(find_power, power, steps=10, most=most)


def hidden_by_items(item_sd: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The difference that no number of pairs finds with this power, since the items were drawn."""
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) * item_sd


def pairs_to_detect(
    effect: float, alpha: float = 0.05, power: float = 0.8, item_sd: float = 0.0
) -> float:
    """The least number of pairs with which the whole rule finds a true difference.

    Infinite where no number up to about 1,000,000 does.

    Args:
        effect: the difference in standard deviations of the differences, above 0.
        item_sd: as `detectable_by_rule` takes it.
    """

    def is_enough(n: int) -> bool:
        return detectable_by_rule(n, alpha, power=power, item_sd=item_sd) <= effect

    low, high = 1, 2  # too few, enough
    while not is_enough(high):
        low, high = high, 2 * high
        if high > MOST_PAIRS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def least_effect(
    find_power: Callable[[float], float], power: float, *, steps: int = 60, most: float = 50.0
) -> float:
    """The smallest effect, up to `most`, with that power, which grows with the effect."""
    low, high = 0.0, most
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if find_power(middle) > power else (middle, high)
    return high


def pairs_needed(sd: float, delta: float, level: float) -> float:
    """The least number of pairs, at least two, whose t interval is no wider than ± delta.

    Infinite where no number up to about 1,000,000 is enough.

    Args:
        sd: of the differences; more pairs are expected to have the same.
        delta: above 0, in the same unit.
        level: of the interval, in (0, 1).
    """
    ratio = sd / delta

    def is_enough(n: int) -> bool:
        return bool(stats.t.ppf(0.5 + level / 2, n - 1) * ratio <= math.sqrt(n))

    low, high = 1, 2  # too few, enough
    while not is_enough(high):
        low, high = high, 2 * high
        if high > MOST_PAIRS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
