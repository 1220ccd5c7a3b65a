"""One effect from those of several studies."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Pooled(NamedTuple):
    """An effect over studies."""

    mean: float
    low: float  # of the 95 % interval; NaN of one study
    high: float
    tau: float  # sd between the studies' true effects
    studies: int


def pool_effects(
    means: Sequence[float], errors: Sequence[float], level: float = 0.95, common: float = 0.0
) -> Pooled:
    """The mean of random effects, with an interval for the mean of such studies.

    The variance between studies by DerSimonian and Laird (1986); the interval by Hartung and Knapp
    (2001) and Sidik and Jonkman (2002), with their factor at least 1 as Röver et al. (2015)
    recommend for few studies: normal intervals are far too short for these. It assumes that the
    studies are draws of one kind whose effects vary around their mean, and share no run.

    Args:
        means: the studies' effects.
        errors: their standard errors, not negative; one that is 0 counts as a millionth of the
            largest effect.
        common: sd of an error that all studies share, as that of one set of test items; in no
            study's own error, and no smaller for more studies.
    """
    effects, count = np.asarray(means, dtype=float), len(means)
    least = 1e-6 * max(float(np.abs(effects).max()), 1e-12)
    variances = np.maximum(np.asarray(errors, dtype=float), least) ** 2
    if count < 2:
        return Pooled(float(effects[0]), math.nan, math.nan, 0.0, count)
    fixed = 1 / variances
    middle = float(fixed @ effects / fixed.sum())
    q = float(fixed @ (effects - middle) ** 2)
    excess = (q - (count - 1)) / float(fixed.sum() - fixed @ fixed / fixed.sum())
    between = max(0.0, excess)
    weights = 1 / (variances + between)
    mean = float(weights @ effects / weights.sum())
    factor = max(1.0, float(weights @ (effects - mean) ** 2) / (count - 1))
    error = math.sqrt(factor / float(weights.sum()))
    own = float(stats.t.ppf(0.5 + level / 2, count - 1)) * error
    half = math.hypot(own, float(stats.norm.ppf(0.5 + level / 2)) * common)
    return Pooled(mean, mean - half, mean + half, math.sqrt(between), count)
