"""The numbers that the report of 2020 prints, and ours beside them."""

import math
from dataclasses import dataclass

from study.analysis.comparison import ArmStage, compare
from study.analysis.results import Results
from study.analysis.summaries import mean_interval
from study.design.plan import Plan
from study.design.space import Metric, Reported
from study.report.section import DASH, Figure, Section, Table
from study.text import format_number

STAGES = {"final": "final stage", "replica": "as reported"}
FIGURE = Figure(
    id="reported",
    title="No number is printed for these; ours stand alone",
    sub=(
        "Printed: one run each where nothing else is said, no interval. Ours: mean, 95 % t "
        "interval and number of seeds, on the test split. The last column says what differs: two "
        "numbers from different set-ups are no test of each other."
    ),
    caption="",
)


@dataclass(frozen=True, kw_only=True)
class PublishedNumbers(Section):
    """The table."""

    shown: Table


def published_numbers(results: Results) -> PublishedNumbers | None:
    """Figure and table; None where the space repeats nothing of the report."""
    plan = results.plan
    if not (reported := plan.space.reported):
        return None
    printed = {(row.row, row.what, row.number) for row in reported if row.number[:1].isdigit()}
    figure = FIGURE
    if printed:
        plural = "" if len(printed) == 1 else "s"
        figure = FIGURE._replace(title=f"{len(printed)} printed number{plural} beside ours")
    rows = [
        [row.row, row.what, row.number, our_number(results, row), setup_difference(plan, row)]
        for row in reported
    ]
    head = ["Source", "What", "Printed", "Ours", "What differs"]
    shown = Table("The printed number beside ours", head, rows)
    return PublishedNumbers(figure=figure, shown=shown)


def setup_difference(plan: Plan, row: Reported) -> str:
    """What differs between the two set-ups; the data are always said."""
    if plan.why_absent(row.arm) or is_of_other_data(plan, row):
        return DASH
    data = plan.data.about[0][1] if plan.data.about else plan.data.name
    fields = {**plan.base, **plan.space.arm(row.arm).values}
    return f"Ours: {data}. {row.differs.format(**fields)}"


def is_of_other_data(plan: Plan, row: Reported) -> bool:
    """Whether the number was measured on other data than ours."""
    return bool(row.dataset) and row.dataset != plan.data.name


def our_number(results: Results, row: Reported) -> str:
    """Mean, interval and n of the arm beside a reported number, or why there is none."""
    plan = results.plan
    if not row.metric:
        return f"the section on {plan.words.pictures_title.lower()}, where runs left such"
    if is_of_other_data(plan, row):
        return f"other data: --dataset {row.dataset} gives it"
    metric = plan.space.metric(row.metric)
    if why := plan.why_absent(row.arm):
        return f"{plan.title(row.arm)}, {metric.title}: not run, {why.split(':')[0]}"
    if row.against:
        return mean_difference(results, row, metric)
    return mean_value(results, row, metric)


def mean_value(results: Results, row: Reported, metric: Metric) -> str:
    """Ours where the printed number is one of an arm."""
    what = f"{results.plan.title(row.arm)}, {metric.title}"
    values = list(results.values(row.arm, row.stage, metric).values())
    if not values:
        return f"{what}: not run yet"
    low, high = mean_interval(metric, values)
    mean = format_number(sum(values) / len(values), metric.decimals)
    interval = bracket(low, high, metric)
    return f"{what}: {mean} {metric.level_unit}{interval}, n = {len(values)}, {STAGES[row.stage]}"


def mean_difference(results: Results, row: Reported, metric: Metric) -> str:
    """Ours where the printed number is a difference: the paired one."""
    plan = results.plan
    what = f"{plan.title(row.arm)} − {plan.title(row.against)}, {metric.title}"
    ours, theirs = (ArmStage(name, row.stage) for name in (row.arm, row.against))
    result = compare(results, ours, theirs, metric=metric, advantage=False)
    if not result.n:
        return f"{what}: not run yet"
    mean = format_number(result.mean, metric.decimals, True)
    low, high = result.shown_ends or (math.nan, math.nan)
    interval = bracket(low, high, metric, signed=True)
    return f"{what}: {mean} {metric.unit}{interval}, n = {result.n} pairs, {STAGES[row.stage]}"


def bracket(low: float, high: float, metric: Metric, *, signed: bool = False) -> str:
    """An interval in brackets after a space; empty where there is none."""
    if math.isnan(low):
        return ""
    ends = (format_number(end, metric.decimals, signed) for end in (low, high))
    return f" [{', '.join(ends)}]"
