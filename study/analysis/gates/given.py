"""The gates of given runs: what their source shows, and what it does not say."""

from study.analysis.arm_records import ArmRecords
from study.analysis.gates.gate import Gate, failed, passed
from study.analysis.statistics import least_pairs, least_runs
from study.design.space import Claim
from study.text import count_words, join_words, plural

SHOWN = 5  # differing columns that a gate names
SAYS_NOT = "the file does not say"


def unknown(name: str, reason: str) -> Gate:
    """A gate of which the source does not say whether it holds."""
    return Gate(name, "unknown", reason)


def given_gates(results: ArmRecords, claim: Claim) -> list[Gate]:
    """The gates of a claim on given runs, in the order in which a reader asks."""
    plan = results.plan
    assert plan.given is not None
    metric = plan.space.metric(claim.metric).title
    return [
        pairs_gate(results, claim),
        ended_gate(results, claim),
        unknown("Budget", f"{SAYS_NOT} how much each {plan.space.scientific} was tuned"),
        unknown(
            "Splits",
            f"{SAYS_NOT} whether settings, or the runs that are in it, were chosen by the "
            f"{metric} that is compared",
        ),
        task_gate(results),
        unknown("Named first", "the runs were there before the comparison was named"),
    ]


def pairs_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check for enough runs, and for pairs that both arms have."""
    plan, metric = results.plan, results.plan.space.metric(claim.metric)
    assert plan.given is not None
    ours, theirs = (
        results.values(name, claim.stage, metric) for name in (claim.better, claim.than)
    )
    noun = plan.given.noun
    if not plan.given.is_paired:
        words, least = f"{len(ours)} and {len(theirs)} runs, not paired", least_runs(plan.alpha)
        if min(len(ours), len(theirs)) < least:
            return failed("Seeds", f"{words}; at least {least} of each are needed")
        return passed("Seeds", f"{words}; at least {least} of each needed")
    common, apart = ours.keys() & theirs.keys(), ours.keys() ^ theirs.keys()
    words, least = count_words(len(common), noun), least_pairs(plan.alpha)
    if apart:
        names = [plan.given.unit_name(seed) for seed in sorted(apart)]
        names = [*names[:5], f"{len(names) - 5} more"] if len(names) > 5 else names
        which = noun if len(apart) == 1 else plural(noun)
        return failed(
            "Seeds", f"{words} in both arms, {len(apart)} in one only: {which} {join_words(names)}"
        )
    if len(common) < least:
        return failed("Seeds", f"{words} in both arms, at least {least} are needed")
    different = len({(ours[seed], theirs[seed]) for seed in common})
    if 2 * different <= len(common):
        return failed(
            "Seeds", f"{words} in both arms, but only {different} different pairs of numbers"
        )
    return passed("Seeds", f"{words} in both arms, at least {least} needed")


def ended_gate(results: ArmRecords, claim: Claim) -> Gate:
    """Check that every run that is in the source has a finite number."""
    plan, lines, total = results.plan, [], 0
    for name in (claim.better, claim.than):
        runs = [run for run in results.records if run.arm == name]
        total += len(runs)
        for status, words in (("diverged", "without a finite number"), ("failed", "not finished")):
            if count := sum(run.status == status for run in runs):
                lines.append(f"{count} of {len(runs)} runs of {plan.title(name)} {words}")
    if lines:
        return failed("Stability", "; ".join(lines) + "; a mean over the others would flatter")
    return passed("Stability", f"all {count_words(total, 'run')} have a finite number")


def task_gate(results: ArmRecords) -> Gate:
    """What else than the arms differs, as far as the source shows it."""
    plan = results.plan
    assert plan.given is not None
    what = plural(plan.space.scientific)
    if differing := plan.given.differing:
        more = [f"{len(differing) - SHOWN} more columns"] if len(differing) > SHOWN else []
        shown = join_words([*differing[:SHOWN], *more])
        return unknown("Task", f"the {what} also differ in {shown}; {SAYS_NOT} why")
    return unknown("Task", f"no other column tells the {what} apart; {SAYS_NOT} what it leaves out")
