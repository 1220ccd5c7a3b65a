"""Statistics for few seeds: what an interval covers and what a p-value means at n = 6 to 20.

The paired t interval covers 95 % at every n for normal differences; bootstrap intervals cover 83 to
87 % below n = 9, so none decides here.
"""

import itertools
import math
import warnings
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

EXACT = 16  # pairs up to which all sign flips are counted
LEAST_SHOWN = 3  # pairs from which an interval is shown: that of two is 13 times its standard error


class ArmDifference(NamedTuple):
    """Two arms' difference, of pairs on the same seeds or unpaired; positive favours the first."""

    seeds: tuple[int, ...]  # of the pairs; empty where unpaired
    differences: tuple[float, ...]  # of the pairs
    mean: float
    low: float  # of the interval; NaN for one pair
    high: float
    level: float  # of the interval, in (0, 1)
    # two-sided: the exact sign-flip p over the pairs, of unpaired runs that of Welch's test; NaN
    # for one pair
    p: float
    items: int = 0  # test items that the interval covers as well; 0: it is of these items alone
    item_sd: float = 0.0  # of the mean, that comes from them
    counts: tuple[int, int] = (0, 0)  # runs of either arm where unpaired
    unpaired_sd: float = math.nan  # of the difference of two runs, where unpaired
    unpaired_error: float = math.nan  # standard error of the mean, where unpaired

    @property
    def is_paired(self) -> bool:
        """Whether it is of pairs."""
        return not any(self.counts)

    @property
    def n(self) -> int:
        """Pairs; of unpaired arms the runs of the one that has fewer."""
        return len(self.differences) if self.is_paired else min(self.counts)

    @property
    def has_interval(self) -> bool:
        """Whether there are enough pairs to show an interval."""
        return self.n >= LEAST_SHOWN

    @property
    def shown_ends(self) -> tuple[float, ...]:
        """The interval's ends where it is shown; else none."""
        return (self.low, self.high) if self.has_interval else ()

    @property
    def sd(self) -> float:
        """Standard deviation of the difference of two runs; NaN for one pair."""
        if not self.is_paired:
            return self.unpaired_sd
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


def paired(first: dict[int, float], second: dict[int, float], level: float = 0.95) -> ArmDifference:
    """Differences first − second over the seeds that both have.

    With the paired t interval (Student 1908) and the sign-flip test (Fisher 1935).
    """
    seeds = tuple(sorted(set(first) & set(second)))
    differences = tuple(first[seed] - second[seed] for seed in seeds)
    mean = float(np.mean(differences)) if differences else math.nan
    low, high = t_interval(differences, level)
    p = sign_flip_p(differences)
    return ArmDifference(
        seeds=seeds, differences=differences, mean=mean, low=low, high=high, level=level, p=p
    )


def unpaired(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> ArmDifference:
    """The difference mean(first) − mean(second) of runs without common seeds (Welch 1947).

    Of two runs or more each; else it has neither an interval nor a p.
    """
    counts = (len(first), len(second))
    mean = float(np.mean(first) - np.mean(second)) if min(counts) else math.nan
    low = high = p = sd = error = math.nan
    if min(counts) > 1:
        low, high = welch_interval(first, second, level)
        variances = [float(np.var(values, ddof=1)) for values in (first, second)]
        sd = math.sqrt(sum(variances))
        error = math.sqrt(sum(one / n for one, n in zip(variances, counts, strict=True)))
        equal = 1.0 if mean == 0 else 0.0  # no noise at all
        with warnings.catch_warnings():  # scipy's, of values that are nearly the same
            warnings.simplefilter("ignore", RuntimeWarning)
            tested = stats.ttest_ind(first, second, equal_var=False)
        p = float(tested.pvalue) if high > low else equal
    return ArmDifference(
        seeds=(), differences=(), mean=mean, low=low, high=high, level=level, p=p,
        counts=counts, unpaired_sd=sd, unpaired_error=error,
    )  # fmt: skip


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
    spread = sum(
        own**2 / (len(values) - 1) for own, values in zip(squares, (first, second), strict=True)
    )
    if spread == 0:  # no noise at all, or less than a float can square
        return difference, difference
    freedom = square**2 / spread
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
    """The least number of pairs whose sign-flip p can reach an error rate."""
    return math.ceil(1 - math.log2(alpha) - 1e-9)


def least_runs(alpha: float) -> int:
    """The least runs of either arm, unpaired, whose exact permutation p can reach an error rate.

    It is 2 / C(2n, n) at least.
    """
    return next(n for n in itertools.count(2) if 2 / math.comb(2 * n, n) <= alpha)


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
