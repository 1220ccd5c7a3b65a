"""The page's section on an ordered parameter: the primary and the other metrics along it, a line for each group of arms."""

import math
from typing import Any

from study.analysis.summaries import interval_of
from study.analysis.verdict import values_of
from study.design.plan import Plan
from study.design.space import Arm, Metric
from study.design.stages import Records
from study.figures.panel import (
    Axis,
    Band,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    decade_ticks,
    padded,
    ticks,
)
from study.report.section import digits
from study.text import capital, number, short

LEAST = 3  # places, for a line

Spot = tuple[Arm, float, float, float, int]  # arm, mean, the interval's ends, n


def along(plan: Plan, records: Records) -> dict[str, Any] | None:
    """Figure and panels; None where too few arms have a place on the axis and a result."""
    panels = [panel for metric in plan.metrics if (panel := metric_panel(plan, records, metric))]
    if not panels:
        return None
    metric = plan.metrics[0]
    groups = spots_of(plan, records, metric)
    best = [
        (group, max(spots, key=lambda spot: spot[1] if metric.higher_is_better else -spot[1]))
        for group, spots in groups.items()
    ]
    told = "; ".join(
        f"{group + ': ' if group else ''}highest mean at {spot[0].title}" for group, spot in best
    )
    head = [
        capital(plan.axis),
        "Group",
        capital(plan.scientific),
        *(capital(m.title) for m in plan.metrics),
        "n",
    ]
    return {
        "figure": {
            "id": "along", "title": told[:1].upper() + told[1:],
            "sub": "Means of the final stage with pointwise 95 % t bands; every mark is one arm.",
            "caption": "The highest mean of many is partly luck: only the claims in the first section are tests. Lines join the arms of a group in the order of the axis.",
            "table": {"caption": f"By {plan.axis}: mean [95 % interval]", "head": head, "rows": table_rows(plan, records, groups)},
        },
        "panels": panels,
    }  # fmt: skip


def spots_of(plan: Plan, records: Records, metric: Metric) -> dict[str, list[Spot]]:
    """By group, the arms that have a place and a value, in the order of the axis; groups of fewer than LEAST are left out."""
    found: dict[str, list[Spot]] = {}
    for arm in sorted(
        (arm for arm in plan.arms if arm.at is not None), key=lambda arm: arm.at or 0.0
    ):
        values = list(values_of(plan, records, arm.name, "final", metric).values())
        if values:
            found.setdefault(arm.group, []).append(
                (arm, sum(values) / len(values), *interval_of(metric, values), len(values))
            )
    return {group: spots for group, spots in found.items() if len(spots) >= LEAST}


def metric_panel(plan: Plan, records: Records, metric: Metric) -> Panel | None:
    """One metric along the axis."""
    groups = spots_of(plan, records, metric)
    if not groups:
        return None
    marks: list[Mark] = []
    for group, spots in groups.items():
        first = spots[0][0].name
        x, mean = tuple(arm.at or 0.0 for arm, *_ in spots), tuple(spot[1] for spot in spots)
        banded = [spot for spot in spots if not math.isnan(spot[2])]
        if banded:
            marks.append(
                Band(
                    first,
                    tuple(s[0].at or 0.0 for s in banded),
                    tuple(s[2] for s in banded),
                    tuple(s[3] for s in banded),
                )
            )
        marks.append(Line(first, x, mean, end=group))
        unit = "%" if metric.unit == "points" else metric.unit
        marks += [
            Points(
                s[0].name,
                "mean",
                (s[0].at or 0.0,),
                (s[1],),
                (f"{s[0].title}: {number(s[1], digits(metric))} {unit}",),
            )
            for s in spots
        ]
    if len({spot[1] for spots in groups.values() for spot in spots}) == 1:
        return None  # what the parameter cannot change
    values = [v for spots in groups.values() for s in spots for v in s[1:4] if not math.isnan(v)]
    low, high = padded(values, least=0.5 if metric.unit == "points" else 0.02)
    places = [spot[0].at or 0.0 for spots in groups.values() for spot in spots]
    left, right = min(places) / 1.5, max(places) * 1.5
    chance = plan.data.get("chance", {}).get(metric.name)
    if chance is not None and low <= chance * metric.scale <= high and metric.unit == "points":
        marks.insert(0, Rule("ref", chance * metric.scale, vertical=False, label="chance"))
    unit = "%" if metric.unit == "points" else metric.unit
    told = "; ".join(
        f"{s[0].title} {number(s[1], digits(metric))}" for spots in groups.values() for s in spots
    )
    return Panel(
        f"along-{metric.name}", capital(metric.title), "means of the final stage, pointwise 95 % t bands", f"{told} {unit}",
        Axis(left, right, decade_ticks(left, right), plan.axis, log=True), Axis(low, high, ticks(low, high, 5), f"test {metric.title}, {unit}"),
        tuple(marks), 260, right=96 if any(groups) else 16,
    )  # fmt: skip


def table_rows(plan: Plan, records: Records, groups: dict[str, list[Spot]]) -> list[list[str]]:
    """Every arm of the figure, with all metrics."""
    rows = []
    for group, spots in groups.items():
        for arm, *_, n in spots:
            cells = []
            for metric in plan.metrics:
                values = list(values_of(plan, records, arm.name, "final", metric).values())
                low, high = interval_of(metric, values)
                places = digits(metric)
                cells.append(
                    f"{number(sum(values) / len(values), places)} [{number(low, places)}, {number(high, places)}]"
                    if values
                    else "–"
                )
            rows.append([short(arm.at or 0.0), group or "–", arm.title, *cells, str(n)])
    return rows
