"""The page's figures with their frames: title, subtitle, panels, caption and the table behind each."""

import math

from study.analysis.summaries import RateCurve, RatePoint, rate_curves
from study.analysis.verdict import delta_of
from study.design.plan import Plan
from study.design.space import Metric
from study.design.stages import Records
from study.figures.panel import (
    Axis,
    Bar,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    Zone,
    decade_ticks,
    padded,
    ticks,
)
from study.report.section import Section, digits, frame
from study.text import capital, joined, number, short


def rate_title(plan: Plan, curves: list[RateCurve], delta: float) -> str:
    """Which arms the reported value suits."""
    metric, reported = plan.metrics[0], plan.replica.values.get(curves[0].name)
    lost: list[str] = []
    kept: list[str] = []
    for curve in curves:
        best = max(
            (
                p.score
                for p in curve.points
                if p.kind in ("search", "added") and not math.isnan(p.score)
            ),
            default=math.nan,
        )
        at = next((p.score for p in curve.points if p.value == reported), None)
        if at is not None:
            (kept if not math.isnan(at) and best - at <= 5 * delta else lost).append(
                curve.arm.title
            )
    if not reported or not (kept or lost):
        return f"{capital(metric.title)} by learning rate: every search trial, one seed each"
    behind = (
        f"{joined(lost)} {'falls' if len(lost) == 1 else 'fall'} more than 5 δ behind the best search trial"
        if lost
        else ""
    )
    if not kept:
        return f"At {reported:g} {behind}"
    within = f"At {reported:g} {joined(kept)} {'stays' if len(kept) == 1 else 'stay'} within 5 δ of the best search trial"
    return f"{within}; {behind}" if lost else within


def rate(plan: Plan, records: Records) -> Section | None:
    """The search by learning rate."""
    curves, metric = rate_curves(plan, records), plan.metrics[0]
    if not curves:
        return None
    delta = delta_of(plan, records, metric)
    title = rate_title(plan, curves, delta)
    sub = f"{capital(metric.title)} on the validation split. n = 1 seed a trial, no interval; {plan.sizes.search_trials} search trials each."
    caption = (
        "Points are quasi-random on a log scale, the same scramble for all arms. Where an arm’s best trial was its outermost or lay in the outer tenth of its range, "
        f"{plan.sizes.added_trials} points were added beyond that edge; the same was allowed to all. The chosen point is the best mean of {plan.sizes.confirm_seeds} new seeds "
        f"among the top {plan.sizes.confirm_points} trials, which need not be the best single trial."
    )
    rows = [
        [
            c.arm.title,
            short(p.value),
            p.kind,
            "diverged" if math.isnan(p.score) else number(p.score, digits(metric)),
        ]
        for c in curves
        for p in c.points
    ]
    table = {
        "caption": f"Validation {metric.title}, one seed a trial",
        "head": [capital(plan.scientific), "lr", "Why tried", capital(metric.title)],
        "rows": rows,
    }
    return {
        "figure": frame("rate", title, sub, caption, table),
        "panels": rate_panels(plan, curves, delta),
        "within": f"within δ = {delta:.1f} {metric.unit} of the best",
    }


def rate_panels(plan: Plan, curves: list[RateCurve], delta: float) -> list[Panel]:
    """Score by learning rate, a panel an arm on shared axes."""
    if not curves:
        return []
    metric = plan.metrics[0]
    scores = [p.score for c in curves for p in c.points if not math.isnan(p.score)]
    low, high = padded(scores)
    x_low = min(p.value for c in curves for p in c.points) / 1.6
    x_high = max(p.value for c in curves for p in c.points) * 1.6
    y = Axis(low, high, ticks(low, high, 5))
    return [
        rate_panel(
            plan,
            curve,
            Axis(x_low, x_high, decade_ticks(x_low, x_high), log=True),
            y,
            metric,
            delta,
        )
        for curve in curves
    ]


def rate_panel(
    plan: Plan, curve: RateCurve, x: Axis, y: Axis, metric: Metric, delta: float
) -> Panel:
    """One arm's trials by its learning rate."""
    arm = curve.arm.name
    margin = 10 ** (0.1 * curve.arm.search[curve.name].decades)
    reported = plan.replica.values.get(curve.name)
    tried = [p for p in curve.points if p.kind in ("search", "added")]
    good = [p for p in tried if not math.isnan(p.score)]
    marks: list[Mark] = [Zone(x.low, curve.low * margin), Zone(curve.high / margin, x.high)]
    if reported:
        marks.append(Rule("ref", reported, label=f"{reported:g}"))
    marks.append(Line(arm, tuple(p.value for p in good), tuple(p.score for p in good), thin=True))
    if curve.good[1] > curve.good[0]:
        marks.append(Bar(arm, "ci", *curve.good, y.low + (y.high - y.low) * 0.02))
    beside = [p for p in curve.points if p.kind not in ("search", "added")]
    marks += [
        rate_marks(curve, kind, kept)
        for kind, kept in (
            ("hollow", beside),
            ("solid", good),
            ("ring", [p for p in tried if p.chosen]),
        )
    ]
    lost = [p.value for p in curve.points if math.isnan(p.score)]
    if lost:
        height = y.low + (y.high - y.low) * 0.1
        marks.append(
            Points(
                arm,
                "cross",
                tuple(lost),
                (height,) * len(lost),
                tuple(f"{curve.name} {short(value)}: diverged" for value in lost),
            )
        )
    told = rate_words(curve, reported, metric)
    return Panel(
        f"rate-{arm}",
        curve.arm.title,
        told,
        told,
        x,
        y,
        tuple(marks),
        150,
        right=8,
        top=26,
        bottom=28,
    )


def rate_marks(curve: RateCurve, kind: str, points: list[RatePoint]) -> Points:
    """The finished ones of these trials."""
    kept = [p for p in points if not math.isnan(p.score)]
    told = tuple(f"{curve.name} {short(p.value)}: {p.score:.1f} ({p.kind})" for p in kept)
    return Points(
        curve.arm.name, kind, tuple(p.value for p in kept), tuple(p.score for p in kept), told
    )


def rate_words(curve: RateCurve, reported: float | None, metric: Metric) -> str:
    """What was chosen, how forgiving the arm is, and what it gives at the reported value."""
    told = [f"chosen {short(curve.chosen)}" if not math.isnan(curve.chosen) else "not chosen yet"]
    alone = curve.good[0] == curve.good[1]
    told.append(
        "only the best within δ"
        if alone
        else f"{math.log10(curve.good[1] / curve.good[0]):.1f} decades within δ"
    )
    at = next((p.score for p in curve.points if p.value == reported), None)
    if at is not None and math.isnan(at):
        told.append(f"diverged at {reported:g}")
    elif at is not None:
        told.append(
            f"{at:.0f} % at {reported:g}"
            if metric.unit == "points"
            else f"{at:.2f} at {reported:g}"
        )
    return "; ".join(told)
