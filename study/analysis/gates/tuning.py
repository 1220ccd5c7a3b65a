"""The gates on how arms were tuned: search, budget, range, and results at other points."""

import math
from typing import NamedTuple

from study.analysis.arm_records import ArmRecords
from study.analysis.gates.gate import Cause, Gate, failed, passed
from study.analysis.statistics import LEAST_SHOWN, welch_interval
from study.design.plan import Point
from study.design.space import Arm, Claim
from study.design.stages import EDGE, remaining_search_trials
from study.text import format_number

MOST_AT_EDGE = 1 / 3  # share of an arm's searches whose choice may lie at an edge


def search_gate(results: ArmRecords) -> Gate:
    """Check that the adaptive search had its whole budget and a confirmed choice."""
    plan = results.plan
    left, sizes, explore = (
        remaining_search_trials(plan, results.current),
        plan.sizes,
        plan.space.explore,
    )
    searched = f"{sizes.search_trials - left} of {sizes.search_trials} trials searched"
    arm = plan.space.arm(explore.arm) if explore else None
    point = results.chosen_point(arm) if arm else None
    if left or arm is None or point is None:
        return failed("Search", f"{searched}, nothing chosen yet")
    reference = plan.space.arm(plan.space.reference)
    if plan.config(arm, "final", point) == plan.config(reference, "final"):
        return failed(
            "Search",
            f"{searched}, and it chose {reference.title} again: both arms are the same runs",
            Cause.SAME,
        )
    return passed(
        "Search",
        f"{searched}, the best {sizes.confirm_points} run again on {sizes.confirm_seeds} new "
        "seeds; the recipe is fixed and was not tuned",
    )


def budget_gate(results: ArmRecords) -> Gate:
    """Check that every tuned arm had as many search trials, confirm runs and final seeds."""
    plan = results.plan
    arms = [arm for arm in plan.running if arm.search]
    titles = {"search": "search trials", "confirm": "confirm runs", "final": "final runs"}
    if plan.repeats:
        del titles["confirm"]
    counts = {s: {len(results.runs(arm.name, s)) for arm in arms} for s in titles}
    words = ", ".join(
        f"{'/'.join(map(str, sorted(counts[stage])))} {title}" for stage, title in titles.items()
    )
    if all(len(numbers) == 1 and 0 not in numbers for numbers in counts.values()):
        of = f" in {plan.sizes.searches} searches" if plan.repeats else ""
        return passed("Budget", f"{words}{of} for every {plan.space.scientific}")
    return failed("Budget", f"not equal over the arms: {words}")


class EdgeDistance(NamedTuple):
    """How far an arm's chosen point lies from the edges of what was explored."""

    decades: float  # to the nearest edge
    outermost: bool  # no point beyond it was tried


def edge_distances(results: ArmRecords, name: str) -> list[EdgeDistance]:
    """Of each search's choice, the smallest over the arm's parameters; empty before any choice."""
    arm = results.plan.space.arm(name)
    return [
        edge_distance(results, arm, search, point)
        for search, point in results.chosen_points(arm).items()
    ]


def edge_distance(results: ArmRecords, arm: Arm, search: int, point: Point) -> EdgeDistance:
    """How far a search's choice lies from the edges of what that search explored."""
    tried = [
        record
        for stage in ("search", "added")
        for record in results.runs(arm.name, stage)
        if results.plan.search_of(record.seed) == search
    ]
    nearest = EdgeDistance(math.inf, False)
    for key, span in arm.search.items():
        values = [record.point[key] for record in tried]
        low, high = min(span.low, *values), max(span.high, *values)
        decades = min(math.log10(point[key] / low), math.log10(high / point[key]))
        outermost = point[key] in (min(values), max(values))
        nearest = min(nearest, EdgeDistance(decades, outermost))
    return nearest


def range_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that both arms' chosen points lie off the edges of what was explored."""
    inside: list[str] = []
    wrong: list[str] = []
    for name in (claim.better, claim.than):
        arm, edges = results.plan.space.arm(name), edge_distances(results, name)
        if not arm.search:
            continue
        if not edges:
            return failed("Range", f"{arm.title} has no chosen point")
        least = EDGE * min((span.decades for span in arm.search.values()), default=0.0)
        if results.plan.repeats:
            count = sum(edge.decades < least for edge in edges)
            share = f"{count or 'none'} of {len(edges)} searches"
            words = f"{share} of {arm.title} chose a point at an edge"
            (wrong if count > MOST_AT_EDGE * len(edges) else inside).append(words)
            continue
        edge = edges[0]
        off = f"{edge.decades:.1f} decades off the edge"
        if edge.decades < least:
            wrong.append(f"{arm.title}’s best is only {off} of its range, {least:.1g} are needed")
        elif edge.outermost:
            wrong.append(f"{arm.title}’s best is outermost of all tried")
        else:
            inside.append(f"{arm.title}’s best lies {off}")
    return failed("Range", "; ".join(wrong)) if wrong else passed("Range", "; ".join(inside))


class TunedLevel(NamedTuple):
    """Where an arm's tuned runs end against its own runs at the reported setting."""

    arm: str
    mean: float  # tuned - reported in the primary metric's unit; positive: the tuned are better
    low: float  # of the Welch interval
    high: float
    reported: float  # level of the runs at the reported setting, in the metric's unit


def tuned_levels(results: ArmRecords, claim: Claim) -> list[TunedLevel]:
    """The arms of a claim with enough runs of both kinds for an interval, on the test split.

    An arm of which runs diverged is left out: a mean over the survivors would flatter it.
    """
    metric = results.plan.space.primary
    sign, levels = (1 if metric.higher_is_better else -1), []
    for name in (claim.better, claim.than):
        tuned, reported = (
            [*results.values(name, stage, metric).values()] for stage in ("final", "replica")
        )
        runs = [run for stage in ("final", "replica") for run in results.runs(name, stage)]
        if min(len(tuned), len(reported)) < LEAST_SHOWN or any(
            run.status == "diverged" for run in runs
        ):
            continue
        level = sum(reported) / len(reported)
        low, high = welch_interval([sign * v for v in tuned], [sign * v for v in reported])
        mean = sign * (sum(tuned) / len(tuned) - level)
        levels.append(TunedLevel(name, mean, low, high, level))
    return levels


def tuning_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that no arm's tuned runs do worse than its own runs at the reported setting.

    A tuned arm that does worse than its untuned runs by more than their noise (Welch 1947) and by
    δ or more was not tuned well enough for its result to count.
    """
    plan, metric = results.plan, results.plan.space.primary
    shown, digits = plan.space.replica.shown, metric.decimals
    levels = tuned_levels(results, claim)
    if wrong := [one for one in levels if one.high < 0 and -one.mean >= results.delta(metric)]:
        reasons = (
            f"{plan.title(one.arm)} tuned ends {-one.mean:.{digits}f} {metric.unit} "
            f"{metric.worse_side} its own runs at {shown}"
            for one in wrong
        )
        return failed("Tuning", f"suspect, under-tuned: {'; '.join(reasons)}")
    if not levels:
        return passed(
            "Tuning",
            f"nothing to hold the tuned runs against: no arm has {LEAST_SHOWN} runs at "
            f"{shown or 'another point'} of which none diverged",
        )
    advantage = "" if metric.higher_is_better else " of advantage"
    parts = (
        f"{plan.title(one.arm)} {format_number(one.mean, digits, True)} "
        f"[{format_number(one.low, digits, True)}, {format_number(one.high, digits, True)}]"
        for one in levels
    )
    return passed(
        "Tuning",
        f"tuned against the own runs at {shown}, {metric.unit}{advantage}: {', '.join(parts)}; "
        "none is worse beyond noise",
    )
