"""Which arm is best, and which cannot be told apart from it."""

from typing import NamedTuple

from study.analysis.arm_records import ArmRecords
from study.analysis.comparison import ArmStage, compare
from study.analysis.gates.claim_gates import claim_gates
from study.analysis.gates.gate import Gate
from study.analysis.statistics import ArmDifference, holm, least_pairs, least_runs
from study.analysis.summaries import ArmResult
from study.design.space import Arm, Claim

# the number of pairs, and whether the floor was passed, are judged apart
DECISIVE = ("Budget", "Range", "Tuning", "Search", "Splits", "Stability", "Task")


class Worse(NamedTuple):
    """An arm that is worse than the best one."""

    one: ArmResult
    difference: ArmDifference  # best - this one, turned so that positive favours the best


class Doubted(NamedTuple):
    """An arm that cannot be held against the best one."""

    one: ArmResult
    gates: tuple[Gate, ...]  # that failed


class Ranking(NamedTuple):
    """The final stage's arms by the primary metric."""

    best: ArmResult  # by its mean
    level: tuple[ArmResult, ...]  # cannot be told apart from the best, best mean first
    worse: tuple[Worse, ...]
    doubted: tuple[Doubted, ...]
    left_out: tuple[str, ...]  # titles of arms that lack a final run, or its result
    can_tell: bool  # whether the least p of so many pairs and comparisons is small enough

    @property
    def size(self) -> int:
        """Arms that are ranked."""
        return 1 + len(self.level) + len(self.worse)


def rank_arms(results: ArmRecords, summaries: list[ArmResult]) -> Ranking | None:
    """The ranking of summaries, best mean first; None unless two arms have all their results.

    The best is chosen by the same numbers that it is compared by, so all pairs of arms share the
    error rate: intervals at 1 - alpha / pairs (Bonferroni), p-values after Holm (1979) over all
    pairs. An arm is worse where its interval lies beyond zero and its p is small enough. An arm
    that is neither tuned nor in a claim is there to compare with and has no rank.
    """
    summaries = [one for one in summaries if has_rank(results, one.arm)]
    metric, alpha = results.plan.space.primary, results.plan.alpha
    whole = max((len(one.by_unit) for one in summaries), default=0)
    arms = [
        one
        for one in summaries
        if has_ended(results, one) and (len(one.by_unit) == whole or not is_paired(results))
    ]
    if is_paired(results) and len({tuple(one.by_unit) for one in arms}) > 1:
        arms = []  # no common pairs
    left_out = tuple(one.arm.title for one in summaries if one not in arms)
    if len(arms) < 2:
        return None
    count = len(arms) * (len(arms) - 1) // 2
    pairs = [(i, j) for i in range(len(arms)) for j in range(i + 1, len(arms))]
    differences = [
        compare(
            results,
            ArmStage(arms[i].arm.name, "final"),
            ArmStage(arms[j].arm.name, "final"),
            metric=metric,
            level=1 - alpha / count,
        )
        for i, j in pairs
    ]
    p_values = holm([one.p for one in differences])
    tells = [can_differ(one, alpha / count) for one in differences]
    level, worse, doubted = [], [], []
    for (i, j), difference, p, tell in zip(pairs, differences, p_values, tells, strict=True):
        if i:
            continue
        if gates := failed_gates(results, arms[0].arm, arms[j].arm):
            doubted.append(Doubted(arms[j], gates))
        elif difference.low > 0 and p <= alpha and tell:
            worse.append(Worse(arms[j], difference))
        else:
            level.append(arms[j])
    return Ranking(
        best=arms[0],
        level=tuple(level),
        worse=tuple(worse),
        doubted=tuple(doubted),
        left_out=left_out,
        can_tell=any(tells),
    )


def can_differ(difference: ArmDifference, alpha: float) -> bool:
    """Whether there are enough pairs, or runs of either arm, for the least p to reach alpha."""
    if difference.is_paired:
        return difference.n >= least_pairs(alpha)
    return min(difference.counts) >= least_runs(alpha)


def failed_gates(results: ArmRecords, best: Arm, other: Arm) -> tuple[Gate, ...]:
    """The gates that keep two arms from being held against each other; of given runs none."""
    if results.plan.given:
        return ()
    claim = Claim(
        name="",
        better=best.name,
        than=other.name,
        metric=results.plan.space.primary.name,
        stage="final",
        role="secondary",
        words="",
    )
    gates = claim_gates(results, claim)
    return tuple(gate for gate in gates if gate.state == "failed" and gate.name in DECISIVE)


def pairs_to_rank(arms: int, alpha: float) -> int:
    """The least number of pairs with which the least p of a comparison of so many arms will do."""
    return least_pairs(alpha / max(1, arms * (arms - 1) // 2))


def has_rank(results: ArmRecords, arm: Arm) -> bool:
    """Whether an arm may be chosen: it is tuned, or a claim names it."""
    claims = results.plan.space.claims
    return bool(arm.search) or any(arm.name in (claim.better, claim.than) for claim in claims)


def is_paired(results: ArmRecords) -> bool:
    """Whether arms are compared by pairs."""
    return results.plan.given is None or results.plan.given.is_paired


def has_ended(results: ArmRecords, one: ArmResult) -> bool:
    """Whether all final runs of an arm have a result: a mean over the others would flatter it."""
    runs = [run for run in results.records if (run.stage, run.arm) == ("final", one.arm.name)]
    ended = {run.trial for run in runs if run.status == "finished"}
    return all(run.trial in ended for run in runs)
