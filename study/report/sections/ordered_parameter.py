"""The page's section on an ordered parameter: each metric along it, a line a group of arms."""

import math
from typing import NamedTuple

from study.analysis.results import Results
from study.analysis.summaries import mean_interval, mean_or_nan
from study.design.space import Arm, Metric
from study.figures.panel import (
    Band,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    decade_axis,
    pad_range,
    value_axis,
)
from study.report.section import DASH, Figure, Section, Table
from study.report.wording import format_ends
from study.text import capitalize, format_number, format_short

LEAST = 3  # places, for a line


class ArmMean(NamedTuple):
    """An arm's mean in the final stage, at its place on the axis."""

    arm: Arm
    at: float
    mean: float
    low: float  # of the 95 % t interval; NaN for one value
    high: float
    n: int


Groups = dict[str, list[ArmMean]]  # by group, in the order of the axis


def ordered_section(results: Results) -> Section | None:
    """The metrics along the axis; None where too few arms have a place on it and a result."""
    space = results.plan.space
    panels = [panel for metric in space.metrics if (panel := metric_panel(results, metric))]
    if not panels:
        return None
    groups = ordered_means(results, space.primary)
    side = "highest" if space.primary.higher_is_better else "lowest"
    figure = Figure(
        id="along",
        title=title(groups, space.primary),
        sub="Means of the final stage with pointwise 95 % t bands; every mark is one arm.",
        caption=(
            f"The {side} mean of many is partly luck: only the claims in the first section are "
            "tests. Lines join the arms of a group in the order of the axis."
        ),
        table=means_table(results, groups),
    )
    return Section(figure, tuple(panels))


def ordered_means(results: Results, metric: Metric) -> Groups:
    """The arms that have a place and a value; groups of fewer than LEAST are left out."""
    groups: Groups = {}
    placed = [arm for arm in results.plan.space.arms if arm.at is not None]
    for arm in sorted(placed, key=lambda arm: arm.at or 0.0):
        values = list(results.values(arm.name, "final", metric).values())
        if values:
            groups.setdefault(arm.group, []).append(arm_mean(arm, metric, values))
    return {group: means for group, means in groups.items() if len(means) >= LEAST}


def arm_mean(arm: Arm, metric: Metric, values: list[float]) -> ArmMean:
    """The mean of an arm's values."""
    low, high = mean_interval(metric, values)
    return ArmMean(
        arm=arm,
        at=arm.at or 0.0,
        mean=mean_or_nan(values),
        low=low,
        high=high,
        n=len(values),
    )


def title(groups: Groups, metric: Metric) -> str:
    """Where each group's best mean lies."""
    choose, side = (max, "highest") if metric.higher_is_better else (min, "lowest")
    parts = []
    for group, means in groups.items():
        best = choose(means, key=lambda one: one.mean)
        parts.append(f"{group + ': ' if group else ''}{side} mean at {best.arm.title}")
    return capitalize("; ".join(parts))


def means_table(results: Results, groups: Groups) -> Table:
    """Every arm of the figure, with all metrics."""
    space = results.plan.space

    def cells(one: ArmMean) -> list[str]:
        return [mean_words(results, one.arm, metric) for metric in space.metrics]

    return Table(
        caption=f"By {space.axis}: mean [95 % interval]",
        head=[
            capitalize(space.axis),
            "Group",
            capitalize(space.scientific),
            *(capitalize(metric.title) for metric in space.metrics),
            "n",
        ],
        rows=[
            [format_short(one.at), group or DASH, one.arm.title, *cells(one), str(one.n)]
            for group, means in groups.items()
            for one in means
        ],
    )


def mean_words(results: Results, arm: Arm, metric: Metric) -> str:
    """An arm's mean in a metric with its interval."""
    values = list(results.values(arm.name, "final", metric).values())
    if not values:
        return DASH
    mean = format_number(mean_or_nan(values), metric.decimals)
    return f"{mean} {format_ends(*mean_interval(metric, values), metric, signed=False)}".rstrip()


def metric_panel(results: Results, metric: Metric) -> Panel | None:
    """One metric along the axis; None where the parameter cannot change it, or too few arms."""
    groups = ordered_means(results, metric)
    means = [one for group in groups.values() for one in group]
    if len({one.mean for one in means}) < 2:
        return None
    numbers = [number for one in means for number in (one.mean, one.low, one.high)]
    least = 0.5 if metric.unit == "points" else 0.02
    low, high = pad_range([number for number in numbers if not math.isnan(number)], least=least)
    marks: list[Mark] = chance_rule(results, metric, low=low, high=high)
    for group, members in groups.items():
        marks += group_marks(group, members, metric)
    unit, places = metric.level_unit, [one.at for one in means]
    words = (f"{one.arm.title} {format_number(one.mean, metric.decimals)}" for one in means)
    return Panel(
        id=f"along-{metric.name}",
        title=capitalize(metric.title),
        note="means of the final stage, pointwise 95 % t bands",
        finding=f"{'; '.join(words)} {unit}",
        x=decade_axis(min(places) / 1.5, max(places) * 1.5, results.plan.space.axis),
        y=value_axis(low, high, f"test {metric.title}, {unit}"),
        marks=tuple(marks),
        height=260,
        right=96 if any(groups) else 16,
    )


def chance_rule(results: Results, metric: Metric, *, low: float, high: float) -> list[Mark]:
    """A line at what guessing gives, where that is known and lies within the axis."""
    chance = results.plan.data.chance.get(metric.name)
    if chance is None or metric.unit != "points" or not low <= chance * metric.scale <= high:
        return []
    return [Rule("ref", chance * metric.scale, vertical=False, label="chance")]


def group_marks(group: str, means: list[ArmMean], metric: Metric) -> list[Mark]:
    """A group's line with its band, in its first arm's colour, and a mark for each arm."""
    first, banded = means[0].arm.name, [one for one in means if not math.isnan(one.low)]
    marks: list[Mark] = []
    if banded:
        marks.append(
            Band(
                arm=first,
                x=tuple(one.at for one in banded),
                low=tuple(one.low for one in banded),
                high=tuple(one.high for one in banded),
            )
        )
    x, y = tuple(one.at for one in means), tuple(one.mean for one in means)
    return [
        *marks,
        Line(arm=first, x=x, y=y, end=group),
        *(mean_mark(one, metric) for one in means),
    ]


def mean_mark(one: ArmMean, metric: Metric) -> Points:
    """An arm's mark."""
    words = f"{one.arm.title}: {format_number(one.mean, metric.decimals)} {metric.level_unit}"
    return Points(arm=one.arm.name, kind="mean", x=(one.at,), y=(one.mean,), hover=(words,))
