"""The page's section on the figure of the report of 2020, run again with more seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from study.analysis.results import Results
from study.analysis.statistics import LEAST_SHOWN, t_interval
from study.analysis.summaries import epoch_curves, mean_or_nan
from study.analysis.verdict import Verdict
from study.design.plan import Plan
from study.design.space import Arm, Metric
from study.figures.panel import (
    Axis,
    Band,
    Line,
    Mark,
    Panel,
    Rule,
    Tick,
    pad_range,
    ticks,
    value_axis,
)
from study.report.section import Figure, Section, Table, fmt
from study.text import capitalize, join_words

LOSS = Metric(name="loss", title="loss", unit="nats", scale=1.0, higher_is_better=False, delta=0.1)
MANY = 6  # arms, above which those that are not run are not listed
AGREEMENT = {  # by label: what the seeds say of the report's order
    "supported": "agree with the report",
    "small": "agree with the report, by less than matters",
    "contradicted": "show the opposite of the report’s order",
    "equivalent": "show no difference that matters",
    "nogain": "rule out an advantage that matters",
    "undecided": "do not decide",
    "untestable": "cannot be judged",
}
SUB = (
    "{drawn} by epoch at {shown}, the report’s experiment {row}. Left and middle: 1 run each, no "
    "interval. Right: {right}."
)
BANDS = "means of all seeds, pointwise 95 % t bands"
THIN = "each seed as a thin line, and their mean"
POINTWISE = "The bands are pointwise: they do not say from which epoch on two arms differ."

Curves = dict[str, dict[int, list[float]]]  # by arm and seed, a value an epoch


@dataclass(frozen=True, kw_only=True)
class Reproduction(Section):
    """The panels of our runs, and what the report claims."""

    claimed: str  # the arm that the published claim favours; empty: there is none
    best: str  # where it ends


def reproduction_section(results: Results) -> Reproduction | None:
    """The report's figure beside ours; None where no arm is in the report."""
    plan, metric = results.plan, drawn_metric(results.plan)
    if not (plan.space.replica.row and any(arm.in_report for arm in plan.space.arms)):
        return None
    curves = replica_curves(results, metric)
    published = results.verdict("published")
    return Reproduction(
        figure=Figure(
            id="then",
            title=reproduction_title(results),
            sub=SUB.format(
                drawn=capitalize(loss_title(plan) if metric is LOSS else metric.title),
                shown=plan.space.replica.shown,
                row=plan.space.replica.row,
                right=BANDS if has_bands(curves) else THIN,
            ),
            caption=reproduction_caption(plan, metric, has_bands=has_bands(curves)),
            table=curves_table(plan, metric, curves),
        ),
        panels=reproduction_panels(plan, metric, curves),
        claimed=plan.title(published.claim.better) if published else "",
        best="highest" if metric.higher_is_better else "lowest",
    )


def reproduction_title(results: Results) -> str:
    """Whether the report's picture comes back."""
    published, replica = results.verdict("published"), results.verdict("replica")
    if published is None or replica is None or not published.result.n or replica.result.n < 2:
        return "The report’s setting, run again"
    return f"{one_seed_words(published)}; {replica.result.n} seeds {AGREEMENT[replica.label]}"


def one_seed_words(published: Verdict) -> str:
    """What the first seed alone says of the report's order; it has no interval."""
    if abs(published.result.mean) < published.delta:
        return "One seed shows no difference that matters"
    same = "repeats" if published.result.mean > 0 else "reverses"
    return f"One seed {same} the report’s order"


def has_bands(curves: Curves) -> bool:
    """Whether some arm has enough seeds for a band."""
    return any(len(by_seed) >= LEAST_SHOWN for by_seed in curves.values())


def reproduction_caption(plan: Plan, metric: Metric, *, has_bands: bool) -> str:
    """How the replica's curves were made."""
    chance = drawn_chance(plan, metric)
    sentences = []
    if metric is LOSS:
        sentences = ["The loss of an epoch is the mean over its steps.", loss_words(plan)]
    elif chance:
        sentences = [
            "Accuracy after each of the epochs, on the test split; nothing is chosen by it.",
            f"Chance is {chance:.0f} %.",
        ]
    missing = [arm.title for arm in plan.space.arms if not arm.in_report and not arm.of]
    sentences += [POINTWISE] if has_bands else []
    if missing and len(missing) <= MANY:
        verb = "is" if len(missing) == 1 else "are"
        sentences.append(f"{join_words(missing)} {verb} not in the report and not run here.")
    return " ".join(filter(None, sentences))


def loss_words(plan: Plan) -> str:
    """What the trainer says of its loss; empty where that needs a number which is not known."""
    chance = plan.data.chance.get(LOSS.name)
    if chance is None and "{chance}" in plan.words.loss:
        return ""
    return plan.words.loss.format(chance=fmt(chance or 0.0, LOSS.decimals))


def loss_title(plan: Plan) -> str:
    """What the plan calls its loss."""
    named = (metric.title for metric in plan.space.metrics if metric.name == LOSS.name)
    return next(named, LOSS.title)


def drawn_metric(plan: Plan) -> Metric:
    """The number by epoch that the report draws: one of the plan's metrics, or the loss."""
    drawn = plan.space.replica.drawn
    metrics = (metric for metric in plan.space.metrics if metric.name == drawn != LOSS.name)
    return next(metrics, LOSS)


def drawn_chance(plan: Plan, metric: Metric) -> float | None:
    """What guessing gives in that number, in its unit; None where that is not known."""
    chance = plan.data.chance.get(metric.name)
    return None if chance is None else chance * metric.scale


def replica_curves(results: Results, metric: Metric) -> Curves:
    """The curves of the report's arms that have any."""
    curves = {
        arm.name: epoch_curves(results, arm.name, "replica", key=metric.name, scale=metric.scale)
        for arm in results.plan.space.arms
        if arm.in_report
    }
    return {name: by_seed for name, by_seed in curves.items() if by_seed}


def curves_table(plan: Plan, metric: Metric, curves: Curves) -> Table:
    """One seed and the mean of all by epoch, for each arm."""
    head = ["Epoch"]
    for name, by_seed in curves.items():
        head += [f"{plan.title(name)}, seed {min(by_seed)}", f"mean of {len(by_seed)}"]
    lengths = (len(curve) for by_seed in curves.values() for curve in by_seed.values())
    rows = []
    for epoch in range(min(lengths, default=0)):
        row = [str(epoch + 1)]
        for by_seed in curves.values():
            values = [curve[epoch] for curve in by_seed.values()]
            row += [fmt(values[0], metric.decimals), fmt(mean_or_nan(values), metric.decimals)]
        rows.append(row)
    caption = (
        f"{capitalize(metric.title)} in {metric.level_unit} by epoch: one seed, then the mean of "
        "all that finished"
    )
    return Table(caption, head, rows)


class EpochMarks(NamedTuple):
    """The lines of the two panels."""

    one: list[Mark]  # the first seed
    many: list[Mark]  # the mean of all seeds with its band


def reproduction_panels(plan: Plan, metric: Metric, curves: Curves) -> tuple[Panel, ...]:
    """Ours with the first seed, and with all of them."""
    if not (plan.space.replica.drawn and curves):
        return ()
    first, shown = plan.seeds("replica")[0], plan.space.replica.shown
    counts = sorted({len(by_seed) for by_seed in curves.values()})
    count = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    marks = epoch_marks(plan.space.arms, curves, first)
    chance = drawn_chance(plan, metric)
    rule = (Rule("ref", chance, vertical=False, label="chance"),) if chance else ()
    one = Panel(
        id="then-one",
        title="Ours, first seed",
        note=f"seed {first}, {shown} for all; 1 run each, no interval",
        finding=line_ends(plan, marks.one, metric),
        x=epoch_axis(curves),
        y=metric_axis(metric, [*marks.one, *marks.many], chance),
        marks=(*rule, *marks.one),
        height=240,
        right=76,
    )
    how = f"mean of {count} seeds, pointwise 95 % t bands" if has_bands(curves) else THIN
    many = one._replace(
        id="then-all",
        title=f"Ours, {count} seeds",
        note=f"same setting; {how}",
        finding=line_ends(plan, marks.many, metric),
        marks=(*rule, *marks.many),
    )
    return one, many


def epoch_marks(arms: Iterable[Arm], curves: Curves, first: int) -> EpochMarks:
    """Each arm's lines over the epochs; `first` is the seed of the first panel."""
    titles = {arm.name: arm.title for arm in arms}
    marks = EpochMarks([], [])
    for name, by_seed in curves.items():
        epochs = tuple(range(min(map(len, by_seed.values()))))
        x = tuple(float(epoch + 1) for epoch in epochs)
        columns = [[curve[epoch] for curve in by_seed.values()] for epoch in epochs]
        if first in by_seed:
            line = tuple(by_seed[first][: len(epochs)])
            marks.one.append(Line(name, x, line, end=titles[name]))
        if len(by_seed) >= LEAST_SHOWN:
            lows, highs = zip(*map(t_interval, columns), strict=True)
            marks.many.append(Band(name, x, lows, highs))
        elif len(by_seed) > 1:
            seeds = (tuple(curve[: len(epochs)]) for curve in by_seed.values())
            marks.many.extend(Line(name, x, one, thin=True) for one in seeds)
        marks.many.append(Line(name, x, tuple(map(mean_or_nan, columns)), end=titles[name]))
    return marks


def metric_axis(metric: Metric, marks: list[Mark], chance: float | None) -> Axis:
    """The vertical axis of both panels."""
    values = [] if not chance else [chance]
    for mark in marks:
        values += mark.y if isinstance(mark, Line) else ()
        values += (*mark.low, *mark.high) if isinstance(mark, Band) else ()
    low, high = pad_range(values, 0.04)
    return value_axis(low, high, f"{metric.title}, {metric.level_unit}")


def epoch_axis(curves: Curves) -> Axis:
    """The epochs: a tick at the first, at the last and at a few between."""
    last = max(len(curve) for by_seed in curves.values() for curve in by_seed.values())
    inner = [tick.value for tick in ticks(0, last) if 1 < tick.value < last - last / 12]
    values = (1.0, *inner, float(max(2, last)))
    labels = tuple(Tick(value, f"{value:.0f}") for value in values)
    return Axis(low=1, high=max(2, last), ticks=labels, title="epoch")


def line_ends(plan: Plan, marks: list[Mark], metric: Metric) -> str:
    """Where each line ends, in words."""
    ends = ", ".join(
        f"{plan.title(mark.arm)} {mark.y[-1]:.{metric.decimals}f}"
        for mark in marks
        if isinstance(mark, Line) and mark.end
    )
    return f"At the last epoch: {ends} {metric.level_unit}."
