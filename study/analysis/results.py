"""A study's results: everything that tables, figures and sentences are made of, found once."""

from functools import cached_property

from study.analysis.arm_records import ArmRecords
from study.analysis.ranking import Ranking, rank_arms
from study.analysis.summaries import (
    ArmResult,
    RateCurve,
    budget_curves,
    rate_curves,
    summarize_arms,
)
from study.analysis.verdict import Verdict, judge_claims


class Results(ArmRecords):
    """Plan, records, what counts of them, summaries of the arms and verdicts on the claims."""

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """One a claim, in the plan's order."""
        return judge_claims(self)

    def verdict(self, role: str) -> Verdict | None:
        """The first verdict on a claim of that role."""
        return next((one for one in self.verdicts if one.claim.role == role), None)

    @cached_property
    def arms(self) -> list[ArmResult]:
        """The final stage of every arm that has one, best mean first."""
        return summarize_arms(self)

    @cached_property
    def ranking(self) -> Ranking | None:
        """Which arm is best, and which cannot be told apart from it; None of fewer than two."""
        return rank_arms(self, self.arms)

    @cached_property
    def rate_curves(self) -> list[RateCurve]:
        """The search of every arm along its first tuned parameter."""
        return rate_curves(self)

    @cached_property
    def budget_curves(self) -> dict[str, list[float]]:
        """Expected best primary metric after k search trials, by arm."""
        return budget_curves(self)
