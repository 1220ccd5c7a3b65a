"""comparison.html: several studies on one page, with a forest plot for each arm."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from study.analysis.statistics import ArmDifference
from study.design.plan import Plan
from study.design.space import Arm, Metric
from study.errors import StudyError, why
from study.figures.panel import (
    Bar,
    Mark,
    Points,
    Rule,
    Zone,
    arm_rows,
    difference_axis,
    pad_range,
)
from study.figures.style import arms_css, marks_svg
from study.figures.svg import render_svg
from study.pooling.effects import (
    ArmEffects,
    Member,
    check_comparable,
    find_effects,
    flags,
    open_members,
    plan_table,
)
from study.pooling.random_effects import Pooled
from study.report.answer import answer
from study.report.page import HERE as REPORT
from study.report.section import DASH, ROW, fmt, row_panel
from study.report.wording import format_ends, format_signed
from study.store.atomic import write_atomically
from study.store.directory import check_no_study
from study.text import count_words, join_words

PAGE, DATA = "comparison.html", "comparison.json"
POOLED = "pooled"
METHOD = (
    "Pooled: the mean of random effects (DerSimonian and Laird 1986), with the interval of "
    "Hartung, Knapp, Sidik and Jonkman (factor at least 1). It assumes that the studies are draws "
    "of one kind whose true effects vary, and that they share no run; tau is the sd of these "
    "effects. Where they share their test images, the error of these is counted once. With few "
    "studies it is wide, and rightly so."
)


class Forest(NamedTuple):
    """An arm's effects."""

    title: str
    words: str
    svg: Markup
    rows: list[list[str]]


def compare_studies(folders: Sequence[str], out: Path) -> tuple[Path, str]:
    """Write comparison.html and comparison.json; the page, and what it says in a line.

    Raises:
        StudyError: the studies cannot be compared, or nothing can be written.
    """
    members = open_members(folders)
    check_comparable(members)
    arms = find_effects(members)
    style = style_plan(members)
    metric = members[0].plan.space.primary
    forests = [forest(style, members, one, metric) for one in arms]
    reference = members[0].plan.title(members[0].plan.space.reference)
    page = page_environment().get_template(PAGE).render(
        title=f"{count_words(len(members), 'study')}, {metric.title} against {reference}",
        lines=[forest.words for forest in forests],
        flags=flags(members),
        members=[(one, " ".join(answer(one.results))) for one in members],
        forests=forests,
        method=METHOD if any(one.pooled for one in arms) else "",
        head=["", *(one.name for one in members)],
        plans=plan_table(members),
        css=Markup((REPORT / "page.css").read_text(encoding="utf-8") + arms_css(style)),
        marks=Markup(marks_svg(style)),
    )  # fmt: skip
    check_no_study(out, "--compare")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / DATA, json.dumps(effects_data(arms, metric), indent=1) + "\n")
        write_atomically(out / PAGE, page)
    except OSError as error:
        raise StudyError(
            f"{out} must be a folder that can be written; it cannot ({why(error)})"
        ) from None
    return out / PAGE, " ".join(forest.words for forest in forests)


def page_environment() -> Environment:
    """Jinja's, escaped by default."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True,
        undefined=StrictUndefined, lstrip_blocks=True,
    )  # fmt: skip


def style_plan(members: Sequence[Member]) -> Plan:
    """A plan whose arms are the studies, for their colours and shapes."""
    names = [*(member.name for member in members), "Pooled"]
    keys = [*(f"study-{i}" for i in range(1, len(members) + 1)), POOLED]
    # the first style, black, is of the pooled effect
    places = [*range(1, len(members) + 1), 0]
    arms = tuple(
        Arm(key, name, {}, {}, {}, place=place)
        for key, name, place in zip(keys, names, places, strict=True)
    )
    plan = members[0].plan
    space = replace(plan.space, arms=arms, reference=POOLED, claims=(), floor="")
    return replace(plan, space=space)


def forest(style: Plan, members: Sequence[Member], arm: ArmEffects, metric: Metric) -> Forest:
    """An arm's forest plot, its table and its sentence."""
    keys = [f"study-{members.index(one.member) + 1}" for one in arm.effects]
    keys += [POOLED] if arm.pooled else []
    points = [
        *(
            (one.difference.mean, *(one.difference.shown_ends or (math.nan, math.nan)))
            for one in arm.effects
        ),
        *([(arm.pooled.mean, arm.pooled.low, arm.pooled.high)] if arm.pooled else []),
    ]
    rows = arm_rows(keys, ROW)
    delta = max(one.member.results.delta(one.member.plan.space.primary) for one in arm.effects)
    ends = [value for point in points for value in point if not math.isnan(value)]
    low, high = pad_range([*ends, 0.0, delta, -delta])
    marks: list[Mark] = [Zone(-delta, delta, "less than δ"), Rule("zero", 0.0)]
    for row, (mean, least, most) in zip(rows, points, strict=True):
        marks += [Bar(row.arm, "ci", least, most, row.y)] if not math.isnan(least) else []
        marks.append(Points(row.arm, "mean", (mean,), (row.y,)))
    plan = members[0].plan
    reference = plan.title(plan.space.reference)
    words = effect_words(arm, metric, reference)
    panel = row_panel(
        style,
        rows,
        id=f"forest-{keys[0]}",
        title=arm.title,
        note="",
        finding=words,
        x=difference_axis(low, high, arm.title, reference),
        marks=marks,
        right=10,
    )
    names = {one.name: one.title for one in style.space.arms}
    return Forest(arm.title, words, Markup(render_svg(panel, names)), table_rows(arm, metric))


def effect_words(arm: ArmEffects, metric: Metric, reference: str) -> str:
    """What the studies say of an arm together, or each."""
    unit = metric.unit + ("" if metric.higher_is_better else " of advantage")
    if arm.pooled is None:
        parts = (
            f"{format_signed(one.difference.mean, metric)} {unit} in {one.member.name}"
            for one in arm.effects
        )
        return f"{arm.title} against {reference}: {join_words(list(parts))}."
    pooled = arm.pooled
    interval = interval_words(pooled, metric)
    return (
        f"{arm.title} against {reference} over {count_words(pooled.studies, 'study')}: "
        f"{format_signed(pooled.mean, metric)} {unit} {interval}, "
        f"tau {fmt(pooled.tau, metric.decimals)}."
    )


def interval_words(effect: ArmDifference | Pooled, metric: Metric) -> str:
    """An interval in brackets."""
    return format_ends(effect.low, effect.high, metric)


def table_rows(arm: ArmEffects, metric: Metric) -> list[list[str]]:
    """A row a study, and one of the pooled effect."""
    rows = [
        [
            one.member.name,
            str(one.difference.n),
            format_signed(one.difference.mean, metric),
            interval_words(one.difference, metric) if one.difference.has_interval else DASH,
            fmt(one.error, metric.decimals + 1),
        ]
        for one in arm.effects
    ]
    if arm.pooled:
        interval = interval_words(arm.pooled, metric)
        rows.append(["Pooled", DASH, format_signed(arm.pooled.mean, metric), interval, DASH])
    return rows


def effects_data(arms: Sequence[ArmEffects], metric: Metric) -> dict[str, Any]:
    """The effects for programs."""
    return {
        "metric": metric.name,
        "unit": metric.unit,
        "arms": [
            {
                "arm": arm.title,
                "studies": [
                    {
                        "study": one.member.name,
                        "n": one.difference.n,
                        "mean": one.difference.mean,
                        "low": one.difference.low,
                        "high": one.difference.high,
                        "error": one.error,
                    }
                    for one in arm.effects
                ],
                "pooled": arm.pooled._asdict() if arm.pooled else None,
            }
            for arm in arms
        ],
    }
