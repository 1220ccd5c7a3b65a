"""The page's section on the loss: whether it stands in for the metric that matters."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from study.analysis.results import Results
from study.analysis.summaries import LossAndScore, loss_and_score, mean_or_nan, rank_correlation
from study.design.plan import Plan
from study.design.space import Arm, Metric
from study.figures.panel import Line, Mark, Panel, Points, pad_range, value_axis
from study.report.section import Figure, Section, Table, fmt
from study.text import capitalize, format_number

FEW = 20  # tuned runs, below which their rank correlation says nothing
LEAST = 3  # runs of a panel


class Means(NamedTuple):
    """The means of an arm's runs in a stage."""

    loss: float
    score: float


def loss_section(results: Results) -> Section | None:
    """Loss against score; None unless the loss is a further metric, or with too few runs."""
    plan = results.plan
    if "loss" not in [metric.name for metric in plan.space.metrics[1:]]:
        return None
    groups = loss_and_score(results)
    panels = loss_panels(plan, groups)
    if not panels:
        return None
    figure = Figure(
        id="loss",
        title=title(plan, groups),
        sub=subtitle(plan, groups),
        caption=(
            "A correlation of 1 would mean that a lower loss always goes with a better "
            f"{plan.space.primary.title}.{over_all_words(groups)} Among tuned runs it says whether "
            "the loss could choose between them."
        ),
        table=means_table(plan, groups),
    )
    return Section(figure, panels)


def over_all_words(groups: list[LossAndScore]) -> str:
    """What a correlation over all runs rests on, where there are others than tuned ones."""
    if len(tuned_groups(groups)) == len(groups):
        return ""
    return " Over all runs it is helped where a shared rate ruined some of them."


def tuned_groups(groups: list[LossAndScore]) -> list[LossAndScore]:
    """Those of the final stage."""
    return [group for group in groups if group.stage == "final"]


def count_runs(groups: list[LossAndScore]) -> int:
    """Runs of all groups."""
    return sum(len(group.loss) for group in groups)


def title(plan: Plan, groups: list[LossAndScore]) -> str:
    """How well the loss ranks the runs."""
    tuned, score = tuned_groups(groups), plan.space.primary
    over_all, rank = fmt(rank_correlation(groups, score), 2), rank_correlation(tuned, score)
    metric = score.title
    if 0 < count_runs(tuned) < FEW:
        others = len(tuned) < len(groups)
        over = f"; over all runs a lower loss goes with a better {metric} at {over_all}"
        return f"Too few tuned runs to say how the loss ranks them{over if others else ''}"
    if math.isnan(rank):
        return f"Over all runs the loss ranks {metric} with a correlation of {over_all}"
    return (
        f"The loss ranks the tuned runs {strength(rank)}: correlation {format_number(rank, 2)}, "
        f"against {over_all} over all runs"
    )


def strength(rank: float) -> str:
    """A rank correlation as an adverb."""
    if abs(rank) < 0.4:
        return "hardly"
    if rank < 0:
        return "backwards"
    return "in part" if rank < 0.7 else "well"


def subtitle(plan: Plan, groups: list[LossAndScore]) -> str:
    """What was measured, and on how many runs."""
    loss, score = plan.space.metric("loss"), plan.space.primary
    return (
        f"Final {loss.title} against test {score.title}. n = {count_runs(groups)} finished runs, "
        f"of which {count_runs(tuned_groups(groups))} tuned; Spearman rank correlation, no "
        "interval."
    )


def means_table(plan: Plan, groups: list[LossAndScore]) -> Table:
    """Each arm's means, tuned and as reported."""
    metric = plan.space.primary.title
    shown = {"final": "tuned", "replica": plan.space.replica.shown}
    stages = [stage for stage in shown if any(group.stage == stage for group in groups)]
    columns = [f"{what}, {shown[stage]}" for stage in stages for what in ("Loss", metric)]
    head = [capitalize(plan.space.scientific), *columns, "Rank correlation within"]
    return Table(
        caption="Means by arm; the single runs are in the table of all runs",
        head=head,
        rows=[means_row(plan, arm, groups, stages) for arm in plan.space.arms],
    )


def means_row(plan: Plan, arm: Arm, groups: list[LossAndScore], stages: list[str]) -> list[str]:
    """An arm's row of that table."""
    by_stage = {group.stage: group for group in groups if group.arm.name == arm.name}
    loss, score = plan.space.metric("loss"), plan.space.primary
    cells = []
    for stage in stages:
        if stage in by_stage:
            means = group_means(by_stage[stage])
            cells += [fmt(means.loss, loss.decimals), fmt(means.score, score.decimals)]
        else:
            cells += ["not run", "not run"]
    within = rank_correlation(tuned_groups([*by_stage.values()]), score)
    return [arm.title, *cells, fmt(within, 2)]


def group_means(group: LossAndScore) -> Means:
    """Mean loss and score of a group."""
    return Means(loss=mean_or_nan([*group.loss]), score=mean_or_nan([*group.score]))


def loss_panels(plan: Plan, groups: list[LossAndScore]) -> tuple[Panel, ...]:
    """All runs, and the tuned ones with their means where there are others besides."""
    tuned = tuned_groups(groups)
    panels = []
    if count_runs(groups) >= LEAST:
        panels.append(all_runs_panel(plan, groups))
    if count_runs(tuned) >= LEAST and len(tuned) < len(groups):
        panels.append(tuned_runs_panel(plan, tuned))
    return tuple(panels)


def marks_words(plan: Plan, groups: list[LossAndScore]) -> list[str]:
    """What solid and hollow marks are, where there are both."""
    has_both = len(tuned_groups(groups)) < len(groups)
    return ["solid: tuned", f"hollow: {plan.space.replica.shown}"] if has_both else []


def all_runs_panel(plan: Plan, groups: list[LossAndScore]) -> Panel:
    """Every run, tuned or as reported."""
    return loss_panel(
        plan,
        groups,
        id="loss-all",
        title=f"All {count_runs(groups)} runs",
        note="; ".join([*marks_words(plan, groups), correlation_words(groups, plan.space.primary)]),
        marks=[run_marks(group, plan.space.primary) for group in groups],
    )


def tuned_runs_panel(plan: Plan, groups: list[LossAndScore]) -> Panel:
    """The tuned runs, each arm's mean drawn out to its name."""
    words, (_, end) = correlation_words(groups, plan.space.primary), loss_range(groups)
    marks: list[Mark] = []
    for group in groups:
        marks += [run_marks(group, plan.space.primary), *mean_marks(group, end=end)]
    return loss_panel(
        plan,
        groups,
        id="loss-tuned",
        title=f"The {count_runs(groups)} tuned runs",
        note=f"large marks: means, their level drawn out to the name; {words}",
        marks=marks,
        right=84,
    )


def loss_panel(
    plan: Plan,
    groups: list[LossAndScore],
    *,
    id: str,
    title: str,
    note: str,
    marks: Sequence[Mark],
    right: int = 16,
) -> Panel:
    """Marks of these runs on axes that hold them."""
    loss, score = plan.space.metric("loss"), plan.space.primary
    low, high = pad_range([value for group in groups for value in group.score])
    return Panel(
        id=id,
        title=title,
        note=note,
        finding=(f"{count_runs(groups)} runs, {correlation_words(groups, score)}."),
        x=value_axis(*loss_range(groups), f"final loss, {loss.level_unit}"),
        y=value_axis(low, high, f"test {score.title}, {score.level_unit}"),
        marks=tuple(marks),
        height=320,
        right=right,
    )


def loss_range(groups: list[LossAndScore]) -> tuple[float, float]:
    """The ends of the axis of the loss."""
    return pad_range([value for group in groups for value in group.loss])


def correlation_words(groups: list[LossAndScore], score: Metric) -> str:
    """The rank correlation over groups of runs."""
    rank = rank_correlation(groups, score)
    if math.isnan(rank):
        return "too few runs for a rank correlation"
    return f"rank correlation {format_number(rank, 2)} of a lower loss with a better {score.title}"


def run_marks(group: LossAndScore, score: Metric) -> Points:
    """A mark for each run."""
    runs = zip(group.loss, group.score, strict=True)
    name = f"{group.arm.title}, {group.stage}"
    return Points(
        arm=group.arm.name,
        kind="dot" if group.stage == "final" else "hollow",
        x=group.loss,
        y=group.score,
        hover=tuple(
            f"{name}: loss {loss:.2f}, {format_number(value, score.decimals)}"
            for loss, value in runs
        ),
    )


def mean_marks(group: LossAndScore, *, end: float) -> list[Mark]:
    """An arm's mean, and its level as far as the right end of the axis."""
    arm, (loss, score) = group.arm, group_means(group)
    hover = (f"{arm.title}, mean",)
    return [
        Points(arm=arm.name, kind="mean", x=(loss,), y=(score,), hover=hover),
        Line(arm=arm.name, x=(loss, end), y=(score, score), thin=True, end=arm.title),
    ]
