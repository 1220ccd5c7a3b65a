"""An adaptive search: Optuna's TPE over all parameters of one arm, its state in optuna.db.

Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate and grouped by condition (Falkner et al. 2018; Optuna 5), one or
several objectives (Ozaki et al. 2022). A proposal is a function of what was asked and told before and of the seed.
"""

import warnings

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from study.design.record import Record
from study.design.space import Explore
from study.search.distributions import params_of

LEAST = 20  # finished trials, below which importances are noise


def importances(
    explore: Explore, records: list[Record], metric: str, higher_is_better: bool
) -> dict[str, float]:
    """Each parameter's share of what decides whether a trial is among the best fifth, largest first (PED-ANOVA, Watanabe et al. 2023).

    Empty for fewer than LEAST finished trials. It depends on the ranges, and says nothing outside them.
    """
    finished = [record for record in records if record.status == "finished"]
    if len(finished) < LEAST:
        return {}
    study = optuna.create_study()
    for record in finished:
        params, spans = params_of(explore.search, record.point)
        value = record.metric(metric)
        study.add_trial(
            create_trial(
                params=params, distributions=spans, value=-value if higher_is_better else value
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # a parameter of one trial only has no importance to speak of
        found = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.2)
        )
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
