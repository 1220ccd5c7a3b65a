"""Gates: what must hold before a number may decide a claim. Each is counted from the records."""

from collections.abc import Callable

from study.analysis.arm_records import ArmRecords
from study.analysis.comparison import ArmStage, compare
from study.analysis.gates.gate import Cause, Gate, failed, passed
from study.analysis.gates.given import given_gates
from study.analysis.gates.tuning import budget_gate, range_gate, search_gate, tuning_gate
from study.analysis.statistics import ArmDifference, least_pairs
from study.design.arms import absent_sentences
from study.design.plan import ALPHA, Plan
from study.design.record import Record
from study.design.space import Claim, Metric
from study.text import format_number, join_words, plural

MIN_SEEDS = least_pairs(ALPHA)  # 6: below, the sign-flip p cannot reach 0.05
SELECTING = ("search", "added", "confirm")  # stages in which points are chosen


def min_seeds(plan: Plan, stage: str) -> int:
    """Seeds below which the sign-flip p cannot reach a test's error rate."""
    return least_pairs(plan.alpha if stage == "final" else ALPHA)


def claim_gates(results: ArmRecords, claim: Claim) -> list[Gate]:
    """The gates of a claim, in the order in which a reader asks."""
    plan, pair = results.plan, (claim.better, claim.than)
    reasons = {name: why for name in pair if (why := plan.why_absent(name))}
    if reasons:
        short = {name: why.partition(":")[0] for name, why in reasons.items()}
        lines = (line.removesuffix(".") for line in absent_sentences(plan.space, short))
        return [failed("Needs", "; ".join(lines), Cause.ABSENT)]
    if plan.given:
        return given_gates(results, claim)
    if claim.role == "published":
        return published_gates(plan, claim)
    seeds, task = seeds_gate(results, claim), task_gate(results, claim)
    stability = stability_gate(results, claim)
    if claim.stage == "replica":
        return [seeds, task, stability]
    splits = splits_gate(results, claim)
    by_share = plan.space.metric(claim.metric).share_of_images
    learned = [learned_gate(results, claim)] if plan.space.floor and by_share else []
    own: list[Gate] = [search_gate(results)] if plan.space.explore else []
    if any(plan.space.arm(name).search for name in pair):
        own = [budget_gate(results), range_gate(results, claim)]
        own += [tuning_gate(results, claim)] if plan.repeats else []
    return [*own, seeds, splits, stability, task, *learned]


def learned_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that the better arm of a claim on accuracy ends above the space's floor.

    The floor is a control, as an untrained encoder. The paired interval must lie above zero and the
    mean difference be δ or more: below that the arms were compared before they learned anything.
    """
    plan = results.plan
    metric, floor = plan.space.metric(claim.metric), plan.space.arm(plan.space.floor)
    if len(results.values(floor.name, "control", metric)) < 2:
        return failed("Learned", f"{floor.title} was not run beside the arms", Cause.UNFINISHED)
    pair = (claim.better, claim.than)
    gains = [(floor_gain(results, name, metric), plan.title(name)) for name in pair]
    gains = [one for one in gains if one[0].n > 1]
    if not gains:
        return failed("Learned", f"no arm has two results to hold against {floor.title.lower()}")
    gain, title = max(gains, key=lambda one: one[0].mean)
    numbers = [format_number(x, metric.decimals, True) for x in (gain.mean, gain.low, gain.high)]
    words = f"{title} against {floor.title.lower()}: {numbers[0]} [{numbers[1]}, {numbers[2]}]"
    if has_learned(results, gain, metric):
        return passed("Learned", f"{words} {metric.unit}")
    return failed(
        "Learned",
        f"pretraining did not improve on {floor.title.lower()} ({words} {metric.unit})",
    )


def floor_gain(results: ArmRecords, arm: str, metric: Metric) -> ArmDifference:
    """How far an arm ends above the space's floor."""
    floor = ArmStage(results.plan.space.floor, "control")
    return compare(results, ArmStage(arm, "final"), floor, metric=metric)


def has_learned(results: ArmRecords, gain: ArmDifference, metric: Metric) -> bool:
    """Whether a gain over the floor is there, and matters."""
    return gain.low > 0 and gain.mean >= results.delta(metric)


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


def seeds_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check for at least six seeds or searches, the same in both arms, none used for a choice."""
    plan, pair = results.plan, (claim.better, claim.than)
    metric, is_final = plan.space.metric(claim.metric), claim.stage == "final"
    runs = [results.runs(name, claim.stage) for name in pair]
    ours, theirs = (set(results.values(name, claim.stage, metric)) for name in pair)
    used = {record.seed for record in results.by_arm if record.stage in SELECTING}
    count, unit = len(ours & theirs), plan.unit(claim.stage)
    if is_final and min(map(len, runs)) < len(plan.seeds("final")):
        reason = (
            f"the study has not ended: {count} of {plan.pairs} {plural(unit)} finished in both "
            "arms so far"
        )
        return failed("Seeds", reason, Cause.UNFINISHED)
    words = f"{count} {unit if count == 1 else plural(unit)}"
    if ours != theirs:
        reason = f"{words} finished in both arms, {len(ours ^ theirs)} in one only"
        return failed("Seeds", reason, Cause.MISSING)
    scored = {run.seed for run in runs[0]}
    if is_final and count < plan.pairs:
        missing = f"{count} of {plan.pairs} {plural(unit)} have the {metric.title} in both arms"
        return failed("Seeds", missing, Cause.MISSING)
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


def splits_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that choices and the result are scored on different splits, and on items never seen.

    Some field that every stage sets must differ between all their runs. Test items that are also
    trained on must be too few to make a difference that matters.
    """
    gate, data = stages_gate(results), results.plan.data
    metric = results.plan.space.metric(claim.metric)
    if not (data.duplicates and data.test_items and metric.share_of_images):
        return gate
    words = f"{data.duplicates:,} of {data.test_items:,} test items are also trained on"
    if metric.scale * data.duplicates / data.test_items >= results.delta(metric):
        reason = f"{words}, which is δ or more; {gate.reason}"
        return failed("Splits", reason, Cause.DUPLICATES)
    return gate._replace(reason=f"{gate.reason}; {words}, less than δ")


def stages_gate(results: ArmRecords) -> Gate:
    """Check the splits that the stages were scored on."""
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
    healthy = ["none collapsed"] if plan.space.collapse else []
    cause = Cause.COLLAPSED if collapsed else Cause.NONE
    whole = f"none of the {total} runs diverged"
    reason = "; ".join([whole, *([*collapsed, *remarks] or healthy)])
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
