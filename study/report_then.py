"""The page's section on the report of 2020: what it prints with ours beside it, and its figure run again."""

import math
from typing import Any

from study.compare import paired
from study.drawings import digits, drawn_chance, drawn_metric, then_panels
from study.panel import capital, joined, number
from study.plan import Plan
from study.report_sections import Section, fmt, frame
from study.sentences import then_title
from study.space import Metric, Reported
from study.stages import Records
from study.tables import curves_of, interval_of
from study.verdict import Verdict, values_of

STAGES = {"final": "final stage", "replica": "as reported"}


def then(plan: Plan, records: Records, verdicts: list[Verdict]) -> Section:
    """The report's figure beside ours."""
    by_role = {verdict.claim.role: verdict for verdict in verdicts}
    panels, metric = then_panels(plan, records), drawn_metric(plan)
    arms = [arm for arm in plan.arms if arm.in_report]
    curves = {arm.name: curves_of(plan, records, arm.name, "replica", metric.name, metric.scale) for arm in arms}
    found = {name: list(by_seed.values()) for name, by_seed in curves.items() if by_seed}
    head, rows = ["Epoch"], []
    for arm in arms:
        head += [f"{arm.title}, seed {min(curves[arm.name])}", f"mean of {len(curves[arm.name])}"] if arm.name in found else []
    for k in range(min((len(curve) for seeds in found.values() for curve in seeds), default=0)):
        row = [str(k + 1)]
        for seeds in found.values():
            row += [fmt(seeds[0][k], digits(metric)), fmt(sum(curve[k] for curve in seeds) / len(seeds), digits(metric))]
        rows.append(row)
    unit = "%" if metric.unit == "points" else metric.unit
    table = {"caption": f"{capital(metric.title)} in {unit} by epoch: one seed, then the mean of all that finished", "head": head, "rows": rows}
    claim = by_role.get("published")
    title = then_title(plan, claim, by_role.get("replica"))
    drawn = "Pretraining loss" if metric.name == "loss" else capital(metric.title)
    sub = f"{drawn} by epoch at {plan.replica.shown}, the report’s experiment {plan.replica.row}. Left and middle: 1 run each, no interval. Right: means of all seeds, pointwise 95 % t bands."
    return {"figure": frame("then", title, sub, then_caption(plan, metric), table), "panels": panels, "claimed": plan.arm(claim.claim.better).title if claim else "",
            "best": "highest" if metric.higher_is_better else "lowest"}  # fmt: skip


def then_caption(plan: Plan, metric: Metric) -> str:
    """How the replica's curves were made."""
    chance = drawn_chance(plan, metric)
    said = (
        f"Accuracy after each of the epochs, on the test split; nothing is chosen by it. Chance is {chance:.0f} %. "
        if metric.name != "loss" and chance
        else ""
    )
    if metric.name == "loss":
        said = "The loss of an epoch is the mean over its steps. "
        said += f"Chance is {chance:.2f} nats for our queue; a loss at another queue size could not be compared with it. " if chance else ""
        said += "The queue begins with random keys, so the first steps are easier than chance. "
    said += "The bands are pointwise: they do not say from which epoch on two arms differ."
    missing = [arm.title for arm in plan.arms if not arm.in_report and not arm.of]
    if not missing or len(missing) > 6:
        return said
    return said + f" {joined(missing)} {'is' if len(missing) == 1 else 'are'} not in the report and not run here."


def reported(plan: Plan, records: Records) -> dict[str, Any] | None:
    """Figure and table; None where the space repeats nothing of the report."""
    if not plan.reported:
        return None
    printed = {(row.row, row.what, row.number) for row in plan.reported if row.number[:1].isdigit()}
    rows = [[row.row, row.what, row.number, ours(plan, records, row), differs(plan, row)] for row in plan.reported]
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


def differs(plan: Plan, row: Reported) -> str:
    """What differs between the two set-ups; the data are always said."""
    if plan.why_absent(row.arm) or is_of_others(plan, row):
        return "–"
    data = plan.data.get("about", [["", plan.data.get("name", "")]])[0][1]
    return f"Ours: {data}. {row.differs.format(**{**plan.base, **plan.arm(row.arm).values})}"


def is_of_others(plan: Plan, row: Reported) -> bool:
    """Whether the number is one of other data than ours."""
    return bool(row.dataset) and row.dataset != plan.data.get("name")


def ours(plan: Plan, records: Records, row: Reported) -> str:
    """Mean, interval and n of the arm that stands beside a reported number, or why there is none."""
    if not row.metric:
        return "the section on attention maps, where runs left such"
    metric = plan.metric(row.metric)
    what = f"{plan.arm(row.arm).title}, {metric.title}"
    if is_of_others(plan, row):
        return f"other data: --dataset {row.dataset} gives it"
    if why := plan.why_absent(row.arm):
        return f"{what}: not run, {why.split(':')[0]}"
    if row.against:
        return difference(plan, records, row, metric, f"{plan.arm(row.arm).title} − {plan.arm(row.against).title}, {metric.title}")
    values = list(values_of(plan, records, row.arm, row.stage, metric).values())
    if not values:
        return f"{what}: not run yet"
    unit, places = "%" if metric.unit == "points" else metric.unit, digits(metric)
    low, high = interval_of(metric, values)
    bounds = "" if math.isnan(low) else f" [{number(low, places)}, {number(high, places)}]"
    mean = sum(values) / len(values)
    return f"{what}: {number(mean, places)} {unit}{bounds}, n = {len(values)}, {STAGES[row.stage]}"


def difference(plan: Plan, records: Records, row: Reported, metric: Metric, what: str) -> str:
    """Ours where the printed number is a difference: the paired one."""
    result = paired(values_of(plan, records, row.arm, row.stage, metric), values_of(plan, records, row.against, row.stage, metric))
    if not result.n:
        return f"{what}: not run yet"
    places = digits(metric)
    bounds = "" if math.isnan(result.low) else f" [{number(result.low, places, True)}, {number(result.high, places, True)}]"
    return f"{what}: {number(result.mean, places, True)} {metric.unit}{bounds}, n = {result.n} pairs, {STAGES[row.stage]}"
