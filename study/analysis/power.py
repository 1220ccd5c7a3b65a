"""How small a difference so many pairs find, and how many pairs find a difference."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import stats

from study.analysis.statistics import sign_assignments
from study.design.plan import least_p

MOST_SIMULATED = 12  # pairs up to which the power of the rule is simulated
MOST_ITEMS_SIMULATED = 200  # the same where test items are drawn as well, without sign flips above
MOST_PAIRS = 2**20  # beyond which no number of pairs is looked for
SIMULATIONS = 2000


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
    if n < 2 or least_p(n) * family > alpha:
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

    return least_count(is_enough)


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

    return least_count(is_enough)


def least_count(is_enough: Callable[[int], bool]) -> float:
    """The least number of pairs, two or more, that is enough, as all larger ones are.

    Infinite where no number up to about 1,000,000 is.
    """
    low, high = 1, 2  # too few, enough
    while not is_enough(high):
        low, high = high, 2 * high
        if high > MOST_PAIRS:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
