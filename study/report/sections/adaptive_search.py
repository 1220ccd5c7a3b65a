"""The page's section on an adaptive search: its course, what mattered, and what accuracy costs."""

import math
from itertools import accumulate
from typing import NamedTuple

from study.analysis.results import Results
from study.design.record import Record
from study.design.space import Explore, Metric
from study.design.words import Words
from study.figures.panel import (
    Axis,
    Bar,
    Line,
    Mark,
    Panel,
    Points,
    Text,
    Tick,
    pad_range,
    row_axis,
    ticks,
    value_axis,
)
from study.report.section import Figure, Section, Table
from study.search.importance import MIN_TRIALS, parameter_importances
from study.text import capitalize, count_words, format_number, format_short

PARAMETER = 38  # pixels of a parameter's row
BEST = 10  # trials in the table


class Search(NamedTuple):
    """An adaptive search and what came of it."""

    explore: Explore
    metric: Metric
    runs: list[Record]  # as they ended
    finished: list[Record]
    shares: dict[str, float]  # of importance by parameter, largest first; empty: too few trials

    def score(self, run: Record) -> float:
        """The metric in its unit; NaN where the run did not finish."""
        return run.metric(self.metric.name) * self.metric.scale

    def best(self, *scores: float) -> float:
        """The best of some scores."""
        return max(scores) if self.metric.higher_is_better else min(scores)


def search_section(results: Results) -> Section | None:
    """The adaptive search; None where there is none, or nothing of it has finished."""
    search = read_search(results)
    if search is None:
        return None
    figure = Figure(
        id="search",
        title=title(search),
        sub=subtitle(search),
        caption=caption(search, results.plan.words),
        table=best_table(search),
    )
    panels = [progress_panel(search), cost_panel(search)]
    if search.shares:
        panels.append(importance_panel(search))
    return Section(figure, tuple(panels))


def read_search(results: Results) -> Search | None:
    """What came of the search; None where there is none, or nothing of it has finished."""
    explore, metric = results.plan.space.explore, results.plan.space.primary
    if explore is None:
        return None
    runs = [run for run in results.by_arm if (run.stage, run.arm) == ("search", explore.arm)]
    finished = [run for run in runs if math.isfinite(run.metric(metric.name))]
    if not finished:
        return None
    return Search(
        explore=explore,
        metric=metric,
        runs=runs,
        finished=finished,
        shares=parameter_importances(explore, runs, metric),
    )


def title(search: Search) -> str:
    """The best score, and the parameter that decides most."""
    metric = search.metric
    top = format_number(search.best(*map(search.score, search.finished)), metric.decimals)
    words = f"{len(search.runs)} trials, the best at {top} {metric.level_unit} on one seed"
    if not search.shares:
        return words
    first, share = next(iter(search.shares.items()))
    return f"{words}; what decides most is {first}, {100 * share:.0f} % of the importance"


def subtitle(search: Search) -> str:
    """What was measured, and how many trials ended how."""
    statuses = [run.status for run in search.runs]
    return (
        f"{capitalize(search.metric.title)} on the validation split, one seed a trial, no "
        f"interval. {statuses.count('finished')} finished, {statuses.count('stopped')} stopped "
        f"early, {statuses.count('diverged')} diverged."
    )


def caption(search: Search, words: Words) -> str:
    """How the search was made."""
    explore = search.explore
    aims = " and ".join(words.title(name) for name, _ in explore.objectives)
    known = min(len(explore.known), len(search.runs))
    drawn = min(explore.random, len(search.runs) - known)
    rest = "the rest" if len(search.runs) > known + drawn else "none"
    halving = (
        "Runs are stopped early by asynchronous successive halving on "
        f"{words.title(explore.judge)}: about one of {explore.reduction} goes on. "
    )
    return (
        f"Optuna’s TPE, multivariate and grouped, for {aims}: {count_words(known, 'known point')} "
        f"first, {drawn} at random, {rest} proposed from what was found. A value of "
        "this stage is the best of many and flatters; only the final stage, on fresh seeds, "
        f"enters a claim. {halving if explore.judge else ''}{importance_words(search)}"
    )


def importance_words(search: Search) -> str:
    """How importance was computed, or why it was not."""
    count = len(search.finished)
    if not search.shares:
        return (
            f"Importance of parameters is not shown: it needs {MIN_TRIALS} finished trials, and "
            f"{count} finished."
        )
    return (
        f"Importance: PED-ANOVA over the {count} finished trials, best fifth against the rest; "
        "it depends on the ranges, and the search did not draw evenly from them."
    )


def best_table(search: Search) -> Table:
    """The best trials with their points."""
    metric, parameters = search.metric, search.explore.search
    ordered = sorted(search.finished, key=search.score, reverse=metric.higher_is_better)
    best = ordered[:BEST]

    def cells(run: Record) -> list[str]:
        point = [format_short(run.point[name]) for name in parameters]
        score = format_number(search.score(run), metric.decimals)
        return [run.trial, *point, score, f"{run.seconds:.1f}"]

    return Table(
        caption=f"The {len(best)} best trials, {metric.title} on the validation split, one seed",
        head=["Trial", *parameters, capitalize(metric.title), "Seconds"],
        rows=[cells(run) for run in best],
    )


def score_axis(search: Search) -> Axis:
    """The vertical axis of the panels."""
    low, high = pad_range([search.score(run) for run in search.finished], least=search.metric.delta)
    return value_axis(low, high, f"validation {search.metric.title}, {search.metric.level_unit}")


def progress_panel(search: Search) -> Panel:
    """Every trial by its number, and the best so far."""
    count, y = len(search.runs), score_axis(search)
    best = best_so_far(search)
    last, top = max(2, count), format_number(best[-1], search.metric.decimals)
    return Panel(
        id="search-progress",
        title="Trial by trial",
        note="line: the best so far; cross: stopped early or diverged",
        finding=f"the best after {count} trials is {top}",
        x=Axis(low=0.0, high=last + 1.0, ticks=ticks(0, last), title="trial"),
        y=y,
        marks=(progress_line(search, best), trial_marks(search), lost_marks(search, y.low)),
        height=240,
    )


def best_so_far(search: Search) -> list[float]:
    """The best score of each trial and those before it; NaN before the first."""

    def better(best: float, score: float) -> float:
        if math.isnan(best) or math.isnan(score):
            return score if math.isnan(best) else best
        return search.best(best, score)

    return list(accumulate(map(search.score, search.runs), better))


def progress_line(search: Search, best: list[float]) -> Line:
    """The best so far, from the first trial that finished."""
    points = [(float(i), score) for i, score in enumerate(best, 1) if not math.isnan(score)]
    x, y = zip(*points, strict=True)
    return Line(arm=search.explore.arm, x=x, y=y, thin=True)


def trial_marks(search: Search) -> Points:
    """A mark for each trial."""
    return Points(
        arm=search.explore.arm,
        kind="solid",
        x=tuple(float(i + 1) for i in range(len(search.runs))),
        y=tuple(map(search.score, search.runs)),
        hover=tuple(", ".join(map(format_short, run.point.values())) for run in search.runs),
    )


def lost_marks(search: Search, y: float) -> Points:
    """A cross at that height for each trial that did not finish."""
    lost = [(i, run.status) for i, run in enumerate(search.runs, 1) if run.status != "finished"]
    return Points(
        arm=search.explore.arm,
        kind="cross",
        x=tuple(float(i) for i, _ in lost),
        y=(y,) * len(lost),
        hover=tuple(status for _, status in lost),
    )


class Cost(NamedTuple):
    """What a trial cost and gave."""

    seconds: float
    score: float


def cost_panel(search: Search) -> Panel:
    """Score against seconds, and the trials that no other one beats in both."""
    arm, runs = search.explore.arm, search.finished
    costs = [Cost(run.seconds, search.score(run)) for run in runs]
    front = pareto_front(search, costs)
    seconds, scores = zip(*costs, strict=True)
    front_seconds, front_scores = zip(*front, strict=True)
    low, high = pad_range(seconds, least=0.1)
    trials = tuple(run.trial for run in runs)
    marks: tuple[Mark, ...] = (
        Line(arm=arm, x=front_seconds, y=front_scores, thin=True),
        Points(arm=arm, kind="dot", x=seconds, y=scores, hover=trials),
        Points(arm=arm, kind="ring", x=front_seconds, y=front_scores),
    )
    return Panel(
        id="search-cost",
        title="What it costs",
        note=(
            "ringed: no other trial is both better and faster; seconds are of this machine, with "
            "others running"
        ),
        finding=f"{len(front)} of {len(runs)} trials are beaten by no other in both",
        x=value_axis(low, high, "seconds a trial"),
        y=score_axis(search),
        marks=marks,
        height=240,
    )


def pareto_front(search: Search, costs: list[Cost]) -> list[Cost]:
    """Those that no other one equals or beats in both, fastest first."""

    def beats(other: Cost, one: Cost) -> bool:
        is_as_good = search.best(other.score, one.score) == other.score
        return other != one and other.seconds <= one.seconds and is_as_good

    return sorted(one for one in costs if not any(beats(other, one) for other in costs))


def importance_panel(search: Search) -> Panel:
    """A bar for each parameter's share."""
    marks: list[Mark] = []
    for i, (name, share) in enumerate(search.shares.items()):
        y = PARAMETER * (i + 0.5)
        marks += [
            Text(f"{name}, {100 * share:.0f} %", 0.0, y - 9),
            Bar(arm=search.explore.arm, kind="ci", low=0.0, high=share, y=y + 8),
        ]
    top, height = max(search.shares.values()), PARAMETER * len(search.shares)
    shares = tuple(Tick(tick.value, f"{100 * tick.value:.0f}") for tick in ticks(0.0, top, 4))
    return Panel(
        id="search-importance",
        title="What matters",
        note="PED-ANOVA, no interval",
        finding=", ".join(f"{name} {100 * share:.0f} %" for name, share in search.shares.items()),
        x=Axis(low=0.0, high=top * 1.05, ticks=shares, title="share, %"),
        y=row_axis(height),
        marks=tuple(marks),
        height=height,
        left=10,
    )
