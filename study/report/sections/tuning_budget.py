"""The page's section on the budget: what one more search trial buys, and what tuning adds."""

import math
from collections.abc import Iterable

from study.analysis.results import Results
from study.design.plan import Plan
from study.figures.panel import (
    Axis,
    Bar,
    Line,
    Mark,
    Panel,
    Points,
    Tick,
    arm_rows,
    pad_range,
    value_axis,
)
from study.report.section import DASH, ROW, Figure, Section, Table, row_panel
from study.report.wording import format_level, format_size
from study.text import format_number, plural

Curves = dict[str, list[float]]  # expected best after k trials, by arm


def budget_section(results: Results) -> Section | None:
    """What tuning buys; None where no arm is searched evenly or has had two search trials."""
    curves = results.budget_curves
    if not results.plan.tunes or not curves or most_trials(curves) < 2:
        return None
    shared = shared_trials(curves)
    figure = Figure(
        id="budget",
        title=title(results, shared),
        sub=subtitle(results.plan, shared),
        caption=caption(results.plan, shared),
        table=best_table(results, shared),
    )
    first = curve_panel(results)
    has_final = any(one.arm.name in curves for one in results.arms)
    return Section(figure, (first, default_panel(results)) if has_final else (first,))


def most_trials(curves: Curves) -> int:
    """Search trials of the arm that has the most."""
    return max(len(curve) for curve in curves.values())


def shared_trials(curves: Curves) -> int:
    """Search trials that every arm has."""
    return min(len(curve) for curve in curves.values())


def title(results: Results, trials: int) -> str:
    """How far the arms lie apart with one trial each and with all of them."""
    space, curves = results.plan.space, results.budget_curves.values()
    first, last = (gap(curve[k] for curve in curves) for k in (0, trials - 1))
    return (
        f"With one trial the {plural(space.scientific)} lie {format_size(first, space.primary)} "
        f"apart; with {trials} they lie {format_size(last, space.primary)} apart"
    )


def gap(values: Iterable[float]) -> float:
    """From the lowest to the highest."""
    ordered = sorted(values)
    return ordered[-1] - ordered[0]


def subtitle(plan: Plan, trials: int) -> str:
    """From how many trials the curves are computed."""
    if plan.repeats:
        return f"n = {plan.sizes.searches} searches of {trials} trials each; no interval."
    return f"n = {trials} search trials each, one search; no interval."


def caption(plan: Plan, trials: int) -> str:
    """How the curves were computed."""
    pooled = plan.sizes.searches * trials
    luck = "" if plan.repeats else " The search was done once: its own luck is not measured."
    return (
        f"Expected best of k trials drawn without replacement from the {pooled} (Tang et al. "
        f"2020), drawn only to k = {trials}, the trials of one search. A diverged trial counts as "
        f"the worst of all.{luck}"
    )


def best_table(results: Results, trials: int) -> Table:
    """Each arm's expected best after k trials."""
    metric, curves = results.plan.space.primary, results.budget_curves

    def cells(k: int) -> list[str]:
        return [
            format_number(curve[k], metric.decimals) if k < len(curve) else DASH
            for curve in curves.values()
        ]

    return Table(
        caption=f"Expected best validation {metric.title} after k trials",
        head=["k", *map(results.plan.title, curves)],
        rows=[[str(k + 1), *cells(k)] for k in range(trials)],
    )


def curve_panel(results: Results) -> Panel:
    """Expected best after k search trials."""
    plan, curves = results.plan, results.budget_curves
    metric, most = plan.space.primary, most_trials(curves)
    low, high = pad_range([value for curve in curves.values() for value in curve])
    lines = (
        Line(
            arm=name,
            x=tuple(float(k + 1) for k in range(len(curve))),
            y=tuple(curve),
            end=plan.title(name),
        )
        for name, curve in curves.items()
    )

    def level(value: float) -> str:
        return format_number(value, metric.decimals)

    words = (
        f"{plan.title(name)} {level(curve[0])} at one, {level(curve[-1])} at {len(curve)} trials"
        for name, curve in curves.items()
    )
    each_trial = tuple(Tick(float(k), str(k)) for k in range(1, most + 1))
    return Panel(
        id="budget-curve",
        title="Expected best after k trials",
        note=f"{most} search trials each, one seed each; no interval",
        finding="; ".join(words),
        x=Axis(low=1, high=most, ticks=each_trial, title="search trials, k"),
        y=value_axis(low, high, f"validation {metric.title}, {metric.level_unit}", count=4),
        marks=tuple(lines),
        height=260,
        right=84,
    )


def default_panel(results: Results) -> Panel:
    """What one search adds to the default, on the split by which it chooses."""
    plan, metric, curves = results.plan, results.plan.space.primary, results.budget_curves
    defaults = {one.arm.name: one.default for one in results.arms}
    names = [arm.name for arm in plan.space.arms if arm.name in curves and arm.name in defaults]
    ends = {name: (defaults[name], curves[name][-1]) for name in names}
    scores = [score for pair in ends.values() for score in pair if not math.isnan(score)]
    low, high = pad_range(scores, least=metric.delta)
    rows = arm_rows(names, ROW)
    marks = [mark for row in rows for mark in default_marks(row.arm, *ends[row.arm], row.y)]
    words = (
        f"{plan.title(name)} from {format_level(default, metric)} to {format_level(best, metric)}"
        for name, (default, best) in ends.items()
        if not math.isnan(default)
    )
    return row_panel(
        plan,
        rows,
        id="budget-default",
        title="The default against the expected best of one search",
        note=f"hollow: default, one run; solid: expected best of {shared_trials(curves)}",
        finding="; ".join(words),
        x=value_axis(low, high, f"validation {metric.title}, {metric.level_unit}"),
        marks=marks,
    )


def default_marks(arm: str, default: float, best: float, y: float) -> list[Mark]:
    """An arm's default, the expected best of its search, and what lies between."""
    solid = Points(arm=arm, kind="solid", x=(best,), y=(y,))
    if math.isnan(default):
        return [solid]
    return [
        Bar(arm=arm, kind="tie", low=default, high=best, y=y),
        Points(arm=arm, kind="hollow", x=(default,), y=(y,)),
        solid,
    ]
