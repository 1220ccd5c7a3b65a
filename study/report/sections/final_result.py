"""The page's section on the final stage: every seed, the differences, and the table."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from study.analysis.comparison import ArmStage, compare
from study.analysis.results import Results
from study.analysis.statistics import ArmDifference
from study.analysis.summaries import (
    ArmResult,
    chosen_words,
    seed_variance_share,
    summarize_controls,
)
from study.design.plan import ALPHA, Plan
from study.design.space import Arm, Metric
from study.figures.panel import (
    Bar,
    Mark,
    Panel,
    Points,
    Row,
    Rule,
    Text,
    Zone,
    arm_rows,
    pad_range,
    stack_dots,
    value_axis,
)
from study.report.section import DASH, ROW, Figure, Section, Table, fmt, row_panel
from study.report.wording import (
    final_title,
    format_share,
    format_signed,
    interval_kind,
    is_against_reference,
)
from study.text import capitalize, format_number, format_short, plural

MOST_FIELDS = 2  # of a point in a column of the table


class FinalRow(NamedTuple):
    """An arm of the table below the panels."""

    arm: Arm
    cells: list[str]


@dataclass(frozen=True, kw_only=True)
class FinalSection(Section):
    """The final stage with its table."""

    caption: str
    head: list[str]
    rows: list[FinalRow]
    controls: list[FinalRow]
    settings: list[str]  # each arm's point in words, where it has too many fields for a column


class Spread(NamedTuple):
    """What a row of a panel shows of an arm: values, their mean and its interval."""

    by_unit: dict[int, float]
    mean: float
    low: float  # NaN: no interval
    high: float

    @property
    def values(self) -> tuple[float, ...]:
        """Its values, by seed or search."""
        return tuple(self.by_unit.values())


def final_section(results: Results) -> FinalSection | None:
    """The final stage; None while no arm has finished a run of it."""
    if not results.arms:
        return None
    metric, count = results.plan.space.primary, most_units(results)
    name = capitalize(metric.title)
    return FinalSection(
        figure=Figure(
            id="final",
            title=final_title(results),
            sub=subtitle(results),
            caption=caption(results),
            table=units_table(results),
        ),
        panels=final_panels(results),
        caption=f"{name}{of_test(results.plan)}, {metric.level_unit}, n = {count} "
        f"{units(results.plan)}",
        head=table_head(results),
        rows=[FinalRow(one.arm, table_cells(results, one)) for one in results.arms],
        controls=[
            FinalRow(one.arm, table_cells(results, one)) for one in summarize_controls(results)
        ],
        settings=setting_lines(results),
    )


def has_point_column(plan: Plan) -> bool:
    """Whether the table has a column of chosen points: one or two fields fit."""
    return 0 < len(tuned_fields(plan)) <= MOST_FIELDS


def setting_lines(results: Results) -> list[str]:
    """The point of every arm, field by field; none where the table has a column of them."""
    if len(tuned_fields(results.plan)) <= MOST_FIELDS:
        return []
    words = results.plan.words
    lines = []
    for one in results.arms:
        point = one.points[-1] or one.arm.default
        fields = (f"{words.title(name)} {format_short(value)}" for name, value in point.items())
        lines.append(f"{one.arm.title}: {', '.join(fields)}.")
    return lines


def of_test(plan: Plan) -> str:
    """Of which split the values are; empty where that is not known."""
    return "" if plan.given else " on the test split"


def units(plan: Plan) -> str:
    """What the values are of: seeds or searches."""
    return plural(plan.unit("final"))


def most_units(results: Results) -> int:
    """Finished seeds or searches of the arm that has the most."""
    return max(len(one.by_unit) for one in results.arms)


def subtitle(results: Results) -> str:
    """What was measured, on what, and how often."""
    plan, images = results.plan, results.plan.data.test_items
    where = f" on {images:,} test images" if images else of_test(plan)
    kind = units(plan) if plan.given or plan.repeats else "fresh seeds"
    n = f"n = {most_units(results)} {kind}"
    return (
        f"{capitalize(plan.space.primary.title)}{where}. {n} of each {plan.space.scientific}; "
        f"every small mark is one {plan.unit('final')}."
    )


def caption(results: Results) -> str:
    """How the final stage was computed."""
    plan = results.plan
    if plan.given:
        return f"As the rows of {plan.given.source} have it.{column_words(plan)}"
    seeds = plan.seeds("final")
    return (
        f"{how_chosen(plan)}, on seeds {seeds[0]} to {seeds[-1]}, and was scored on the test "
        f"split once. A seed fixes {plan.words.seed}, so that a difference is taken between two "
        "runs which differ in what makes the two arms, and in nothing else."
        f"{variance_words(results)}{resolution(results)}{column_words(plan)}"
    )


def variance_words(results: Results) -> str:
    """How much of the variance comes from the search and how much from the seed, if repeated."""
    if not results.plan.repeats:
        return ""
    share = seed_variance_share(results)
    if math.isnan(share):
        return (
            " Each search is scored by one run, so its value holds the luck of the search and of "
            "that seed together."
        )
    return (
        f" Of the variance between an arm’s searches, {format_share(share)} is that of the final "
        "seeds and the rest that of the search."
    )


def how_chosen(plan: Plan) -> str:
    """At which point each arm ran, as the beginning of a sentence."""
    if plan.space.explore is not None:
        return "The recipe ran as it is, the other at the point chosen in the confirm stage"
    if plan.repeats:
        count = plan.sizes.final_seeds
        runs = "one fresh seed" if count == 1 else f"{count} fresh seeds"
        return (
            f"Each arm was tuned {plan.sizes.searches} times, each time by "
            f"{plan.sizes.search_trials} trials with points and a seed of their own, and a value "
            f"is what one such search ends with: its choice ran on {runs}"
        )
    if plan.tunes:
        return "Each arm ran at the point chosen in the confirm stage"
    return (
        "Each arm ran as it is: nothing was tuned but what a trial chooses itself on its "
        "validation split"
    )


def resolution(results: Results) -> str:
    """What one test image is worth, and where δ comes from; empty where no share is measured."""
    metric, images = results.plan.space.primary, results.plan.data.test_items
    if not (images and metric.share_of_images):
        return ""
    delta = format_number(results.delta(metric), metric.decimals)
    return (
        f" One test image is {metric.scale / images:.2g} {metric.unit}; δ is the larger of "
        f"{metric.delta:g} {metric.unit} and the binomial sd at the reference’s mean, "
        f"{delta} {metric.unit}."
    )


def column_words(plan: Plan) -> str:
    """What some of the table's columns are."""
    parts = ["IQM is the interquartile mean, that of the middle half"]
    if len(plan.space.metrics) > 1:
        parts.append("the further metrics are means of the same runs")
    if plan.tunes:
        parts.append("“at default” is one run at the arm’s default, on the validation split")
    return f" In the table {'; '.join(parts)}."


def units_table(results: Results) -> Table:
    """Every arm's value at every seed, or at every search with what it chose."""
    plan, metric, unit = (
        results.plan,
        results.plan.space.primary,
        results.plan.unit("final"),
    )

    def cells(number: int) -> list[str]:
        found = []
        for one in results.arms:
            point = results.chosen_points(one.arm).get(number, {}) if plan.repeats else {}
            own = [format_short(point[name]) for name in plan.tuned(one.arm) if name in point]
            value = fmt(one.by_unit.get(number, math.nan), metric.decimals)
            found.append(f"{value} at {', '.join(own)}" if own else value)
        return found

    fields = f", and the chosen {', '.join(tuned_fields(plan))}" if plan.repeats else ""
    numbers = plan.searches if plan.repeats else plan.seeds("final")
    return Table(
        caption=f"{'' if plan.given else 'Test '}{metric.title}, {metric.level_unit}, by "
        f"{unit}{fields}",
        head=[capitalize(unit), *(one.arm.title for one in results.arms)],
        rows=[
            [plan.given.unit_name(number) if plan.given else str(number), *cells(number)]
            for number in numbers
        ],
    )


def tuned_fields(plan: Plan) -> list[str]:
    """The fields that were chosen for any arm."""
    return list(dict.fromkeys(name for arm in plan.space.arms for name in plan.tuned(arm)))


def has_defaults(results: Results) -> bool:
    """Whether any arm was run at its default."""
    return any(not math.isnan(one.default) for one in results.arms)


def table_head(results: Results) -> list[str]:
    """The head of the table of arms."""
    space, fields = results.plan.space, tuned_fields(results.plan)
    return [
        capitalize(space.scientific),
        *(["Chosen " + ", ".join(fields)] if has_point_column(results.plan) else []),
        *("n", "Mean", "sd", "95 % interval", "IQM", "Min", "Max"),
        *(metric_head(metric) for metric in space.metrics[1:]),
        *(["At default, validation"] if has_defaults(results) else []),
    ]


def metric_head(metric: Metric) -> str:
    """The head of a further metric's column."""
    return capitalize(metric.title) + (", %" if metric.level_unit == "%" else "")


def table_cells(results: Results, one: ArmResult) -> list[str]:
    """An arm's cells of that table."""
    space, values = results.plan.space, one.by_unit.values()
    places = space.primary.decimals
    names = dict.fromkeys(name for point in one.points for name in point)
    point = ", ".join(chosen_words([p[name] for p in one.points]) for name in names) or DASH
    return [
        *([point] if has_point_column(results.plan) else []),
        str(len(values)),
        fmt(one.mean, places),
        fmt(one.sd, places),
        DASH if math.isnan(one.low) else f"{fmt(one.low, places)} to {fmt(one.high, places)}",
        fmt(one.iqm, places),
        fmt(min(values), places),
        fmt(max(values), places),
        *(fmt(one.others[metric.name], metric.decimals) for metric in space.metrics[1:]),
        *([fmt(one.default, places)] if has_defaults(results) else []),
    ]


def reference_pairs(results: Results) -> dict[str, ArmDifference]:
    """Each arm's paired differences from the reference, at the level of its claim if it has one."""
    plan = results.plan
    levels = {
        verdict.claim.better: verdict.result.level
        for verdict in results.verdicts
        if is_against_reference(plan, verdict)
    }
    pairs = {
        one.arm.name: compare(
            results,
            ArmStage(one.arm.name, "final"),
            ArmStage(plan.space.reference, "final"),
            metric=plan.space.primary,
            level=levels.get(one.arm.name, 1 - ALPHA),
            advantage=False,
        )
        for one in results.arms
        if one.arm.name != plan.space.reference
    }
    return {name: pair for name, pair in pairs.items() if pair.n > 1}


def final_panels(results: Results) -> tuple[Panel, ...]:
    """The values of every arm, and where there are pairs the differences from the reference."""
    rows = arm_rows([one.arm.name for one in results.arms], ROW)
    pairs = reference_pairs(results)
    level = level_panel(results, rows)
    return (level, difference_panel(results, rows, pairs)) if pairs else (level,)


def level_panel(results: Results, rows: tuple[Row, ...]) -> Panel:
    """Every seed of every arm with its mean and interval."""
    plan = results.plan
    metric, unit = plan.space.primary, plan.space.primary.level_unit
    spreads = [Spread(one.by_unit, one.mean, one.low, one.high) for one in results.arms]
    controls = summarize_controls(results)
    levels = [*spread_values(spreads), *(one.mean for one in controls)]
    low, high = pad_range(levels, least=metric.delta)
    marks: list[Mark] = control_rules(controls, near=0.25 * (high - low))
    for row, spread in zip(rows, spreads, strict=True):
        marks += spread_marks(plan, row, spread, width=high - low)
    means = (
        f"{one.arm.title} mean {format_number(one.mean, metric.decimals)} {unit}"
        for one in (*results.arms, *controls)
    )
    return row_panel(
        plan,
        rows,
        id="final-level",
        title=capitalize(metric.title),
        note=f"every small mark is one {plan.unit('final')}; mean with its 95 % t interval",
        finding="; ".join(means),
        x=value_axis(low, high, f"{'' if plan.given else 'test '}{metric.title}, {unit}", count=6),
        marks=marks,
        right=10,
    )


def control_rules(controls: list[ArmResult], near: float) -> list[Mark]:
    """A line for each control; those so near that their labels would overlap share one."""
    groups: list[list[ArmResult]] = []
    for one in sorted(controls, key=lambda one: one.mean):
        if groups and one.mean - groups[-1][0].mean < near:
            groups[-1].append(one)
        else:
            groups.append([one])
    return [
        Rule(
            "ref", one.mean, label="" if i else ", ".join(each.arm.title.lower() for each in group)
        )
        for group in groups
        for i, one in enumerate(group)
    ]


def difference_panel(
    results: Results, rows: tuple[Row, ...], pairs: dict[str, ArmDifference]
) -> Panel:
    """The paired differences of each arm from the reference."""
    plan = results.plan
    metric, reference = plan.space.primary, plan.title(plan.space.reference)
    delta = results.delta(metric)
    spreads = {
        name: Spread(
            dict(zip(pair.seeds, pair.differences, strict=True)),
            pair.mean,
            *(pair.shown_ends or (math.nan, math.nan)),
        )
        for name, pair in pairs.items()
    }
    low, high = pad_range([*spread_values([*spreads.values()]), delta, -delta])
    marks: list[Mark] = [Zone(-delta, delta, "less than δ"), Rule("zero", 0.0)]
    for row in rows:
        if row.arm == plan.space.reference:
            marks.append(Text("the reference", (high - low) * 0.02, row.y))
        elif row.arm in spreads:
            marks += spread_marks(plan, row, spreads[row.arm], width=high - low, signed=True)
    levels = sorted({f"{100 * pair.level:.3g} %" for pair in pairs.values()})
    is_paired = all(pair.is_paired for pair in pairs.values())
    noun = plan.unit("final")
    same = "seed" if noun == "search" else noun
    title = f"{metric.unit} against {reference}{f', same {same}' if is_paired else ''}"
    of = f"pairs on the same {same}" if is_paired else "unpaired runs"
    return row_panel(
        plan,
        rows,
        id="final-difference",
        title=f"Difference from {reference}",
        note=f"{of}; {interval_kind([*pairs.values()])}s, {' and '.join(levels)}",
        finding=difference_words(plan, pairs),
        x=value_axis(low, high, title, count=6, signed=True),
        marks=marks,
        right=10,
    )


def difference_words(plan: Plan, pairs: dict[str, ArmDifference]) -> str:
    """The mean difference of each arm with its interval."""
    metric = plan.space.primary
    parts = []
    for name, pair in pairs.items():
        ends = " to ".join(format_signed(end, metric) for end in pair.shown_ends)
        mean = format_signed(pair.mean, metric)
        parts.append(f"{plan.title(name)} {mean}{', ' if ends else ''}{ends}")
    return f"{'; '.join(parts)} {metric.unit}"


def spread_values(spreads: list[Spread]) -> list[float]:
    """All numbers that the rows show."""
    values = (value for one in spreads for value in (*one.values, one.low, one.high))
    return [value for value in values if not math.isnan(value)]


def spread_marks(
    plan: Plan, row: Row, spread: Spread, *, width: float, signed: bool = False
) -> list[Mark]:
    """One row: dots above, interval and mean below.

    Args:
        width: of the axis, in data units.
        signed: they are differences.
    """
    arm, values, below = row.arm, spread.values, row.y + 12
    metric, title = plan.space.primary, plan.title(row.arm)
    unit = metric.unit if signed else metric.level_unit

    def words(value: float) -> str:
        return f"{format_number(value, metric.decimals, signed)} {unit}"

    heights = stack_dots(values, width=width * 0.024, base=row.y - 5, step=7, room=ROW - 30)
    noun, given = plan.unit("final"), plan.given
    hover = tuple(
        f"{title}, {noun} {given.unit_name(unit) if given else unit}: {words(value)}"
        for unit, value in spread.by_unit.items()
    )
    marks: list[Mark] = [Points(arm=arm, kind="dot", x=values, y=heights, hover=hover)]
    if not math.isnan(spread.low):
        marks.append(Bar(arm=arm, kind="ci", low=spread.low, high=spread.high, y=below))
    interval = f" [{words(spread.low)}, {words(spread.high)}]" if not math.isnan(spread.low) else ""
    hover = (f"{title}, mean {words(spread.mean)}{interval}",)
    marks.append(Points(arm=arm, kind="mean", x=(spread.mean,), y=(below,), hover=hover))
    return marks
