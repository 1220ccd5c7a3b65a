"""Which parameters decide whether a trial is among the best (PED-ANOVA, Watanabe et al. 2023)."""

import math
import warnings

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from study.design.record import Record
from study.design.space import Explore, Metric
from study.search.distributions import to_parameters

MIN_TRIALS = 20  # finished, below which importances are noise


def parameter_importances(
    explore: Explore, records: list[Record], metric: Metric
) -> dict[str, float]:
    """Each parameter's share of what decides about the best fifth of the trials, largest first.

    Empty for fewer than MIN_TRIALS trials with a number. It depends on the ranges, and says nothing
    outside them.
    """
    finished = [record for record in records if math.isfinite(record.metric(metric.name))]
    if len(finished) < MIN_TRIALS:
        return {}
    study = optuna.create_study()
    sign = -1 if metric.higher_is_better else 1
    for record in finished:
        params, distributions = to_parameters(explore.search, record.point)
        value = sign * record.metric(metric.name)
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    with warnings.catch_warnings():
        # a parameter of one trial only has no importance to speak of
        warnings.simplefilter("ignore", UserWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=0.2)
        shares = get_param_importances(study, evaluator=evaluator)
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
