"""The points of an even search: Optuna's scrambled Sobol sequence."""

import warnings

import optuna
from optuna.trial import create_trial

from study.design.plan import SEARCH_SEED
from study.design.ranges import LogRange
from study.search.distributions import log_distributions, to_four_digits


def sobol_points(
    search: dict[str, LogRange], count: int, seed: int = SEARCH_SEED
) -> list[dict[str, float]]:
    """The first `count` points of a Sobol sequence that `seed` scrambles, even in the logarithm.

    They depend on nothing but the arguments: every arm gets the same scramble, and a resumed study
    the same points. Values are rounded to four digits (Bousquet et al. 2017).
    """
    if not search:
        return [{}]
    distributions = log_distributions(search)
    with warnings.catch_warnings():
        # Optuna marks the sampler as experimental; its sequence is pinned by a test
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.QMCSampler(scramble=True, seed=seed))
    # Optuna draws a study's very first point at random, from a space it does not know yet: with a
    # trial in the study the first point that is asked for is the sequence's own.
    middle = {name: (span.low * span.high) ** 0.5 for name, span in search.items()}
    study.add_trial(create_trial(params=middle, distributions=distributions, value=0.0))
    points = [study.ask(distributions).params for _ in range(count)]
    return [
        {name: to_four_digits(search[name], value) for name, value in point.items()}
        for point in points
    ]
