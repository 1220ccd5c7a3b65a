"""Two arms compared by a metric: paired differences, and the interval over both draws."""

from typing import NamedTuple

import numpy as np

from study.analysis.arm_records import ArmRecords
from study.analysis.correct_items import crossed_interval
from study.analysis.statistics import ArmDifference, paired, unpaired
from study.design.space import Metric

SAME = 1e-4  # up to which a share of right items and a result's metric are the same


class ArmStage(NamedTuple):
    """An arm's or a control's runs of a stage."""

    arm: str
    stage: str


def compare(
    results: ArmRecords,
    first: ArmStage,
    second: ArmStage,
    *,
    metric: Metric,
    level: float = 0.95,
    seeds: int = 0,
    advantage: bool = True,
) -> ArmDifference:
    """The paired differences first − second in the metric's unit; of given runs also unpaired.

    The interval covers seeds or searches, and the test items too where every run says which of
    them were right, and the shares of those are the metric.

    Args:
        level: of the interval, in (0, 1).
        seeds: only the first so many seeds as planned; 0: all.
        advantage: turned so that positive favours the first where a lower value is better.
    """
    sign = -1 if advantage and not metric.higher_is_better else 1
    ours, theirs = (
        {unit: sign * value for unit, value in results.values(*side, metric, seeds).items()}
        for side in (first, second)
    )
    if results.plan.given and not results.plan.given.is_paired:
        return unpaired([*ours.values()], [*theirs.values()], level)
    result = paired(ours, theirs, level)
    if result.n < 2:
        return result
    correct = [results.correct_items(*side, metric) for side in (first, second)]
    rows = [side.get(unit) for side in correct for unit in result.seeds]
    known = [row for row in rows if row is not None]
    if len(known) < len(rows) or len({len(row) for row in known}) != 1 or len(known[0]) < 2:
        return result
    scale = sign * metric.scale
    one, other = (scale * np.stack([side[unit] for unit in result.seeds]) for side in correct)
    for shares, values in ((one, ours), (other, theirs)):
        apart = shares.mean(1) - [values[unit] for unit in result.seeds]
        if np.abs(apart).max() > SAME * metric.scale:  # they are not the metric's items
            return result
    crossed = crossed_interval(one - other, level)
    return result._replace(
        low=crossed.low, high=crossed.high, items=len(known[0]), item_sd=crossed.item_sd
    )
