"""Tables of a study: flat frames of its records, and the numbers that figures and sentences are made of."""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from study.analysis.gates import of_stage
from study.analysis.statistics import expected_best, interquartile_mean, t_interval
from study.analysis.verdict import delta_of, values_of
from study.design.plan import Plan
from study.design.space import Arm, Metric
from study.design.stages import Records, chosen_point, score


class ArmResult(NamedTuple):
    """An arm's final stage in one metric, in its unit."""

    arm: Arm
    point: dict[str, Any]
    by_seed: dict[int, float]
    mean: float
    sd: float
    low: float  # 95 % t interval
    high: float
    iqm: float
    others: dict[str, float]  # means of the other metrics on the same runs
    default: (
        float  # the primary metric at the library's default, validation, one seed; NaN if not run
    )
    best: float  # the best search trial, likewise


def arm_results(plan: Plan, records: Records) -> list[ArmResult]:
    """The final stage of every arm that has one, best mean first."""
    metric = plan.metrics[0]
    found = []
    for arm in plan.arms:
        by_seed, point = (
            values_of(plan, records, arm.name, "final", metric),
            chosen_point(plan, arm, records),
        )
        if not by_seed or point is None:
            continue
        values = list(by_seed.values())
        low, high = interval_of(metric, values)
        others = {
            m.name: mean_of(list(values_of(plan, records, arm.name, "final", m).values()))
            for m in plan.metrics[1:]
        }
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        found.append(
            ArmResult(arm, point, by_seed, mean_of(values), sd, low, high, interquartile_mean(values), others,
                      beside(plan, records, arm, "default"), best_search(plan, records, arm))
        )  # fmt: skip
    return sorted(
        found, key=lambda result: -result.mean if metric.higher_is_better else result.mean
    )


def interval_of(metric: Metric, values: list[float]) -> tuple[float, float]:
    """The 95 % t interval of a mean, of a share of images cut to what a share can be; NaN for fewer than two values."""
    low, high = t_interval(values)
    return (
        (max(low, 0.0), min(high, metric.scale))
        if metric.share_of_images and not math.isnan(low)
        else (low, high)
    )


def mean_of(values: list[float]) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if values else math.nan


def beside(plan: Plan, records: Records, arm: Arm, why: str) -> float:
    """The primary metric, in its unit, of the point beside the search; NaN if it did not finish."""
    metric = plan.metrics[0]
    point = (
        arm.default
        if why == "default"
        else {name: plan.replica.values[name] for name in arm.search}
    )
    found = [
        r
        for stage in ("beside", "search")
        for r in of_stage(records, arm.name, stage)
        if r.point == point
    ]
    return found[0].metric(metric.name) * metric.scale if found else math.nan


def best_search(plan: Plan, records: Records, arm: Arm) -> float:
    """The primary metric, in its unit, of the arm's best search trial."""
    metric = plan.metrics[0]
    runs = of_stage(records, arm.name, "search")
    return (
        max(runs, key=lambda r: score(plan, r)).metric(metric.name) * metric.scale
        if runs
        else math.nan
    )


class RatePoint(NamedTuple):
    """One trial of the learning-rate figure."""

    value: float  # of the tuned parameter
    score: float  # primary metric in its unit, validation; NaN: diverged
    kind: str  # search, added, default, as reported
    chosen: bool


class RateCurve(NamedTuple):
    """An arm's trials by its tuned parameter."""

    arm: Arm
    name: str  # of the parameter
    low: float  # of what was explored
    high: float
    points: tuple[RatePoint, ...]  # ascending
    good: tuple[float, float]  # from the lowest to the highest value within delta of the best
    chosen: float  # NaN while nothing is chosen


def rate_curves(plan: Plan, records: Records) -> list[RateCurve]:
    """The search of every arm along its first tuned parameter."""
    metric = plan.metrics[0]
    delta = delta_of(plan, records, metric)
    curves = []
    for arm in plan.arms:
        if not arm.search:
            continue
        name, span = next(iter(arm.search.items()))
        chosen = (chosen_point(plan, arm, records) or {}).get(name, math.nan)
        runs = [
            r for stage in ("search", "added", "beside") for r in of_stage(records, arm.name, stage)
        ]
        points = sorted(
            RatePoint(
                r.point[name],
                r.metric(metric.name) * metric.scale,
                r.why or r.stage,
                r.point[name] == chosen and r.stage != "beside",
            )
            for r in runs
        )
        tried = [p for p in points if p.kind in ("search", "added")]
        finished = [p for p in tried if not math.isnan(p.score)]
        if not finished:
            continue
        best = max(p.score for p in finished)
        near = [p.value for p in finished if p.score >= best - delta]
        low, high = (
            min([span.low, *(p.value for p in tried)]),
            max([span.high, *(p.value for p in tried)]),
        )
        curves.append(
            RateCurve(arm, name, low, high, tuple(points), (min(near), max(near)), chosen)
        )
    return curves


class Runs(NamedTuple):
    """Loss and primary metric of an arm's runs in a stage."""

    arm: Arm
    stage: str
    loss: tuple[float, ...]
    score: tuple[float, ...]


def loss_and_score(plan: Plan, records: Records) -> list[Runs]:
    """Finished replica and final runs: their loss against the primary metric."""
    metric = plan.metrics[0]
    found = []
    for stage in ("replica", "final"):
        for arm in plan.arms:
            runs = [
                r
                for r in of_stage(records, arm.name, stage)
                if r.status == "finished" and not math.isnan(r.metric("loss"))
            ]
            if runs and not arm.of:
                found.append(
                    Runs(
                        arm,
                        stage,
                        tuple(r.metric("loss") for r in runs),
                        tuple(r.metric(metric.name) * metric.scale for r in runs),
                    )
                )
    return found


def rank_correlation(runs: list[Runs]) -> float:
    """Spearman's correlation of a lower loss with a higher score over these runs; NaN for fewer than three."""
    loss = [-value for run in runs for value in run.loss]
    scores = [value for run in runs for value in run.score]
    if len(loss) < 3 or len(set(loss)) < 2 or len(set(scores)) < 2:
        return math.nan
    return float(stats.spearmanr(loss, scores).statistic)


def curves_of(
    plan: Plan, records: Records, arm: str, stage: str, key: str = "loss", scale: float = 1.0
) -> dict[int, list[float]]:
    """An epoch's number, times the scale, by seed, of the runs of a stage that finished."""
    runs = [
        r
        for r in of_stage(records, arm, stage)
        if r.status == "finished" and r.curve and all(row.get(key) is not None for row in r.curve)
    ]
    return {r.seed: [float(row[key]) * scale for row in r.curve] for r in runs}


def budget_curves(plan: Plan, records: Records) -> dict[str, list[float]]:
    """Expected best primary metric, in its unit, after k search trials, by arm; a trial without a result counts as the worst of all."""
    metric = plan.metrics[0]
    searched = {arm.name: of_stage(records, arm.name, "search") for arm in plan.arms}
    finished = [
        r.metric(metric.name) * metric.scale
        for runs in searched.values()
        for r in runs
        if r.status == "finished"
    ]
    if not finished:
        return {}
    floor = min(finished)
    values = {
        name: [
            r.metric(metric.name) * metric.scale if r.status == "finished" else floor for r in runs
        ]
        for name, runs in searched.items()
    }
    return {name: expected_best(found) for name, found in values.items() if found}
