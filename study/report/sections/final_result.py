"""The page's figures with their frames: title, subtitle, panels, caption and the table behind each."""

import math

from study.analysis.statistics import Paired, paired
from study.analysis.summaries import ArmResult, arm_results
from study.analysis.verdict import ALPHA, Verdict, delta_of, values_of
from study.design.plan import Plan, tuned
from study.design.space import Arm
from study.design.stages import Records
from study.figures.panel import (
    Axis,
    Bar,
    Mark,
    Panel,
    Points,
    Rule,
    Text,
    Zone,
    padded,
    stacked,
    ticks,
)
from study.report.section import Section, digits, fmt, frame, names_width
from study.report.sections.adaptive_search import ROW
from study.report.wording import final_title
from study.text import capital, number, short


def final(plan: Plan, records: Records, verdicts: list[Verdict]) -> Section | None:
    """The final stage: every seed, the differences, and the table."""
    results = arm_results(plan, records)
    if not results:
        return None
    metric = plan.metrics[0]
    unit, count = (
        "%" if metric.unit == "points" else metric.unit,
        max(len(r.by_seed) for r in results),
    )
    delta, images = delta_of(plan, records, metric), plan.data.get("counts", {}).get("test", 0)
    by_seed = [
        [str(seed), *(fmt(r.by_seed.get(seed, math.nan), digits(metric)) for r in results)]
        for seed in plan.seeds("final")
    ]
    table = {
        "caption": f"Test {metric.title}, {unit}, by seed",
        "head": ["Seed", *(r.arm.title for r in results)],
        "rows": by_seed,
    }
    sub = f"{capital(metric.title)} on {images:,} test images. n = {count} fresh seeds of each {plan.scientific}; every small mark is one seed."
    head, rows = final_table(plan, results)
    return {
        "figure": frame("final", final_title(plan, results, verdicts), sub, final_caption(plan, delta, images), table),
        "panels": final_panels(plan, results, reference_pairs(plan, records, results, verdicts), delta),
        "head": head, "rows": rows, "caption": f"{capital(metric.title)} on the test split, {unit}, n = {count} seeds",
    }  # fmt: skip


def reference_pairs(
    plan: Plan, records: Records, results: list[ArmResult], verdicts: list[Verdict]
) -> dict[str, Paired]:
    """Each arm's paired differences from the reference, at the level of its claim where it has one."""
    metric = plan.metrics[0]
    reference = values_of(plan, records, plan.reference, "final", metric)
    final = [
        v
        for v in verdicts
        if v.claim.stage == "final"
        and v.claim.metric == metric.name
        and v.claim.than == plan.reference
    ]
    levels = {v.claim.better: v.result.level for v in final}
    pairs = {
        r.arm.name: paired(r.by_seed, reference, levels.get(r.arm.name, 1 - ALPHA))
        for r in results
        if r.arm.name != plan.reference
    }
    return {name: pair for name, pair in pairs.items() if pair.n > 1}


def final_table(
    plan: Plan, results: list[ArmResult]
) -> tuple[list[str], list[tuple[Arm, list[str]]]]:
    """Head and rows of the table of the final stage."""
    places, others = digits(plan.metrics[0]), plan.metrics[1:]
    fields = dict.fromkeys(name for arm in plan.arms for name in tuned(plan, arm))
    head = [
        capital(plan.scientific),
        *(["Chosen " + ", ".join(fields)] if fields else []),
        "n",
        "Mean",
        "sd",
        "95 % interval",
        "IQM",
        "Min",
        "Max",
    ]
    has_default = any(not math.isnan(r.default) for r in results)
    head += [
        f"{capital(m.title)}, %" if m.unit == "points" else capital(m.title) for m in others
    ] + ["At default"] * has_default
    rows = []
    for r in results:
        values = list(r.by_seed.values())
        cells = [
            *([", ".join(short(v) for v in r.point.values()) or "–"] if fields else []),
            str(len(values)),
            fmt(r.mean, places),
            fmt(r.sd, places),
        ]
        cells += [
            f"{fmt(r.low, places)} to {fmt(r.high, places)}",
            fmt(r.iqm, places),
            fmt(min(values), places),
            fmt(max(values), places),
        ]
        cells += [fmt(r.others[m.name], digits(m)) for m in others] + [
            fmt(r.default, places)
        ] * has_default
        rows.append((r.arm, cells))
    return head, rows


def final_caption(plan: Plan, delta: float, images: int) -> str:
    """How the final stage was computed."""
    metric, seeds = plan.metrics[0], plan.seeds("final")
    noise = f" One test image is {100 / images:.2g} points; δ is the larger of {metric.delta:g} points and the binomial sd at the reference’s mean, {delta:.1f} points."
    chosen = (
        "Each arm ran as it is: nothing was tuned but what a trial chooses itself on its validation split"
        if plan.explore is None and not any(arm.search for arm in plan.running)
        else "Each arm ran at the point chosen in the confirm stage"
        if plan.explore is None
        else "The recipe ran as it is, the other at the point chosen in the confirm stage"
    )
    return (
        f"{chosen}, on seeds {seeds[0]} to {seeds[-1]}, and was scored on the test split once. "
        f"A seed fixes initialisation, data order, views, queue and probe, so that a difference is taken between two runs which differ in what makes the two arms, and in nothing else."
        f"{noise if images and metric.share_of_images else ''} In the table the further metrics are means of the same runs"
        + (
            "; “at default” is the library’s default point, one seed, validation split."
            if any(arm.search for arm in plan.running)
            else "."
        )
    )


def final_panels(
    plan: Plan, results: list[ArmResult], differences: dict[str, Paired], delta: float
) -> list[Panel]:
    """Every seed of every arm with its mean and interval, and the differences from the reference on the same seed."""
    if not results:
        return []
    metric, height = plan.metrics[0], ROW * len(results)
    rows = tuple((result.arm.name, ROW * (i + 0.5)) for i, result in enumerate(results))
    known = [v for r in results for v in (*r.by_seed.values(), r.low, r.high) if not math.isnan(v)]
    low, high = padded(known, least=0.5)
    unit = "%" if metric.unit == "points" else metric.unit
    marks: list[Mark] = []
    for result, (name, y) in zip(results, rows, strict=True):
        marks += seeds_and_mean(
            name,
            tuple(result.by_seed.values()),
            result.mean,
            result.low,
            result.high,
            y,
            high - low,
            unit,
        )
    told = "; ".join(f"{r.arm.title} mean {number(r.mean, digits(metric))} {unit}" for r in results)
    level = Panel(
        "final-level", capital(metric.title), "every small mark is one seed; mean with its 95 % t interval", told,
        Axis(low, high, ticks(low, high, 6), f"test {metric.title}, {unit}"), Axis(height, 0, (), grid=False), tuple(marks), height, rows, left=names_width(plan, rows), right=10, top=26,
    )  # fmt: skip
    return (
        [level, difference_panel(plan, rows, differences, delta, height)]
        if differences
        else [level]
    )


def difference_panel(
    plan: Plan,
    rows: tuple[tuple[str, float], ...],
    differences: dict[str, Paired],
    delta: float,
    height: int,
) -> Panel:
    """The paired differences of each arm from the reference."""
    metric, reference = plan.metrics[0], plan.arm(plan.reference)
    known = [
        v
        for d in differences.values()
        for v in (*d.differences, d.low, d.high, delta, -delta)
        if not math.isnan(v)
    ]
    low, high = padded(known)
    marks: list[Mark] = [Zone(-delta, delta, "less than δ"), Rule("zero", 0.0)]
    for name, y in rows:
        if name == reference.name:
            marks.append(Text("the reference", (high - low) * 0.02, y))
        elif (d := differences.get(name)) is not None:
            marks += seeds_and_mean(
                name, d.differences, d.mean, d.low, d.high, y, high - low, metric.unit
            )
    levels = sorted({f"{100 * d.level:.3g} %" for d in differences.values()})
    told = "; ".join(
        f"{plan.arm(name).title} {number(d.mean, digits(metric), True)}, {number(d.low, digits(metric), True)} to {number(d.high, digits(metric), True)}"
        for name, d in differences.items()
    )
    return Panel(
        "final-difference", f"Difference from {reference.title}", f"pairs on the same seed; paired t intervals, {' and '.join(levels)}", told + f" {metric.unit}",
        Axis(low, high, ticks(low, high, 6, signed=True), f"{metric.unit} against {reference.title}, same seed"),
        Axis(height, 0, (), grid=False), tuple(marks), height, rows, left=names_width(plan, rows), right=10, top=26,
    )  # fmt: skip


def seeds_and_mean(
    arm: str,
    values: tuple[float, ...],
    mean: float,
    low: float,
    high: float,
    y: float,
    span: float,
    unit: str,
) -> list[Mark]:
    """One row: dots above, interval and mean below."""
    told = tuple(f"{value:.4g} {unit}" for value in values)
    marks: list[Mark] = [Points(arm, "dot", values, stacked(values, span * 0.024, y - 5, 7), told)]
    if not math.isnan(low):
        marks.append(Bar(arm, "ci", low, high, y + 12))
    return [*marks, Points(arm, "mean", (mean,), (y + 12,), (f"mean {mean:.4g} {unit}",))]
