"""verdict.json: what a study says, as data for programs, and the exit code of one claim."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from study.analysis.gates.gate import Gate
from study.analysis.results import Results
from study.analysis.statistics import LEAST_SHOWN
from study.analysis.summaries import ArmResult, summarize_controls
from study.analysis.verdict import Verdict
from study.design.stages import is_finished
from study.errors import StudyError
from study.report.answer import answer
from study.report.levels import level_sentence
from study.store.atomic import write_atomically
from study.store.chain import seal

FILE_NAME = "verdict.json"
VERSION = 1  # of the schema; raised when a field changes its meaning or goes
# by label; no label gives 1 or 2, which say that the command failed or was wrong
EXIT_CODES = {"supported": 0, "contradicted": 3, "undecided": 4, "untestable": 5}
NO_DIFFERENCE = 6  # decided, and no difference that matters: small, equivalent, nogain


def finite_or_none(value: Any) -> Any:
    """A number that there is not as None, since JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(finite_or_none)]


class Part(BaseModel):
    """A part of the file; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class GateState(Part):
    """A condition without which a claim is not tested."""

    name: str
    state: Literal["passed", "failed", "unknown"]
    reason: str


class ClaimVerdict(Part):
    """A claim and what the records say of it. Differences are positive where they favour it."""

    claim: str
    role: Literal["primary", "published", "replica", "secondary", "family"]
    words: str
    better: str = Field(description="the arm that is claimed to be better")
    than: str
    stage: Literal["final", "replica"]
    metric: str
    unit: str = Field(description="of mean, interval, median and delta")
    label: Literal[
        "supported", "small", "contradicted", "equivalent", "nogain", "undecided", "untestable"
    ]
    title: str = Field(description="the label for people")
    verified: bool = Field(
        True, description="false: of some gate it is not known whether it holds, as of given runs"
    )
    mean: Number = Field(description="difference better - than, turned so that positive is better")
    low: Number = Field(description="of the interval")
    high: Number
    level: float = Field(description="of the interval, in (0, 1)")
    n: int = Field(description="pairs: seeds, or searches where the search is repeated")
    items: int = Field(description="test items that the interval covers as well; 0: none")
    p: Number = Field(description="sign-flip p, after Holm in a family")
    alpha: float = Field(description="the error rate against which p is held")
    delta: float = Field(description="the smallest difference that matters")
    gates: list[GateState]


class ArmLevel(Part):
    """Where an arm or a control ends, in the primary metric's unit."""

    arm: str
    title: str
    values: dict[str, float] = Field(description="by seed, or by search where it is repeated")
    mean: Number
    sd: Number
    low: Number = Field(description="of the 95 % t interval of the mean")
    high: Number
    chosen: list[dict[str, Any]] = Field(description="the point of each search")


class DataFactsOf(Part):
    """The data that the study is about."""

    name: str
    title: str
    fingerprint: str
    test_items: int
    bundled: bool = Field(description="toy data, no evidence about anything else")


class StudyVerdict(Part):
    """A study's verdicts."""

    schema_version: Literal[1] = 1
    space: str
    question: str
    profile: str
    answer: str
    complete: bool = Field(description="whether nothing is left to run")
    plan_hash: str
    analyses: int = Field(description="of the final results, that share the error rate")
    records: int
    seal: str = Field("", description="hash of plan and records, as --verify gives it")
    data: DataFactsOf
    metric: str = Field(description="the primary metric, in whose unit the levels are")
    unit: str
    claims: list[ClaimVerdict]
    arms: list[ArmLevel] = Field(description="best mean first")
    controls: list[ArmLevel]

    def claims_of(self, name: str) -> list[ClaimVerdict]:
        """The verdict on a claim by its name, or those of a role.

        Raises:
            StudyError: there is no such claim.
        """
        if found := [one for one in self.claims if name in (one.claim, one.role)]:
            return found
        known = ", ".join(
            dict.fromkeys([*(c.claim for c in self.claims), *(c.role for c in self.claims)])
        )
        raise StudyError(f"--check must name a claim, one of {known}; got {name!r}")


def study_verdict(results: Results) -> StudyVerdict:
    """A study's verdicts as data."""
    plan, data = results.plan, results.plan.data
    links = [record.link.own for record in results.records if record.link]
    return StudyVerdict(
        space=plan.space.name,
        question=plan.question,
        profile=plan.profile,
        answer=" ".join(filter(None, (*answer(results), level_sentence(results)))),
        complete=is_finished(plan, results.final),
        plan_hash=plan.hash,
        analyses=plan.analyses,
        records=len(results.records),
        seal=seal(links[-1], plan.hash) if links else "",
        data=DataFactsOf(
            name=data.name,
            title=data.title,
            fingerprint=data.fingerprint,
            test_items=data.test_items,
            bundled=data.bundled,
        ),
        metric=plan.space.primary.name,
        unit=plan.space.primary.unit,
        claims=[claim_verdict(results, one) for one in results.verdicts],
        arms=[arm_level(one) for one in results.arms],
        controls=[arm_level(one) for one in summarize_controls(results)],
    )


def claim_verdict(results: Results, verdict: Verdict) -> ClaimVerdict:
    """A verdict as data."""
    claim, result = verdict.claim, verdict.result
    values: dict[str, Any] = {"role": claim.role, "stage": claim.stage, "label": verdict.label}
    return ClaimVerdict(
        **values,
        claim=claim.name,
        words=claim.words,
        better=claim.better,
        than=claim.than,
        metric=claim.metric,
        unit=results.plan.space.metric(claim.metric).unit,
        title=verdict.title,
        verified=all(gate.state != "unknown" for gate in verdict.gates),
        mean=result.mean,
        low=result.low,
        high=result.high,
        level=result.level,
        n=result.n,
        items=result.items,
        p=verdict.p,
        alpha=verdict.alpha,
        delta=verdict.delta,
        gates=[gate_state(gate) for gate in verdict.gates],
    )


def gate_state(gate: Gate) -> GateState:
    """A gate as data."""
    values: dict[str, Any] = {"state": gate.state}
    return GateState(**values, name=gate.name, reason=gate.reason)


def arm_level(one: ArmResult) -> ArmLevel:
    """An arm's or a control's level as data."""
    return ArmLevel(
        arm=one.arm.name,
        title=one.arm.title,
        values={str(unit): value for unit, value in one.by_unit.items()},
        mean=one.mean,
        sd=one.sd,
        low=one.low,
        high=one.high,
        chosen=[dict(point) for point in one.points if point],
    )


def write_verdict(folder: Path, results: Results) -> None:
    """Write verdict.json; the same records give the same bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    text = study_verdict(results).model_dump_json(indent=1)
    write_atomically(folder / FILE_NAME, text + "\n")


def exit_code(verdict: ClaimVerdict) -> int:
    """The exit code that tells a program what a verdict is."""
    return EXIT_CODES.get(verdict.label, NO_DIFFERENCE)


def verdict_words(verdict: ClaimVerdict) -> str:
    """A verdict in a line for a terminal."""
    numbers = ""
    found = [value for value in (verdict.low, verdict.mean, verdict.high) if value is not None]
    if verdict.n > 1 and len(found) == 3 and verdict.p is not None:
        shown = verdict.n >= LEAST_SHOWN
        low, mean, high = (round(value, 9) + 0.0 for value in found)  # no -5e-15
        interval = f" [{low:+.3g}, {high:+.3g}]" if shown else ""
        numbers = f": {mean:+.3g}{interval} {verdict.unit}, n = {verdict.n}"
        numbers += f", p = {verdict.p:.2g}" if shown else ""
    reasons = "; ".join(gate.reason for gate in verdict.gates if gate.state == "failed")
    return f"{verdict.title}{numbers}. {verdict.words}.{f' {reasons}.' if reasons else ''}"
