"""Optuna proposes the points of an even search, and keeps what came of all searches in optuna.db."""

import warnings

import optuna
from optuna.trial import create_trial

from study.design.plan import SEARCH_SEED
from study.design.ranges import LogRange
from study.search.distributions import distributions


def propose(
    search: dict[str, LogRange], count: int, seed: int = SEARCH_SEED
) -> list[dict[str, float]]:
    """The first `count` points of a scrambled Sobol sequence, even in the logarithm (Bousquet et al. 2017).

    They depend on nothing but the arguments: every arm gets the same scramble, and a resumed study the same points. Values are
    rounded to four digits.
    """
    if not search:
        return [{}]
    spans = distributions(search)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.QMCSampler(scramble=True, seed=seed))
    middle = {name: (span.low * span.high) ** 0.5 for name, span in search.items()}
    study.add_trial(
        create_trial(params=middle, distributions=spans, value=0.0)
    )  # else the first point would not be of the sequence
    asked = [study.ask(spans).params for _ in range(count)]
    return [{name: float(f"{value:.4g}") for name, value in point.items()} for point in asked]
