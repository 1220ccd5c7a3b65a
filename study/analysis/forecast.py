"""The plan in words: stages, arms, trials, cost, and the difference that it can detect."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from study.analysis.gates.claim_gates import min_seeds
from study.analysis.power import MOST_PAIRS, detectable_by_rule, hidden_by_items, pairs_to_detect
from study.analysis.results import Results
from study.analysis.statistics import least_pairs
from study.analysis.verdict import Verdict
from study.design.plan import ALPHA, Plan, least_p
from study.design.ranges import By, Choice, OneMinus, Span
from study.design.space import Arm
from study.design.stages import expected_trials
from study.text import format_number, format_short, join_words, plural

STAGE_NOTES = {
    "added": "  at most, where a best point lies at an edge",
    "beside": "  outside the budget: defaults",
}


class Estimate(NamedTuple):
    """What the machine can do, measured before the first trial."""

    seconds: float  # of one trial, the mean over the arms; NaN: not known
    slots: int  # trials that run at once


def describe_plan(results: Results, estimate: Estimate, on_demand: Sequence[str] = ()) -> str:
    """What a run of the plan would do, given the records that its folder already has.

    Args:
        on_demand: names of the arms that the study leaves out.
    """
    plan = results.plan
    space = plan.space
    done = Counter(record.stage for record in results.current.values())
    lines = [
        f"Plan {plan.hash} of {space.name}, profile {plan.profile}",
        "",
        f"{'stage':10}{'trials':>8}{'done':>8}",
    ]
    lines += [
        stage_line(plan, name, n, done[name]) for name, n in expected_trials(plan).items() if n
    ]
    confirm = "" if plan.repeats else f"{'confirm':>9}"  # no search that is repeated confirms
    wide = max(len(name) for name in (space.scientific, *(arm.title for arm in space.arms))) + 2
    lines += [
        "",
        f"{space.scientific:{wide}}{'range':30}"
        f"{'searches':>9}{'trials':>8}{confirm}{'seeds':>7}{'runs':>7}",
        *(arm_line(plan, arm, wide) for arm in plan.running),
    ]
    for arm in space.arms:
        if arm.name in plan.absent:
            reason = plan.absent[arm.name].partition(":")[0]
            lines.append(f"{arm.title:{wide}}not run: {reason}")
    if derived := [arm.title for arm in space.arms if arm.of and not plan.why_absent(arm.name)]:
        lines += ["", f"Derived from the same runs: {', '.join(derived)}."]
    if explore := space.explore:
        objectives = " and ".join(name for name, _ in explore.objectives)
        lines += ["", f"{plan.title(explore.arm)} is searched adaptively for {objectives}:"]
        lines += [f"  {name:15}{format_span(span)}" for name, span in explore.search.items()]
    names = [f"Arms by name, as --set arms=NAME,NAME takes them: {join_names(space.arms)}."]
    if on_demand:
        names.append(f"On demand, or all by --set arms=all: {', '.join(on_demand)}.")
    return "\n".join(
        [
            *lines,
            "",
            *names,
            "",
            *forecast_lines(results, estimate),
            "Claims:",
            *(f"  {claim.role:10} {claim.words}" for claim in space.claims),
        ]
    )


def join_names(arms: Sequence[Arm]) -> str:
    """The arms' names, as a command gives them."""
    return ", ".join(arm.asked or arm.name for arm in arms)


def stage_line(plan: Plan, stage: str, count: int, done: int) -> str:
    """A stage's row of the plan's table."""
    note = STAGE_NOTES.get(stage, "")
    note += " and the report's point" if stage == "beside" and plan.space.replica.values else ""
    return f"{stage:10}{count:8d}{done:8d}{note}"


def arm_line(plan: Plan, arm: Arm, wide: int) -> str:
    """An arm's row of the plan's table."""
    ranges = ", ".join(f"{name} {format_span(span)}" for name, span in arm.search.items())
    sizes, is_tuned = plan.sizes, bool(plan.tuned(arm))
    confirms = is_tuned and not plan.repeats
    confirm = f"{sizes.confirm_points} x {sizes.confirm_seeds}" if confirms else "–"
    confirm = "" if plan.repeats else f"{confirm:>9}"
    note = ""
    if arm.name == plan.space.reference:
        note = "  (reference)"
    elif not arm.in_report and plan.space.rows:
        note = "  (not in the report)"
    trials = sizes.search_trials if is_tuned else 0
    searches = f"{sizes.searches if is_tuned else 0:9d}"
    confirmed = sizes.confirm_points * sizes.confirm_seeds if confirms else 0
    runs = (sizes.searches if is_tuned else 0) * trials + confirmed + len(plan.seeds("final"))
    seeds = f"{sizes.final_seeds:7d}{runs:7d}"
    return f"{arm.title:{wide}}{ranges:30}{searches}{trials:8d}{confirm}{seeds}{note}"


def forecast_lines(results: Results, estimate: Estimate) -> list[str]:
    """What is left, how long it takes, and what difference it can detect."""
    plan = results.plan
    done = Counter(record.stage for record in results.current.values())
    expected = expected_trials(plan)
    left = sum(max(0, n - done[stage]) for stage, n in expected.items() if stage != "added")
    more = expected["added"] - done["added"]
    added = f" and up to {more} more at edges" if more > 0 else ""
    each, basis = mean_seconds(results)
    if math.isnan(each):
        left_out = f", {plan.words.not_estimated} not counted" if plan.words.not_estimated else ""
        each, basis = estimate.seconds, f"by a few steps just now{left_out}"
    cost = f"Cost: {left} of {left + len(results.current)} trials are left{added}"
    if math.isnan(each):
        cost += f", {estimate.slots} at once; how long one takes is not known."
    else:
        total = format_duration(left * each / estimate.slots)
        cost += f", about {each:.1f} s each ({basis}); {estimate.slots} at once: about {total}"
        cost += ", and half a minute to start." if left and left * each < 600 else "."
    reach = detectable_difference(plan, results.verdict("primary"))
    return [cost, f"Matters: {delta_words(results)}", f"Detectable: {reach}", *look_lines(plan)]


def delta_words(results: Results) -> str:
    """The smallest difference that matters; before any final run the ends between which it lies."""
    metric, items = results.plan.space.primary, results.plan.data.test_items
    delta, most = results.delta(metric), metric.scale * 0.5 / math.sqrt(items or math.inf)
    known = results.values(results.plan.space.reference, "final", metric) or most <= metric.delta
    size = format_number(delta, metric.decimals)
    if known or not metric.share_of_images:
        return f"a difference of δ = {size} {metric.unit} or more."
    return (
        f"a difference of δ = {size} {metric.unit} or more, with {items:,} test images up to "
        f"{format_number(most, metric.decimals)}: the sampling error of the accuracy reached."
    )


def look_lines(plan: Plan) -> list[str]:
    """When an undecided study is analysed, and at which error rate; empty without such a plan."""
    if not plan.sizes.looks:
        return []
    looks, unit = join_words([str(look) for look in plan.sizes.looks]), plural(plan.unit("final"))
    if plan.added_alphas:  # from which one on they had a smaller rate is not kept
        return [f"Until decided: planned at {looks} {unit}."]
    return [
        f"Until decided: planned at {looks} {unit}, each time at an error rate of "
        f"{100 * plan.alpha:.3g} %, so that all together keep {100 * ALPHA:g} %."
    ]


def mean_seconds(results: Results) -> tuple[float, str]:
    """Seconds of a finished trial, every arm counted once, and their basis; NaN if none ended."""
    by_arm: dict[str, list[float]] = {}
    for record in results.current.values():
        if record.status == "finished":
            by_arm.setdefault(record.arm, []).append(record.seconds)
    if not by_arm:
        return math.nan, ""
    arms = len(results.plan.running)
    of = "" if len(by_arm) == arms else f", of {len(by_arm)} of {arms} arms"
    means = [sum(seconds) / len(seconds) for seconds in by_arm.values()]
    return sum(means) / len(means), f"as those that ended{of}"


def format_span(span: Span) -> str:
    """What a parameter is searched over."""
    if isinstance(span, Choice):
        return ", ".join(str(value) for value in span.among)
    if isinstance(span, By):
        return "; ".join(f"{name}: {format_span(own)}" for name, own in span.spans.items())
    low, high = format_short(span.low), format_short(span.high)
    return f"1 − {high} to 1 − {low}" if isinstance(span, OneMinus) else f"{low} to {high}"


def format_duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def detectable_difference(plan: Plan, measured: Verdict | None) -> str:
    """The difference that the planned pairs can find, in sentences.

    Args:
        measured: the verdict whose differences give the sd, and whose delta is looked for.
    """
    n, alpha = plan.pairs, plan.alpha
    if n < 2:
        return (
            "One pair has no interval: no difference can be detected. At least "
            f"{min_seeds(plan, 'final')} {plural(plan.unit('final'))} are needed."
        )
    effect = detectable_by_rule(n, alpha)
    if math.isinf(effect):
        return out_of_reach(plan, alpha)
    looks, pairs = plan.analyses, pairs_noun(plan)
    shared = f", the error rate shared by {looks} analyses" if looks > 1 else ""
    sentences = [
        f"With {n} {pairs} a true difference of {effect:.2f} sd (of paired differences) is found "
        f"in 80 % of such studies, by interval and p together{shared}; for one of 1 sd "
        f"{pairs_to_detect(1.0, alpha)} {pairs} are needed.",
        family_reach(plan, alpha),
    ]
    if measured is not None and measured.result.n > 1:
        sentences.append(measured_reach(plan, measured))
    return " ".join(filter(None, sentences))


def pairs_noun(plan: Plan) -> str:
    """What the primary claim's pairs are called: "searches" or "pairs"."""
    return plural(plan.unit("final")) if plan.repeats else "pairs"


def measured_reach(plan: Plan, measured: Verdict) -> str:
    """What can be found given the sd of the differences so far, and what it takes to find δ."""
    metric, result, delta, alpha = plan.space.primary, measured.result, measured.delta, plan.alpha

    def size(value: float) -> str:
        return f"{format_number(value, metric.decimals)} {metric.unit}"

    sd, pairs = result.sd, pairs_noun(plan)
    hidden = hidden_by_items(result.item_sd, alpha)
    alone = (
        f"the {result.items:,} test images alone hide what is below {size(hidden)}"
        if hidden
        else ""
    )
    if not sd:
        words = f"All differences so far are the same; δ is {size(delta)}"
        return f"{words}, and {alone}." if alone else f"{words}."
    item_sd = result.item_sd / sd
    found = detectable_by_rule(plan.pairs, alpha, item_sd=item_sd) * sd
    needed = pairs_to_detect(delta / sd, alpha, item_sd=item_sd)
    over = f" and the variance of the {result.items:,} test images" if result.items else ""
    if not math.isinf(needed):
        enough = f"to find that takes {needed:,} {pairs}"
    elif hidden >= delta:
        enough = f"no number of {pairs} finds that, since {alone}"
    else:
        enough = f"to find that takes more than {MOST_PAIRS:,} {pairs}"
    return (
        f"The paired differences have an sd of {size(sd)} so far. With it{over} this study finds "
        f"{size(found)}; δ is {size(delta)}, and {enough}."
    )


def out_of_reach(plan: Plan, alpha: float) -> str:
    """Why no claim can be supported with so few pairs, and how many would do."""
    n, units = plan.pairs, plural(plan.unit("final"))
    return (
        f"With {n} {units} no claim can be supported: the least possible p is "
        f"{least_p(n):.3f}, above {alpha:.3g}; {min_seeds(plan, 'final')} are needed."
    )


def family_reach(plan: Plan, alpha: float) -> str:
    """What a claim of the family takes; empty without a family of several."""
    if (family := len(plan.family)) < 2:
        return ""
    effect = detectable_by_rule(plan.pairs, alpha, family)
    if math.isinf(effect):
        least = least_p(plan.pairs) * family
        return (
            f"No claim of the family of {family} can be supported: the least Holm p is "
            f"{least:.3f}; {least_pairs(alpha / family)} {plural(plan.unit('final'))} can."
        )
    return f"In the family of {family} claims it takes {effect:.2f} sd."
