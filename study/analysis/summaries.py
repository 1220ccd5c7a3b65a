"""Numbers behind figures and tables: arms in the final stage, searches, loss against score."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from study.analysis.arm_records import ArmRecords
from study.analysis.statistics import LEAST_SHOWN, expected_best, interquartile_mean, t_interval
from study.design.plan import Point
from study.design.record import Record
from study.design.space import Arm, Metric
from study.text import format_short

TRIED = ("search", "added")  # kinds of trials among which a point is chosen


class ArmResult(NamedTuple):
    """An arm's final stage in the primary metric, in its unit."""

    arm: Arm
    points: tuple[Point, ...]  # the choice of each search
    by_unit: dict[int, float]  # by seed, or by search where the search is repeated
    mean: float
    sd: float
    low: float  # 95 % t interval
    high: float
    iqm: float
    others: dict[str, float]  # means of the other metrics on the same runs
    default: float  # at the arm's default point, validation, one seed; NaN: not run


def summarize_arms(results: ArmRecords) -> list[ArmResult]:
    """The final stage of every arm that has one, best mean first."""
    arms = [summarize(results, arm, "final") for arm in results.plan.space.arms]
    sign = -1 if results.plan.space.primary.higher_is_better else 1
    return sorted((one for one in arms if one is not None), key=lambda one: sign * one.mean)


def summarize_controls(results: ArmRecords) -> list[ArmResult]:
    """The controls that have run, in the space's order."""
    found = [summarize(results, one, "control") for one in results.plan.space.controls]
    return [one for one in found if one is not None]


def summarize(results: ArmRecords, arm: Arm, stage: str) -> ArmResult | None:
    """An arm's or a control's runs of a stage; None while none has finished."""
    space, metric = results.plan.space, results.plan.space.primary
    by_unit = results.values(arm.name, stage, metric)
    points = results.chosen_points(arm) if stage == "final" else {0: {}}
    if not by_unit or not points:
        return None
    values = list(by_unit.values())
    low, high = mean_interval(metric, values)
    others = {
        other.name: mean_or_nan(list(results.values(arm.name, stage, other).values()))
        for other in space.metrics[1:]
    }
    return ArmResult(
        arm=arm,
        points=tuple(points.values()),
        by_unit=by_unit,
        mean=mean_or_nan(values),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        low=low,
        high=high,
        iqm=interquartile_mean(values),
        others=others,
        default=default_score(results, arm),
    )


def chosen_words(values: Sequence[Any]) -> str:
    """The value that was chosen, or the range of those that several searches chose."""
    is_text = any(isinstance(value, str) for value in values)
    ordered = sorted(values, key=str if is_text else None)
    return " to ".join(dict.fromkeys(map(format_short, ordered[:1] + ordered[-1:])))


def seed_variance_share(results: ArmRecords) -> float:
    """Share of the variance between an arm's searches that comes from its final seeds, in [0, 1].

    The variance within searches, divided by the runs of a search, over that between their means
    (one-way analysis of variance), both averaged over the arms; NaN with one run a search.
    """
    plan, metric = results.plan, results.plan.space.primary
    within, between = [], []
    for arm in plan.space.arms:
        by_search: dict[int, list[float]] = {}
        for run in results.runs(arm.name, "final"):
            value = run.metric(metric.name)
            if not math.isnan(value):
                by_search.setdefault(plan.search_of(run.seed), []).append(value)
        groups = [values for values in by_search.values() if len(values) > 1]
        if len(groups) > 1:
            count = len(groups[0])
            within.append(float(np.mean([np.var(values, ddof=1) for values in groups])) / count)
            between.append(float(np.var([np.mean(values) for values in groups], ddof=1)))
    total = sum(between)
    return min(1.0, sum(within) / total) if total > 0 else math.nan


def mean_interval(metric: Metric, values: list[float]) -> tuple[float, float]:
    """The 95 % t interval of a mean; NaN for so few values that none is shown.

    That of a share of images is cut to what a share can be.
    """
    if len(values) < LEAST_SHOWN:
        return math.nan, math.nan
    low, high = t_interval(values)
    if metric.share_of_images and not math.isnan(low):
        return max(low, 0.0), min(high, metric.scale)
    return low, high


def mean_or_nan(values: list[float]) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if values else math.nan


def score_in_unit(results: ArmRecords, record: Record) -> float:
    """The primary metric of a record in its unit; NaN where it did not finish."""
    metric = results.plan.space.primary
    return record.metric(metric.name) * metric.scale


def default_score(results: ArmRecords, arm: Arm) -> float:
    """The primary metric at the arm's default point; NaN if that did not finish."""
    runs = [run for stage in ("beside", "search") for run in results.runs(arm.name, stage)]
    at_default = [run for run in runs if run.point == arm.default]
    return score_in_unit(results, at_default[0]) if at_default else math.nan


class RatePoint(NamedTuple):
    """One trial of the learning-rate figure."""

    value: float  # of the tuned parameter
    score: float  # primary metric in its unit, validation; NaN: diverged
    kind: str  # search, added, default, as reported
    chosen: bool

    @property
    def is_tried(self) -> bool:
        """Whether a point could be chosen by it."""
        return self.kind in TRIED


class RateCurve(NamedTuple):
    """An arm's trials by its tuned parameter."""

    arm: Arm
    name: str  # of the parameter
    low: float  # of what was explored
    high: float
    points: tuple[RatePoint, ...]  # ascending
    good: tuple[float, float]  # from the lowest to the highest value within delta of the best
    chosen: tuple[float, ...]  # by each search; empty while nothing is chosen


def rate_curves(results: ArmRecords) -> list[RateCurve]:
    """The search of every arm along its first tuned parameter."""
    delta = results.delta(results.plan.space.primary)
    curves = []
    for arm in results.plan.space.arms:
        if not arm.search:
            continue
        name, span = next(iter(arm.search.items()))
        chosen = tuple(point[name] for point in results.chosen_points(arm).values())
        stages = ("search", "added", "beside")
        runs = [run for stage in stages for run in results.runs(arm.name, stage)]
        points = sorted(
            RatePoint(
                value=run.point[name],
                score=score_in_unit(results, run),
                kind=run.why or run.stage,
                chosen=run.point[name] in chosen and run.stage != "beside",
            )
            for run in runs
        )
        tried = [point for point in points if point.is_tried]
        finished = [point for point in tried if not math.isnan(point.score)]
        if not finished:
            continue
        choose = max if results.plan.space.primary.higher_is_better else min
        best = choose(point.score for point in finished)
        near = [point.value for point in finished if abs(point.score - best) <= delta]
        curves.append(
            RateCurve(
                arm=arm,
                name=name,
                low=min([span.low, *(point.value for point in tried)]),
                high=max([span.high, *(point.value for point in tried)]),
                points=tuple(points),
                good=(min(near), max(near)),
                chosen=chosen,
            )
        )
    return curves


class LossAndScore(NamedTuple):
    """Loss and primary metric, in its unit, of an arm's runs in a stage."""

    arm: Arm
    stage: str
    loss: tuple[float, ...]
    score: tuple[float, ...]


def loss_and_score(results: ArmRecords) -> list[LossAndScore]:
    """Finished replica and final runs: their loss against the primary metric."""
    pairs = []
    for stage in ("replica", "final"):
        for arm in results.plan.space.arms:
            runs = [run for run in results.runs(arm.name, stage) if run.status == "finished"]
            runs = [run for run in runs if has_both(results, run)]
            if runs and not arm.of:
                loss = tuple(run.metric("loss") for run in runs)
                score = tuple(score_in_unit(results, run) for run in runs)
                pairs.append(LossAndScore(arm, stage, loss, score))
    return pairs


def has_both(results: ArmRecords, record: Record) -> bool:
    """Whether a run has a finite loss and a finite primary metric."""
    return math.isfinite(record.metric("loss")) and math.isfinite(score_in_unit(results, record))


def rank_correlation(groups: list[LossAndScore], metric: Metric) -> float:
    """Spearman's correlation of a lower loss with a better score; NaN for fewer than three runs."""
    sign = 1 if metric.higher_is_better else -1
    loss = [-value for group in groups for value in group.loss]
    scores = [sign * value for group in groups for value in group.score]
    if len(loss) < 3 or len(set(loss)) < 2 or len(set(scores)) < 2:
        return math.nan
    return float(stats.spearmanr(loss, scores).statistic)


def epoch_curves(
    results: ArmRecords, arm: str, stage: str, *, key: str = "loss", scale: float = 1.0
) -> dict[int, list[float]]:
    """A number of each epoch, times the scale, by seed, of the finished runs of a stage."""
    runs = [run for run in results.runs(arm, stage) if run.status == "finished" and run.curve]
    complete = [run for run in runs if all(row.get(key) is not None for row in run.curve)]
    return {run.seed: [float(row[key]) * scale for row in run.curve] for run in complete}


def budget_curves(results: ArmRecords) -> dict[str, list[float]]:
    """Expected best primary metric, in its unit, after k search trials, by arm.

    A trial without a result counts as the worst of all.
    """
    searched = {arm.name: results.runs(arm.name, "search") for arm in results.plan.space.arms}
    scores = {
        name: [score_in_unit(results, run) for run in runs] for name, runs in searched.items()
    }
    finished = [score for found in scores.values() for score in found if not math.isnan(score)]
    if not finished:
        return {}
    sign = 1 if results.plan.space.primary.higher_is_better else -1  # a lower error is better
    worst = min(sign * score for score in finished)
    curves = {}
    for name, found in scores.items():
        gains = [worst if math.isnan(score) else sign * score for score in found]
        if gains:
            of_a_search = results.plan.sizes.search_trials if results.plan.repeats else len(gains)
            curves[name] = [sign * gain for gain in expected_best(gains)[:of_a_search]]
    return curves
