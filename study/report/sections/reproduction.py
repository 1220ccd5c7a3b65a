"""The page's section on the report of 2020: what it prints with ours beside it, and its figure run again."""

import math
from typing import Any

from study.analysis.statistics import paired, t_interval
from study.analysis.summaries import curves_of, interval_of
from study.analysis.verdict import Verdict, values_of
from study.design.plan import Plan
from study.design.space import Metric, Reported
from study.design.stages import Records
from study.figures.panel import Axis, Band, Line, Mark, Panel, Rule, padded, ticks
from study.report.section import Section, digits, fmt, frame
from study.report.wording import then_title
from study.text import capital, joined, number

STAGES = {"final": "final stage", "replica": "as reported"}


def then(plan: Plan, records: Records, verdicts: list[Verdict]) -> Section:
    """The report's figure beside ours."""
    by_role = {verdict.claim.role: verdict for verdict in verdicts}
    panels, metric = then_panels(plan, records), drawn_metric(plan)
    arms = [arm for arm in plan.arms if arm.in_report]
    curves = {
        arm.name: curves_of(plan, records, arm.name, "replica", metric.name, metric.scale)
        for arm in arms
    }
    found = {name: list(by_seed.values()) for name, by_seed in curves.items() if by_seed}
    head, rows = ["Epoch"], []
    for arm in arms:
        head += (
            [f"{arm.title}, seed {min(curves[arm.name])}", f"mean of {len(curves[arm.name])}"]
            if arm.name in found
            else []
        )
    for k in range(min((len(curve) for seeds in found.values() for curve in seeds), default=0)):
        row = [str(k + 1)]
        for seeds in found.values():
            row += [
                fmt(seeds[0][k], digits(metric)),
                fmt(sum(curve[k] for curve in seeds) / len(seeds), digits(metric)),
            ]
        rows.append(row)
    unit = "%" if metric.unit == "points" else metric.unit
    table = {
        "caption": f"{capital(metric.title)} in {unit} by epoch: one seed, then the mean of all that finished",
        "head": head,
        "rows": rows,
    }
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
        said += (
            f"Chance is {chance:.2f} nats for our queue; a loss at another queue size could not be compared with it. "
            if chance
            else ""
        )
        said += "The queue begins with random keys, so the first steps are easier than chance. "
    said += "The bands are pointwise: they do not say from which epoch on two arms differ."
    missing = [arm.title for arm in plan.arms if not arm.in_report and not arm.of]
    if not missing or len(missing) > 6:
        return said
    return (
        said
        + f" {joined(missing)} {'is' if len(missing) == 1 else 'are'} not in the report and not run here."
    )


def reported(plan: Plan, records: Records) -> dict[str, Any] | None:
    """Figure and table; None where the space repeats nothing of the report."""
    if not plan.reported:
        return None
    printed = {(row.row, row.what, row.number) for row in plan.reported if row.number[:1].isdigit()}
    rows = [
        [row.row, row.what, row.number, ours(plan, records, row), differs(plan, row)]
        for row in plan.reported
    ]
    count = len(printed)
    title = (
        f"{count} printed number{'s' if count != 1 else ''} beside ours"
        if printed
        else "No number is printed for these; ours stand alone"
    )
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
        return difference(
            plan,
            records,
            row,
            metric,
            f"{plan.arm(row.arm).title} − {plan.arm(row.against).title}, {metric.title}",
        )
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
    result = paired(
        values_of(plan, records, row.arm, row.stage, metric),
        values_of(plan, records, row.against, row.stage, metric),
    )
    if not result.n:
        return f"{what}: not run yet"
    places = digits(metric)
    bounds = (
        ""
        if math.isnan(result.low)
        else f" [{number(result.low, places, True)}, {number(result.high, places, True)}]"
    )
    return f"{what}: {number(result.mean, places, True)} {metric.unit}{bounds}, n = {result.n} pairs, {STAGES[row.stage]}"


LOSS = Metric("loss", "loss", "nats", 1.0, False, 0.1)


def then_panels(plan: Plan, records: Records) -> list[Panel]:
    """Ours with the first seed, and with all of them: the replica's loss by epoch."""
    arms = [arm for arm in plan.arms if arm.in_report]
    if not plan.replica.drawn:
        return []
    metric = drawn_metric(plan)
    curves = {
        arm.name: curves_of(plan, records, arm.name, "replica", metric.name, metric.scale)
        for arm in arms
    }
    curves = {name: found for name, found in curves.items() if found}
    if not curves:
        return []
    first = plan.seeds("replica")[0]
    counts = sorted({len(found) for found in curves.values()})
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    titles = {arm.name: arm.title for arm in arms}
    one, many = epoch_marks(curves, first, titles)
    heights = [
        value
        for mark in (*one, *many)
        for part in (
            (mark.low, mark.high)
            if isinstance(mark, Band)
            else (mark.y,)
            if isinstance(mark, Line)
            else ()
        )
        for value in part
    ]
    chance = drawn_chance(plan, metric)
    low, high = padded([*heights, chance] if chance else heights, 0.04)
    last = max(len(curve) for found in curves.values() for curve in found.values())
    x = Axis(1, max(2, last), epoch_ticks(last), "epoch")
    y = Axis(
        low,
        high,
        ticks(low, high, 5),
        f"{metric.title}, {'%' if metric.unit == 'points' else metric.unit}",
    )
    rule: list[Mark] = [Rule("ref", chance, vertical=False, label="chance")] if chance else []
    shown = plan.replica.shown
    return [
        Panel("then-one", "Ours, first seed", f"seed {first}, {shown} for all; 1 run each, no interval", ends_told(one, titles, metric), x, y, (*rule, *one), 240, right=76),
        Panel("then-all", f"Ours, {count} seeds", f"same setting; mean of {count} seeds, pointwise 95 % t bands", ends_told(many, titles, metric), x, y, (*rule, *many), 240, right=76),
    ]  # fmt: skip


def epoch_marks(
    curves: dict[str, dict[int, list[float]]], first: int, titles: dict[str, str]
) -> tuple[list[Mark], list[Mark]]:
    """Each arm's line over the epochs: of the first seed, and the mean of all seeds with its band."""
    one: list[Mark] = []
    many: list[Mark] = []
    for name, found in curves.items():
        length = min(len(curve) for curve in found.values())
        epochs = tuple(float(k + 1) for k in range(length))
        means = tuple(sum(curve[k] for curve in found.values()) / len(found) for k in range(length))
        if first in found:
            one.append(Line(name, epochs, tuple(found[first][:length]), end=titles[name]))
        if len(found) > 1:
            spans = [t_interval([curve[k] for curve in found.values()]) for k in range(length)]
            many.append(
                Band(name, epochs, tuple(low for low, _ in spans), tuple(high for _, high in spans))
            )
        many.append(Line(name, epochs, means, end=titles[name]))
    return one, many


def drawn_metric(plan: Plan) -> Metric:
    """The number by epoch that the report draws: one of the plan's metrics, or the pretraining loss."""
    return next(
        (
            metric
            for metric in plan.metrics
            if metric.name == plan.replica.drawn and metric.name != LOSS.name
        ),
        LOSS,
    )


def drawn_chance(plan: Plan, metric: Metric) -> float | None:
    """What guessing gives in that number, in its unit; None where that is not known."""
    chance = plan.data.get("chance", {}).get(metric.name)
    return None if chance is None else chance * metric.scale


def ends_told(marks: list[Mark], titles: dict[str, str], metric: Metric) -> str:
    """Where each line ends, in words."""
    ends = [
        f"{titles[mark.arm]} {mark.y[-1]:.{digits(metric)}f}"
        for mark in marks
        if isinstance(mark, Line)
    ]
    return (
        "At the last epoch: "
        + ", ".join(ends)
        + f" {'%' if metric.unit == 'points' else metric.unit}."
    )


def epoch_ticks(last: int) -> tuple[tuple[float, str], ...]:
    """The first, the last and a few epochs between."""
    inner = [value for value, _ in ticks(0, last, 5) if 1 < value < last - last / 12]
    return tuple((value, f"{value:.0f}") for value in (1.0, *inner, float(max(2, last))))
