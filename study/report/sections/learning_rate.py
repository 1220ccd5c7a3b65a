"""The page's section on the search: the score of every trial by its first tuned parameter."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from study.analysis.results import Results
from study.analysis.summaries import RateCurve, RatePoint, chosen_words
from study.design.plan import Plan
from study.design.space import Metric
from study.design.stages import EDGE
from study.figures.panel import (
    Axis,
    Bar,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    Zone,
    decade_axis,
    readable_range,
    value_axis,
)
from study.report.section import Figure, Section, Table
from study.text import capitalize, count_words, format_number, format_short, join_words

NEAR = 5  # δ within which an arm still does well at the reported value


@dataclass(frozen=True, kw_only=True)
class RateSection(Section):
    """The search with what its key says of the bars."""

    within: str


class Axes(NamedTuple):
    """The axes that all panels of the section share."""

    x: Axis
    y: Axis


def rate_section(results: Results) -> RateSection | None:
    """The search; None while no trial of it has finished."""
    if not results.rate_curves:
        return None
    plan, metric = results.plan, results.plan.space.primary
    figure = Figure(
        id="rate",
        title=title(results),
        sub=(
            f"{capitalize(metric.title)} on the validation split. n = 1 seed a trial, no interval; "
            f"{searches_words(plan)}."
        ),
        caption=caption(plan) + beyond_words(results),
        table=trials_table(results),
    )
    delta = f"{results.delta(metric):.{metric.decimals}f} {metric.unit}"
    return RateSection(
        figure=figure, panels=rate_panels(results), within=f"within δ = {delta} of the best"
    )


def searches_words(plan: Plan) -> str:
    """How many trials each arm had."""
    trials = count_words(plan.sizes.search_trials, "search trial")
    return f"{plan.sizes.searches} searches of {trials} each" if plan.repeats else f"{trials} each"


def title(results: Results) -> str:
    """Which arms the reported value suits."""
    plan, curves = results.plan, results.rate_curves
    reported, metric = plan.space.replica.values.get(curves[0].name), plan.space.primary
    reach = NEAR * results.delta(metric)
    gaps = {curve.arm.title: gap_at(curve, reported, metric) for curve in curves}
    near = [name for name, gap in gaps.items() if gap is not None and gap <= reach]
    far = [name for name, gap in gaps.items() if gap is not None and name not in near]
    if not reported or not (near or far):
        names = join_words([plan.words.title(name) for name in parameters(results)])
        return f"{capitalize(metric.title)} by {names}: every search trial, one seed each"
    parts = []
    if near:
        stay = "stays" if len(near) == 1 else "stay"
        parts.append(f"{join_words(near)} {stay} within {NEAR} δ of the best search trial")
    if far:
        fall = "falls" if len(far) == 1 else "fall"
        parts.append(f"{join_words(far)} {fall} more than {NEAR} δ behind the best search trial")
    return f"At {reported:g}: {'; '.join(parts)}"


def gap_at(curve: RateCurve, value: float | None, metric: Metric) -> float | None:
    """How far the score at a value lies behind the best one; None where it was not tried."""
    at = score_at(curve, value)
    if at is None:
        return None
    scores = [point.score for point in finished_points(curve.points) if point.is_tried]
    if not scores or math.isnan(at):
        return math.inf
    return max(scores) - at if metric.higher_is_better else at - min(scores)


def score_at(curve: RateCurve, value: float | None) -> float | None:
    """The score at a value of the parameter, NaN if it diverged; None where it was not tried."""
    return next((point.score for point in curve.points if point.value == value), None)


def parameters(results: Results) -> list[str]:
    """The parameters along which the arms were searched."""
    return list(dict.fromkeys(curve.name for curve in results.rate_curves))


def finished_points(points: Iterable[RatePoint]) -> list[RatePoint]:
    """Those that have a score."""
    return [point for point in points if not math.isnan(point.score)]


def caption(plan: Plan) -> str:
    """How the points were made and one was chosen."""
    sizes = plan.sizes
    scramble = "one scramble a search" if plan.repeats else "the same scramble"
    points = f"Points are quasi-random on a log scale, {scramble} for all arms. "
    if sizes.added_trials:
        points += (
            "Where an arm’s best trial was its outermost or lay in the outer tenth of its range, "
            f"{count_words(sizes.added_trials, 'point')} were added beyond that edge; the same was "
            "allowed to all. "
        )
    if plan.repeats:
        return points + (
            "A search chooses where the parabola through its best trial and the two beside it is "
            "best; the rings at the bottom are these choices, one a search."
        )
    return points + (
        f"The chosen point is the best mean of {sizes.confirm_seeds} new seeds among the top "
        f"{sizes.confirm_points} trials, which need not be the best single trial."
    )


def beyond_words(results: Results) -> str:
    """How many trials lie beyond the axis; empty where none does."""
    if not (scores := finished_scores(results)):
        return ""
    low, high = score_range(results)
    if not (beyond := sum(not low <= score <= high for score in scores)):
        return ""
    trials = "1 trial lies" if beyond == 1 else f"{beyond} trials lie"
    return f" {trials} beyond the axis and {'is' if beyond == 1 else 'are'} drawn at its end."


def finished_scores(results: Results) -> list[float]:
    """The scores of all trials of the search that have one."""
    return [p.score for curve in results.rate_curves for p in finished_points(curve.points)]


def score_range(results: Results) -> tuple[float, float]:
    """The ends of the axis of scores, which all panels share."""
    return readable_range(finished_scores(results), results.plan.space.primary.higher_is_better)


def trials_table(results: Results) -> Table:
    """Every trial with its value and score."""
    space = results.plan.space
    metric, name = space.primary, ", ".join(parameters(results))

    def score(point: RatePoint) -> str:
        if math.isnan(point.score):
            return "diverged"
        return format_number(point.score, metric.decimals)

    return Table(
        caption=f"Validation {metric.title}, one seed a trial",
        head=[capitalize(space.scientific), name, "Why tried", capitalize(metric.title)],
        rows=[
            [curve.arm.title, format_short(point.value), point.kind, score(point)]
            for curve in results.rate_curves
            for point in curve.points
        ],
    )


def rate_panels(results: Results) -> tuple[Panel, ...]:
    """Score by value, a panel an arm on shared axes."""
    low, high = score_range(results)
    values = [point.value for curve in results.rate_curves for point in curve.points]
    axes = Axes(x=decade_axis(min(values) / 1.6, max(values) * 1.6), y=value_axis(low, high))
    return tuple(rate_panel(results.plan, curve, axes) for curve in results.rate_curves)


def rate_panel(plan: Plan, curve: RateCurve, axes: Axes) -> Panel:
    """One arm's trials by its parameter."""
    reported = plan.space.replica.values.get(curve.name)
    words = curve_words(curve, reported, plan.space.primary)
    marks = [
        *edge_zones(curve, axes.x),
        *([Rule("ref", reported, label=f"{reported:g}")] if reported else []),
        *curve_marks(curve, axes.y, plan),
    ]
    return Panel(
        id=f"rate-{curve.arm.name}",
        title=curve.arm.title,
        note=words,
        finding=words,
        x=axes.x,
        y=axes.y,
        marks=tuple(marks),
        height=150,
        right=8,
        top=26,
        bottom=28,
    )


def edge_zones(curve: RateCurve, x: Axis) -> list[Mark]:
    """Where a best point would fail the range gate."""
    margin = 10 ** (EDGE * curve.arm.search[curve.name].decades)
    return [Zone(x.low, curve.low * margin), Zone(curve.high / margin, x.high)]


def curve_marks(curve: RateCurve, y: Axis, plan: Plan) -> list[Mark]:
    """Line, values within δ of the best, and every trial; of several searches no line."""
    arm, bottom, height = curve.arm.name, y.low, y.high - y.low
    places = plan.space.primary.decimals
    tried = [point for point in curve.points if point.is_tried]
    best = finished_points(tried)
    values, scores = tuple(p.value for p in best), tuple(y.clip(p.score) for p in best)
    marks: list[Mark] = [] if plan.repeats else [Line(arm=arm, x=values, y=scores, thin=True)]
    low, high = curve.good
    if high > low:
        marks.append(Bar(arm=arm, kind="ci", low=low, high=high, y=bottom + height * 0.02))
    marks += [
        rate_marks(curve, "hollow", [one for one in curve.points if not one.is_tried], y, places),
        rate_marks(curve, "solid", tried, y, places),
        chosen_marks(curve, y)
        if plan.repeats
        else rate_marks(curve, "ring", [point for point in tried if point.chosen], y, places),
    ]
    if diverged := tuple(point.value for point in curve.points if math.isnan(point.score)):
        hover = tuple(f"{curve.name} {format_short(value)}: diverged" for value in diverged)
        heights = (bottom + height * 0.1,) * len(diverged)
        marks.append(Points(arm=arm, kind="cross", x=diverged, y=heights, hover=hover))
    return marks


def chosen_marks(curve: RateCurve, y: Axis) -> Points:
    """What each search chose, at the bottom: no trial need have run there."""
    bottom = y.low + (y.high - y.low) * 0.06
    hover = tuple(f"chosen {curve.name} {format_short(value)}" for value in curve.chosen)
    heights = (bottom,) * len(curve.chosen)
    return Points(arm=curve.arm.name, kind="ring", x=curve.chosen, y=heights, hover=hover)


def rate_marks(
    curve: RateCurve, kind: str, points: list[RatePoint], y: Axis, places: int
) -> Points:
    """The finished ones of these trials; one beyond the axis stands at its end."""
    shown = finished_points(points)
    return Points(
        arm=curve.arm.name,
        kind=kind,
        x=tuple(point.value for point in shown),
        y=tuple(y.clip(point.score) for point in shown),
        hover=tuple(
            f"{curve.name} {format_short(point.value)}: {format_number(point.score, places)} "
            f"({point.kind})"
            for point in shown
        ),
    )


def curve_words(curve: RateCurve, reported: float | None, metric: Metric) -> str:
    """What was chosen, how forgiving the arm is, and what it gives at the reported value."""
    chosen, (low, high) = curve.chosen, curve.good
    at = score_at(curve, reported)
    return "; ".join(
        [
            f"chosen {chosen_words(chosen)}" if chosen else "not chosen yet",
            "only the best within δ"
            if low == high
            else f"{math.log10(high / low):.1f} decades within δ",
            *([] if at is None else [f"{score_words(at, metric)} at {reported:g}"]),
        ]
    )


def score_words(score: float, metric: Metric) -> str:
    """A score in few digits."""
    if math.isnan(score):
        return "diverged"
    return f"{score:.0f} %" if metric.level_unit == "%" else f"{score:.2f}"
