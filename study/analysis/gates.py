"""Gates: what must hold before a number may decide a claim. Each is counted from the records, not from the plan."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from study.design.plan import Plan, absent_words, tuned
from study.design.record import Record
from study.design.space import Claim
from study.design.stages import EDGE, Records, chosen_point, to_explore
from study.text import joined

MIN_SEEDS = 6  # below, the sign-flip p cannot reach 0.05


def least_seeds(plan: Plan, stage: str) -> int:
    """Seeds below which the sign-flip p, 2 / 2^n at least, cannot reach the error rate of a test."""
    return next(
        n
        for n in range(MIN_SEEDS, 64)
        if 2 / 2**n <= 0.05 / (plan.looks if stage == "final" else 1)
    )


class Gate(NamedTuple):
    """One condition and whether it holds."""

    name: str
    state: str  # passed, failed, or unknown: the source does not say
    reason: str


def of_stage(records: Records, arm: str, stage: str) -> list[Record]:
    """An arm's final records of a stage, by seed."""
    return sorted(
        (record for record in records.values() if record.arm == arm and record.stage == stage),
        key=lambda record: record.seed,
    )


def gates_of(plan: Plan, claim: Claim, records: Records) -> list[Gate]:
    """The gates of a claim, in the order in which a reader asks."""
    if lacking := {
        name: why.partition(":")[0]
        for name in (claim.better, claim.than)
        if (why := plan.why_absent(name))
    }:
        return [
            Gate(
                "Needs",
                "failed",
                "; ".join(line.removesuffix(".") for line in absent_words(plan, lacking)),
            )
        ]
    if claim.role == "published":
        return published_gates(plan, claim)
    seeds, task, stability = (
        seeds_gate(plan, claim, records),
        task_gate(plan, claim, records),
        stability_gate(plan, claim, records),
    )
    if claim.stage == "replica":
        return [seeds, task, stability]
    if plan.explore:
        return [search_gate(plan, records), seeds, splits_gate(plan, records), stability, task]
    if not any(plan.arm(name).search for name in (claim.better, claim.than)):
        return [seeds, splits_gate(plan, records), stability, task]
    return [
        budget_gate(plan, records),
        range_gate(plan, claim, records),
        seeds,
        splits_gate(plan, records),
        stability,
        task,
    ]


def published_gates(plan: Plan, claim: Claim) -> list[Gate]:
    """What the published evidence lacks, whatever our runs of it give."""
    first, second = (plan.arm(name).title for name in (claim.better, claim.than))
    metric, primary = plan.metric(claim.metric), claim.metric == plan.metrics[0].name
    return [
        Gate("Seeds", "failed", f"one run each; at least {MIN_SEEDS} are needed"),
        Gate(
            "Budget",
            "failed",
            f"nothing was tuned; {first} and {second} share {plan.replica.shown}",
        ),
        Gate(
            "Metric",
            "passed" if primary else "failed",
            f"the {metric.title}{'' if primary else '; no accuracy was measured'}",
        ),
        Gate("Task", "unknown", plan.replica.unstated),
    ]


def search_gate(plan: Plan, records: Records) -> Gate:
    """The adaptive search had its whole budget, and its best points were run again on new seeds before one was chosen."""
    left, sizes = to_explore(plan, records), plan.sizes
    chosen = (
        plan.explore is not None
        and chosen_point(plan, plan.arm(plan.explore.arm), records) is not None
    )
    told = f"{sizes.search_trials - left} of {sizes.search_trials} trials searched"
    if left or not chosen:
        return Gate("Search", "failed", f"{told}, nothing chosen yet")
    return Gate(
        "Search",
        "passed",
        f"{told}, the best {sizes.confirm_points} run again on {sizes.confirm_seeds} new seeds; the recipe is fixed and was not tuned",
    )


def budget_gate(plan: Plan, records: Records) -> Gate:
    """Every arm that is tuned had the same number of search trials, confirm runs and final seeds."""
    arms = [arm for arm in plan.running if arm.search]
    counts = {
        stage: {len(of_stage(records, arm.name, stage)) for arm in arms}
        for stage in ("search", "confirm", "final")
    }
    told = ", ".join(
        f"{'/'.join(map(str, sorted(numbers)))} {what}"
        for what, numbers in zip(
            ("search trials", "confirm runs", "final seeds"), counts.values(), strict=True
        )
    )
    equal = all(len(numbers) == 1 and 0 not in numbers for numbers in counts.values())
    return Gate(
        "Budget",
        "passed" if equal else "failed",
        f"{told} for every {plan.scientific}" if equal else f"not equal over the arms: {told}",
    )


def edge_distance(plan: Plan, name: str, records: Records) -> tuple[float, bool] | None:
    """Decades from the arm's chosen point to the nearest edge of what was explored, and whether the point is outermost of all tried.

    The smallest over its parameters; None while nothing is chosen.
    """
    arm = plan.arm(name)
    point = chosen_point(plan, arm, records)
    if point is None:
        return None
    tried = [record for stage in ("search", "added") for record in of_stage(records, name, stage)]
    worst = (math.inf, False)
    for key, span in arm.search.items():
        values = [record.point[key] for record in tried]
        low, high = min(span.low, *values), max(span.high, *values)
        distance = min(math.log10(point[key] / low), math.log10(high / point[key]))
        worst = min(worst, (distance, point[key] in (min(values), max(values))))
    return worst


def range_gate(plan: Plan, claim: Claim, records: Records) -> Gate:
    """Both chosen points lie off the edges of what was explored."""
    said, wrong = [], []
    for name in (claim.better, claim.than):
        arm, found = plan.arm(name), edge_distance(plan, name, records)
        if found is None:
            return Gate("Range", "failed", f"{arm.title} has no chosen point")
        distance, outermost = found
        least = EDGE * min((span.decades for span in arm.search.values()), default=0.0)
        inside = distance >= least and not outermost
        if inside:
            said.append(f"{arm.title}’s best lies {distance:.1f} decades off the edge")
        else:
            near = (
                f"only {distance:.1f} decades off the edge of its range, {least:.1g} are needed"
                if distance < least
                else "outermost of all tried"
            )
            wrong.append(f"{arm.title}’s best is {near}")
    return (
        Gate("Range", "failed", "; ".join(wrong))
        if wrong
        else Gate("Range", "passed", "; ".join(said))
    )


def seeds_gate(plan: Plan, claim: Claim, records: Records) -> Gate:
    """At least six seeds, the same in both arms, none used for a choice."""
    ours, theirs = (
        {r.seed for r in of_stage(records, name, claim.stage) if r.status == "finished"}
        for name in (claim.better, claim.than)
    )
    used = {
        record.seed for record in records.values() if record.stage in ("search", "added", "confirm")
    }
    count = len(ours & theirs)
    if (
        claim.stage == "final"
        and max(len(of_stage(records, name, "final")) for name in (claim.better, claim.than))
        < plan.sizes.final_seeds
    ):
        return Gate(
            "Seeds",
            "failed",
            f"the study has not ended: {count} of {plan.sizes.final_seeds} seeds finished in both arms so far",
        )
    if ours != theirs:
        return Gate(
            "Seeds",
            "failed",
            f"{seeds_words(count)} finished in both arms, {len(ours ^ theirs)} in one only",
        )
    if claim.stage == "final" and ours & used:
        return Gate("Seeds", "failed", f"seeds {sorted(ours & used)} were used to choose")
    fresh = ", none seen in the search" if claim.stage == "final" and used else ""
    least = least_seeds(plan, claim.stage)
    if count < least:
        return Gate(
            "Seeds", "failed", f"{seeds_words(count)} in both arms, at least {least} are needed"
        )
    return Gate(
        "Seeds", "passed", f"{count}, at least {least} needed; the same in both arms{fresh}"
    )


def seeds_words(count: int) -> str:
    """So many seeds."""
    return f"{count} seed{'' if count == 1 else 's'}"


def splits_gate(plan: Plan, records: Records) -> Gate:
    """Choices and the result are scored on different splits: some field that every stage sets differs between all their runs."""

    def values(stages: tuple[str, ...], key: str) -> set[str]:
        return {
            str(record.config.get(key)) for record in records.values() if record.stage in stages
        }

    keys = set.intersection(*(set(fields) for fields in plan.stages.values()))
    for key in sorted(keys):
        chosen, scored = values(("search", "added", "confirm"), key), values(("final",), key)
        if chosen and scored and not chosen & scored:
            return Gate(
                "Splits",
                "passed",
                f"chosen on {', '.join(sorted(chosen))}, scored once on {', '.join(sorted(scored))}",
            )
    if not any(arm.search for arm in plan.running) and plan.explore is None:
        return Gate("Splits", "passed", "no run was chosen among others; each was scored once")
    if not {"search", "added", "confirm"} & {
        record.stage for record in records.values()
    } or not any(r.stage == "final" for r in records.values()):
        return Gate("Splits", "failed", "nothing was chosen or scored yet")
    return Gate("Splits", "failed", "chosen and scored on the same split")


def collapsed(plan: Plan, record: Record) -> bool:
    """Whether the run's features fell into a few dimensions."""
    key, least = plan.collapse
    return record.metric(key) < least


def stability_gate(plan: Plan, claim: Claim, records: Records) -> Gate:
    """No run of either arm diverged: a mean over the survivors would flatter the arm that lost some."""
    pair = [
        (plan.arm(name).title, of_stage(records, name, claim.stage))
        for name in (claim.better, claim.than)
    ]

    def counted(what: str, holds: Callable[[Record], bool]) -> list[str]:
        return [
            f"{count} of {len(runs)} runs of {title} {what}"
            for title, runs in pair
            if (count := sum(map(holds, runs)))
        ]

    fell = counted("collapsed and are kept", lambda run: collapsed(plan, run))
    noted = counted("drew a remark, see the threats", lambda run: bool(run.result.get("remarks")))
    if lost := counted("diverged", lambda run: run.status == "diverged"):
        return Gate(
            "Stability", "failed", "; ".join(lost) + "; a mean over the survivors would flatter"
        )
    return Gate(
        "Stability",
        "passed",
        f"none of the {sum(len(runs) for _, runs in pair)} runs diverged; "
        + ("; ".join([*fell, *noted]) or "none collapsed"),
    )


def apart_in(plan: Plan, claim: Claim) -> list[str]:
    """The fields in which the two arms of a claim differ by themselves, in words."""
    first, second = (
        {**plan.base, **plan.arm(plan.arm(name).of or name).values}
        for name in (claim.better, claim.than)
    )
    return sorted(
        key.replace("_", " ")
        for key in {*first, *second} - {"pictures"}
        if first.get(key) != second.get(key)
    )


def task_gate(plan: Plan, claim: Claim, records: Records) -> Gate:
    """The two arms' configurations differ in nothing but what makes and tunes an arm."""
    own: set[str] = {"seed"}
    configs: list[dict[str, Any]] = []
    for name in (claim.better, claim.than):
        arm = plan.arm(name)
        own |= {
            *arm.values,
            *arm.default,
            *tuned(plan, arm),
            *(plan.arm(arm.of).values if arm.of else ()),
            *plan.found.get(arm.name, ()),
        }
        configs += [record.config for record in of_stage(records, name, claim.stage)]
    differing = sorted(
        {
            key
            for config in configs
            for key in config
            if key not in own and config[key] != configs[0].get(key)
        }
    )
    if differing:
        return Gate("Task", "failed", f"the runs also differ in {', '.join(differing)}")
    if plan.explore:
        return Gate(
            "Task",
            "passed",
            "data, encoder, epochs and evaluation are the same; they differ in what was searched",
        )
    rate = (
        " and its own rate"
        if any(plan.arm(name).search for name in (claim.better, claim.than))
        else ""
    )
    if len(apart := apart_in(plan, claim)) > 1:
        return Gate(
            "Task", "passed", f"the arms differ in {joined(apart)}{rate}; all else is the same"
        )
    shared = (
        "one shared setting, as reported"
        if claim.stage == "replica"
        else f"all but the {plan.scientific}{rate} is the same"
    )
    return Gate("Task", "passed", shared)
