"""Optuna proposes the points of a search, and keeps what came of them in optuna.db."""

import warnings
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from study.plan import SEARCH_SEED, Plan
from study.record import Record
from study.space import LogRange

optuna.logging.set_verbosity(optuna.logging.WARNING)
STATES = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "diverged": TrialState.FAIL, "failed": TrialState.FAIL}


def distributions(search: dict[str, LogRange]) -> dict[str, BaseDistribution]:
    """The ranges as Optuna has them."""
    return {name: FloatDistribution(span.low, span.high, log=True) for name, span in search.items()}


def propose(search: dict[str, LogRange], count: int, seed: int = SEARCH_SEED) -> list[dict[str, float]]:
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
    study.add_trial(create_trial(params=middle, distributions=spans, value=0.0))  # else the first point would not be of the sequence
    asked = [study.ask(spans).params for _ in range(count)]
    return [{name: float(f"{value:.4g}") for name, value in point.items()} for point in asked]


def mirror(folder: Path, plan: Plan, records: list[Record]) -> None:
    """Writes the search's records into optuna.db, one Optuna study an arm; what it holds already is left alone."""
    metric = plan.metrics[0]
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
    direction = StudyDirection.MAXIMIZE if metric.higher_is_better else StudyDirection.MINIMIZE
    for arm in plan.arms:
        study = optuna.create_study(storage=storage, study_name=f"{plan.space} {arm.name}", direction=direction, load_if_exists=True)
        held = {trial.user_attrs.get("trial") for trial in study.get_trials(deepcopy=False)}
        spans = distributions(arm.search)
        for record in records:
            if record.arm == arm.name and record.stage in ("search", "added", "beside") and record.trial not in held:
                study.add_trial(as_optuna(record, spans, metric.name))
    storage.remove_session()


def as_optuna(record: Record, spans: dict[str, BaseDistribution], metric: str) -> optuna.trial.FrozenTrial:
    """The record as an Optuna trial; a point outside the range carries a range of its own."""
    point = {name: float(record.point[name]) for name in spans}
    own = {name: span if span._contains(point[name]) else FloatDistribution(point[name], point[name], log=True) for name, span in spans.items()}
    state = STATES[record.status]
    return create_trial(
        state=state,
        value=record.metric(metric) if state == TrialState.COMPLETE else None,
        params=point,
        distributions=own,
        user_attrs={"trial": record.trial, "stage": record.stage, "status": record.status, "why": record.why},
        intermediate_values={row["epoch"]: row["loss"] for row in record.curve},
    )
