"""The page's section on one claim in four analyses, from the published to the primary one."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.design.plan import Plan
from study.figures.panel import Axis, Bar, Mark, Panel, Points, Rule, row_axis, ticks
from study.figures.svg import render_svg
from study.report.section import DASH, Figure, Section, Table
from study.report.wording import (
    format_delta,
    format_interval,
    format_p,
    format_percent,
    format_signed,
    pair_titles,
)
from study.text import plural

HEIGHT = 44  # pixels of a row
COUNTS = ("no", "one", "two", "three", "four")
CAPTION = (
    "Difference on the same seed, turned so that a positive number favours {better}: {than}’s "
    "{loss} less {better}’s, {better}’s {score} less {than}’s. The zeros are aligned; the two "
    "scales are not comparable."
)


class Analysis(NamedTuple):
    """One way to test the claim."""

    role: str  # of the claim
    title: str
    how: str


ANALYSES = (
    Analysis("published", "As reported, 1 seed", "{shown} for both, judged by the {metric}"),
    Analysis("replica", "As reported, {n} seeds", "{shown} for both, judged by the {metric}"),
    Analysis("secondary", "Tuned, on the {metric}", "each at its own rate, {n} {units}"),
    Analysis("primary", "Tuned, on {metric}", "each at its own rate, {n} {units}"),
)


class AnalysisRow(NamedTuple):
    """An analysis and its result."""

    title: str
    how: str
    label: str
    effect: str
    bounds: str
    svg: Markup
    axis: Markup  # the scale below the last row of a unit; empty elsewhere
    unit: str


@dataclass(frozen=True, kw_only=True)
class FourAnalyses(Section):
    """The rows, and what stands around them."""

    rows: tuple[AnalysisRow, ...]
    better: str
    than: str
    label: str  # of the table, for who cannot see it


def four_analyses(results: Results) -> FourAnalyses | None:
    """The same claim tested four times; None unless the space has such claims about one pair."""
    plan = results.plan
    found = [results.verdict(analysis.role) for analysis in ANALYSES]
    verdicts = [verdict for verdict in found if verdict is not None]
    pairs = {(verdict.claim.better, verdict.claim.than) for verdict in verdicts}
    if len(verdicts) < len(ANALYSES) or len(pairs) > 1:
        return None
    better, than = pair_titles(plan, verdicts[0])
    return FourAnalyses(
        figure=analyses_figure(plan, verdicts),
        rows=analysis_rows(plan, verdicts),
        better=better,
        than=than,
        label=f"The claim, {better} beats {than}, tested four ways",
    )


def analyses_figure(plan: Plan, verdicts: list[Verdict]) -> Figure:
    """The frame around the rows."""
    better, than = pair_titles(plan, verdicts[0])
    loss, score = (plan.space.metric(verdicts[i].claim.metric) for i in (0, -1))
    least, most = verdicts[1].result.n, max(verdict.result.n for verdict in verdicts)
    levels = sorted({verdict.result.level for verdict in verdicts})
    n = f"{most}" if least == most else f"{least} to {most}"
    return Figure(
        id="four",
        title=analyses_title(verdicts),
        sub=(
            f"{better} against {than}. {' and '.join(map(format_percent, levels))} % intervals, "
            f"n = {n} pairs; the first row is one pair. Dotted: −δ and +δ."
        ),
        caption=CAPTION.format(better=better, than=than, loss=loss.title, score=score.title),
        table=pair_table(plan, verdicts[1:]),
    )


def analyses_title(verdicts: list[Verdict]) -> str:
    """How many labels the analyses give."""
    labels = len({verdict.label for verdict in verdicts})
    words = "label" if labels == 1 else "different labels"
    return f"One claim, {COUNTS[len(verdicts)]} tests, {COUNTS[labels]} {words}"


def analysis_rows(plan: Plan, verdicts: list[Verdict]) -> tuple[AnalysisRow, ...]:
    """A row for each analysis; those of one metric share a scale."""
    spans: dict[str, float] = {}
    for verdict in verdicts:
        name = verdict.claim.metric
        spans[name] = max(spans.get(name, 0.0), 1.15 * largest_value(verdict))
    names = [verdict.claim.metric for verdict in verdicts]
    return tuple(
        analysis_row(
            plan,
            analysis,
            verdict,
            span=spans[verdict.claim.metric],
            is_last=verdict.claim.metric not in names[i + 1 : i + 2],
        )
        for i, (analysis, verdict) in enumerate(zip(ANALYSES, verdicts, strict=True))
    )


def analysis_row(
    plan: Plan, analysis: Analysis, verdict: Verdict, *, span: float, is_last: bool
) -> AnalysisRow:
    """A row.

    Args:
        span: the end of its scale, which begins at minus that.
        is_last: it is the last one of its unit.
    """
    metric, result = plan.space.metric(verdict.claim.metric), verdict.result
    words = {
        "shown": plan.space.replica.shown,
        "metric": metric.title,
        "n": result.n,
        "units": plural(plan.unit(verdict.claim.stage)),
    }
    if result.has_interval:
        bounds = f"{format_interval(verdict, metric)}, p = {format_p(result.p)}"
    else:
        bounds = f"no interval, n = {result.n}"
    names = {arm.name: arm.title for arm in plan.space.arms}
    loss = " of loss" if metric.name == "loss" else ""
    return AnalysisRow(
        title=analysis.title.format(**words),
        how=analysis.how.format(**words),
        label=verdict.label,
        effect=f"{format_signed(result.mean, metric)} {metric.unit}" if result.n else "not run",
        bounds=bounds,
        svg=Markup(render_svg(analysis_panel(verdict, span), names)),
        axis=Markup(axis_svg(span) if is_last else ""),
        unit=f"{metric.unit}{loss}, δ = {format_delta(verdict, metric)}",
    )


def largest_value(verdict: Verdict) -> float:
    """How far a row reaches from zero."""
    result = verdict.result
    ends = (result.mean, *result.shown_ends, verdict.delta)
    return max(abs(value) for value in ends if not math.isnan(value))


def analysis_panel(verdict: Verdict, span: float) -> Panel:
    """One row: the interval around the mean on a scale of ± span."""
    result, arm, middle = verdict.result, verdict.claim.better, HEIGHT // 2
    marks: list[Mark] = [Rule("zero", 0.0), Rule("ref", -verdict.delta), Rule("ref", verdict.delta)]
    if result.has_interval:
        marks.append(Bar(arm, "ci", result.low, result.high, middle))
    if result.n > 1:
        marks.append(Points(arm, "mean", (result.mean,), (middle,)))
    elif result.n:
        marks.append(Points(arm, "hollow", (result.mean,), (middle,)))
    return Panel(
        id="",
        title=verdict.claim.words,
        note="",
        finding="Right of zero favours the claim.",
        x=Axis(-span, span),
        y=row_axis(HEIGHT),
        marks=tuple(marks),
        height=HEIGHT,
        left=0,
        right=0,
        top=0,
        bottom=0,
    )


def axis_svg(span: float) -> str:
    """The scale below the rows of one unit."""
    places = [((at + span) / (2 * span), text) for at, text in ticks(-span, span, 5, signed=True)]
    line = "M0 0H1000" + "".join(f"M{1000 * place:.0f} 0v4" for place, _ in places)
    words = "".join(f'<text x="{100 * place:.1f}%" y="17">{text}</text>' for place, text in places)
    return (
        '<svg class="plot" height="1" style="--t:0px;--r:0px;--b:0px;--l:0px">'
        '<svg viewBox="0 0 1000 1" preserveAspectRatio="none" width="100%" height="1">'
        f'<path class="axis" d="{line}"/></svg><g class="t m">{words}</g></svg>'
    )


def pair_table(plan: Plan, verdicts: list[Verdict]) -> Table:
    """The paired differences behind the analyses with more than one pair."""
    better, than = pair_titles(plan, verdicts[0])
    metrics = [plan.space.metric(verdict.claim.metric) for verdict in verdicts]
    settings = (plan.space.replica.shown, *["Tuned"] * (len(verdicts) - 1))
    head = (f"{how}, {metric.title}" for how, metric in zip(settings, metrics, strict=True))
    count = max(verdict.result.n for verdict in verdicts)
    return Table(
        caption=f"{better} against {than} pair by pair; positive favours {better}",
        head=["Pair", *head],
        rows=[
            [str(i + 1), *(pair_cell(plan, verdict, i) for verdict in verdicts)]
            for i in range(count)
        ],
    )


def pair_cell(plan: Plan, verdict: Verdict, i: int) -> str:
    """The i-th difference, and its seed or search."""
    metric, result = plan.space.metric(verdict.claim.metric), verdict.result
    if i >= result.n:
        return DASH
    unit = plan.unit(verdict.claim.stage)
    return f"{format_signed(result.differences[i], metric)} ({unit} {result.seeds[i]})"
