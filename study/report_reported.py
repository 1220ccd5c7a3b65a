"""The page's table of what the report of 2020 prints, with ours beside it."""

import math
from typing import Any

from study.compare import t_interval
from study.drawings import digits
from study.panel import number
from study.plan import Plan
from study.space import Reported
from study.stages import Records
from study.verdict import values_of

STAGES = {"final": "final stage", "replica": "as reported"}


def reported(plan: Plan, records: Records) -> dict[str, Any] | None:
    """Figure and table; None where the space repeats nothing of the report."""
    if not plan.reported:
        return None
    printed = [row for row in plan.reported if row.number[:1].isdigit()]
    rows = [[row.row, row.what, row.number, ours(plan, records, row), row.differs.format(**plan.base)] for row in plan.reported]
    count = len(printed)
    title = f"{count} printed number{'s' if count != 1 else ''} beside ours" if printed else "No number is printed for these; ours stand alone"
    return {
        "figure": {
            "id": "reported", "title": title, "table": None,
            "sub": "Printed: one run each where nothing else is said, no interval. Ours: mean, 95 % t interval and number of seeds, on the test split.",
            "caption": "The last column says what differs. Two numbers from different set-ups are no test of each other.",
        },
        "caption": "The printed number beside ours",
        "head": ["Source", "What", "Printed", "Ours", "What differs"],
        "rows": rows,
    }  # fmt: skip


def ours(plan: Plan, records: Records, row: Reported) -> str:
    """Mean, interval and n of the arm that stands beside a reported number, or why there is none."""
    if why := plan.why_absent(row.arm):
        return f"{plan.arm(row.arm).title}: not run: {why.split(':')[0]}"
    metric = plan.metric(row.metric)
    values = list(values_of(plan, records, row.arm, row.stage, metric).values())
    if not values:
        return f"{plan.arm(row.arm).title}: not run yet"
    unit, places = "%" if metric.unit == "points" else metric.unit, digits(metric)
    low, high = t_interval(values)
    bounds = "" if math.isnan(low) else f" [{number(low, places)}, {number(high, places)}]"
    mean = sum(values) / len(values)
    return f"{plan.arm(row.arm).title}, {metric.title}: {number(mean, places)} {unit}{bounds}, n = {len(values)}, {STAGES[row.stage]}"
