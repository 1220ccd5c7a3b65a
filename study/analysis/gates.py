"""Gates: what must hold before a number may decide a claim. Each is counted from the records."""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from study.analysis.arm_records import ArmRecords
from study.analysis.statistics import paired, welch_interval
from study.design.make_plan import absent_sentences
from study.design.plan import Plan, Point
from study.design.record import Record
from study.design.space import Arm, Claim
from study.design.stages import EDGE, remaining_search_trials
from study.text import format_number, join_words, plural

MIN_SEEDS = 6  # below, the sign-flip p cannot reach 0.05
MOST_AT_EDGE = 1 / 3  # share of an arm's searches whose choice may lie at an edge
SELECTING = ("search", "added", "confirm")  # stages in which points are chosen


class Cause(StrEnum):
    """What a gate asks for that is more than its name says."""

    NONE = ""
    ABSENT = "absent"  # an arm cannot be run here
    UNFINISHED = "unfinished"  # the study has not ended
    COLLAPSED = "collapsed"  # runs collapsed and are kept


class Gate(NamedTuple):
    """One condition and whether it holds."""

    name: str
    state: str  # passed, failed, or unknown: the source does not say
    reason: str
    cause: Cause = Cause.NONE
    detail: str = ""  # the part of the reason that names the cause


def passed(name: str, reason: str, cause: Cause = Cause.NONE, detail: str = "") -> Gate:
    """A gate that holds."""
    return Gate(name, "passed", reason, cause, detail)


def failed(name: str, reason: str, cause: Cause = Cause.NONE) -> Gate:
    """A gate that does not hold."""
    return Gate(name, "failed", reason, cause)


def min_seeds(plan: Plan, stage: str) -> int:
    """Seeds below which the sign-flip p, 2 / 2^n at least, cannot reach a test's error rate."""
    alpha = 0.05 / (plan.interim_analyses if stage == "final" else 1)
    return next(n for n in range(MIN_SEEDS, 64) if 2 / 2**n <= alpha)


def claim_gates(results: ArmRecords, claim: Claim) -> list[Gate]:
    """The gates of a claim, in the order in which a reader asks."""
    plan, pair = results.plan, (claim.better, claim.than)
    reasons = {name: why for name in pair if (why := plan.why_absent(name))}
    if reasons:
        short = {name: why.partition(":")[0] for name, why in reasons.items()}
        lines = (line.removesuffix(".") for line in absent_sentences(plan.space, short))
        return [failed("Needs", "; ".join(lines), Cause.ABSENT)]
    if claim.role == "published":
        return published_gates(plan, claim)
    seeds, task = seeds_gate(results, claim), task_gate(results, claim)
    stability = stability_gate(results, claim)
    if claim.stage == "replica":
        return [seeds, task, stability]
    splits = splits_gate(results)
    by_share = plan.space.metric(claim.metric).share_of_images
    learned = [learned_gate(results, claim)] if plan.space.floor and by_share else []
    if plan.repeats and any(plan.space.arm(name).search for name in pair):
        tuning = tuning_gate(results, claim)
        budget, edges = budget_gate(results), range_gate(results, claim)
        return [budget, edges, tuning, seeds, splits, stability, task, *learned]
    if plan.space.explore:
        return [search_gate(results), seeds, splits, stability, task, *learned]
    if not any(plan.space.arm(name).search for name in pair):
        return [seeds, splits, stability, task, *learned]
    budget, edges = budget_gate(results), range_gate(results, claim)
    return [budget, edges, seeds, splits, stability, task, *learned]


def learned_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that the better arm of a claim on accuracy ends above the space's floor.

    The floor is a control, as an untrained encoder. The paired interval must lie above zero and the
    mean difference be δ or more: below that the arms were compared before they learned anything.
    """
    plan = results.plan
    metric, floor = plan.space.metric(claim.metric), plan.space.arm(plan.space.floor)
    sign = 1 if metric.higher_is_better else -1
    base = {k: sign * v for k, v in results.values(floor.name, "control", metric).items()}
    gains = []
    for name in (claim.better, claim.than):
        own = results.values(name, "final", metric)
        gains.append((paired({k: sign * v for k, v in own.items()}, base), plan.title(name)))
    gains = [one for one in gains if one[0].n > 1]
    if not gains:
        return failed("Learned", f"{floor.title} was not run beside the arms", Cause.UNFINISHED)
    gain, title = max(gains, key=lambda one: one[0].mean)
    numbers = [format_number(x, metric.decimals, True) for x in (gain.mean, gain.low, gain.high)]
    words = f"{title} against {floor.title.lower()}: {numbers[0]} [{numbers[1]}, {numbers[2]}]"
    if gain.low > 0 and gain.mean >= results.delta(metric):
        return passed("Learned", f"{words} {metric.unit}")
    return failed(
        "Learned",
        f"pretraining did not improve on {floor.title.lower()} ({words} {metric.unit})",
    )


def published_gates(plan: Plan, claim: Claim) -> list[Gate]:
    """What the published evidence lacks, whatever our runs of it give."""
    first, second = plan.title(claim.better), plan.title(claim.than)
    metric = plan.space.metric(claim.metric)
    if metric.name == plan.space.primary.name:
        measured = passed("Metric", f"the {metric.title}")
    else:
        measured = failed("Metric", f"the {metric.title}; no accuracy was measured")
    return [
        failed("Seeds", f"one run each; at least {MIN_SEEDS} are needed"),
        failed(
            "Budget",
            f"nothing was tuned; {first} and {second} share {plan.space.replica.shown}",
        ),
        measured,
        Gate("Task", "unknown", plan.space.replica.unstated),
    ]


def search_gate(results: ArmRecords) -> Gate:
    """Check that the adaptive search had its whole budget and a confirmed choice."""
    plan = results.plan
    left, sizes, explore = (
        remaining_search_trials(plan, results.current),
        plan.sizes,
        plan.space.explore,
    )
    searched = f"{sizes.search_trials - left} of {sizes.search_trials} trials searched"
    if left or explore is None or results.chosen_point(plan.space.arm(explore.arm)) is None:
        return failed("Search", f"{searched}, nothing chosen yet")
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
        if not edges:
            return failed("Range", f"{arm.title} has no chosen point")
        least = EDGE * min((span.decades for span in arm.search.values()), default=0.0)
        if results.plan.repeats:
            count = sum(edge.decades < least for edge in edges)
            words = f"{count} of {len(edges)} searches of {arm.title} chose a point at an edge"
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


def tuning_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that no arm's tuned runs do worse than its own runs at the reported setting.

    Both are scored on the test split, so a tuned arm that lies below its untuned runs by more than
    their noise (Welch 1947) and by δ or more was not tuned well enough for its result to count.
    """
    plan = results.plan
    metric = plan.space.primary
    sign, delta = (1 if metric.higher_is_better else -1), results.delta(metric)
    compared, wrong = [], []
    for name in (claim.better, claim.than):
        arm = plan.space.arm(name)
        tuned, reported = (
            [sign * value for value in results.values(name, stage, metric).values()]
            for stage in ("final", "replica")
        )
        if len(tuned) < 2 or len(reported) < 2:
            continue
        compared.append(arm.title)
        low, _ = welch_interval(reported, tuned)
        mean = sum(reported) / len(reported) - sum(tuned) / len(tuned)
        if low > 0 and mean >= delta:
            wrong.append(
                f"{arm.title} tuned ends {mean:.{metric.decimals}f} {metric.unit} below its own "
                f"runs at {plan.space.replica.shown}"
            )
    if wrong:
        return failed("Tuning", f"suspect, under-tuned: {'; '.join(wrong)}")
    if not compared:
        return passed("Tuning", "no run at another point was scored on the test split")
    return passed(
        "Tuning",
        f"{join_words(compared)} tuned: not below the own runs at {plan.space.replica.shown}",
    )


def seeds_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check for at least six seeds or searches, the same in both arms, none used for a choice."""
    plan, pair = results.plan, (claim.better, claim.than)
    metric, is_final = plan.space.metric(claim.metric), claim.stage == "final"
    runs = [results.runs(name, claim.stage) for name in pair]
    ours, theirs = (set(results.values(name, claim.stage, metric)) for name in pair)
    used = {record.seed for record in results.by_arm if record.stage in SELECTING}
    count, unit = len(ours & theirs), plan.unit(claim.stage)
    if is_final and max(map(len, runs)) < len(plan.seeds("final")):
        reason = (
            f"the study has not ended: {count} of {plan.pairs} {plural(unit)} finished in both "
            "arms so far"
        )
        return failed("Seeds", reason, Cause.UNFINISHED)
    words = f"{count} {unit if count == 1 else plural(unit)}"
    if ours != theirs:
        return failed("Seeds", f"{words} finished in both arms, {len(ours ^ theirs)} in one only")
    scored = {run.seed for run in runs[0]}
    if is_final and count < plan.pairs:
        missing = f"{count} of {plan.pairs} {plural(unit)} have the {metric.title} in both arms"
        return failed("Seeds", missing)
    if is_final and scored & used:
        return failed("Seeds", f"seeds {sorted(scored & used)} were used to choose")
    least = min_seeds(plan, claim.stage)
    if count < least:
        return failed("Seeds", f"{words} in both arms, at least {least} are needed")
    if is_final and plan.repeats:
        seeds = plan.sizes.final_seeds
        own = f"each scored on {seeds} fresh seed{'' if seeds == 1 else 's'}, the same in both arms"
        return passed("Seeds", f"{words}, at least {least} needed; {own}")
    fresh = ", none seen in the search" if is_final and used else ""
    return passed("Seeds", f"{count}, at least {least} needed; the same in both arms{fresh}")


def splits_gate(results: ArmRecords) -> Gate:
    """Check that choices and the result are scored on different splits.

    Some field that every stage sets must differ between all their runs.
    """
    plan = results.plan

    def values(stages: tuple[str, ...], key: str) -> set[str]:
        return {str(run.config.get(key)) for run in results.by_arm if run.stage in stages}

    keys = set.intersection(*(set(fields) for fields in plan.space.stages.values()))
    for key in sorted(keys):
        chosen, scored = values(SELECTING, key), values(("final",), key)
        if chosen and scored and not chosen & scored:
            first, second = (", ".join(sorted(names)) for names in (chosen, scored))
            return passed("Splits", f"chosen on {first}, scored once on {second}")
    if not plan.tunes and plan.space.explore is None:
        return passed("Splits", "no run was chosen among others; each was scored once")
    stages = {record.stage for record in results.by_arm}
    if not stages & set(SELECTING) or "final" not in stages:
        return failed("Splits", "nothing was chosen or scored yet")
    return failed("Splits", "chosen and scored on the same split")


def is_collapsed(plan: Plan, record: Record) -> bool:
    """Whether the run's number of `Space.collapse` lies below its bound."""
    if plan.space.collapse is None:
        return False
    key, least = plan.space.collapse
    return record.metric(key) < least


def stability_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that no run diverged: a mean over the survivors would flatter the arm."""
    plan = results.plan
    pair = [
        (plan.title(name), results.runs(name, claim.stage)) for name in (claim.better, claim.than)
    ]

    def counts(what: str, holds: Callable[[Record], bool]) -> list[str]:
        return [
            f"{count} of {len(runs)} runs of {title} {what}"
            for title, runs in pair
            if (count := sum(map(holds, runs)))
        ]

    collapsed = counts("collapsed and are kept", lambda run: is_collapsed(plan, run))
    remarks = counts("drew a remark, see the threats", lambda run: bool(run.result.get("remarks")))
    if diverged := counts("diverged", lambda run: run.status == "diverged"):
        return failed(
            "Stability", "; ".join(diverged) + "; a mean over the survivors would flatter"
        )
    total = sum(len(runs) for _, runs in pair)
    others = "; ".join([*collapsed, *remarks]) or "none collapsed"
    cause = Cause.COLLAPSED if collapsed else Cause.NONE
    reason = f"none of the {total} runs diverged; {others}"
    return passed("Stability", reason, cause, "; ".join(collapsed))


def differing_fields(plan: Plan, claim: Claim) -> list[str]:
    """The fields in which the two arms of a claim differ by themselves, in words."""
    arms = [plan.space.arm(name) for name in (claim.better, claim.than)]
    first, second = (
        {**plan.base, **(plan.space.arm(arm.of) if arm.of else arm).values} for arm in arms
    )
    keys = {*first, *second} - set(plan.words.not_compared)
    return sorted(plan.words.title(key) for key in keys if first.get(key) != second.get(key))


def task_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that the arms' runs differ in nothing but what makes and tunes an arm."""
    plan = results.plan
    own: set[str] = {"seed"}
    runs: list[Record] = []
    for name in (claim.better, claim.than):
        arm = plan.space.arm(name)
        source = plan.space.arm(arm.of).values if arm.of else {}
        own |= {*arm.values, *arm.default, *plan.tuned(arm), *source, *plan.found.get(name, ())}
        runs += results.runs(name, claim.stage)
    if mixed := mixed_results(plan, runs):
        return failed("Task", f"the runs differ in {join_words(mixed)}")
    configs = [run.config for run in runs]
    differing = sorted(
        {k for c in configs for k in c if k not in own and c[k] != configs[0].get(k)}
    )
    if differing:
        return failed("Task", f"the runs also differ in {', '.join(differing)}")
    if plan.space.explore:
        return passed("Task", f"{plan.words.same} are the same; they differ in what was searched")
    tunes = any(plan.space.arm(name).search for name in (claim.better, claim.than))
    rate = " and its own rate" if tunes else ""
    if len(apart := differing_fields(plan, claim)) > 1:
        return passed("Task", f"the arms differ in {join_words(apart)}{rate}; all else is the same")
    if claim.stage == "replica":
        return passed("Task", "one shared setting, as reported")
    return passed("Task", f"all but the {plan.space.scientific}{rate} is the same")


def mixed_results(plan: Plan, runs: list[Record]) -> list[str]:
    """What of `Words.alike` is not the same in all finished runs, each with its values."""
    mixed = []
    for key, title in plan.words.alike.items():
        values = {str(run.result[key]) for run in runs if run.result.get(key) is not None}
        mixed += [f"{title} ({', '.join(sorted(values))})"] if len(values) > 1 else []
    return mixed
