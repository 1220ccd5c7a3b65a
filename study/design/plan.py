"""The plan of a study, fixed before its first trial: what is asked, tried and claimed, and on which data."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from study.design.ranges import LogRange, span_of
from study.design.space import Arm, Claim, Explore, Metric, Profile, Replica, Reported, Space
from study.errors import StudyError
from study.text import joined

SEARCH_SEED = 0
MOST_TRIALS = 10_000
FIRST_SEED = {"replica": 1, "confirm": 21, "final": 101}


@dataclass(frozen=True)
class Plan:
    """Everything that decides which trials are run and what is made of them; JSON keeps it unchanged."""

    space: str
    question: str
    scientific: str
    rows: str
    profile: str
    reference: str
    arms: tuple[Arm, ...]
    base: dict[str, Any]  # every field of a trial before arm, point, stage and seed
    stages: dict[str, dict[str, Any]]
    replica: Replica
    metrics: tuple[Metric, ...]
    collapse: tuple[str, float]
    claims: tuple[Claim, ...]
    sizes: Profile
    threats: tuple[str, ...]
    overrides: dict[str, Any]  # what --set changed
    data: dict[str, Any]  # facts of the dataset, with its `fingerprint`
    workers: int  # data-parallel workers of a trial
    explore: Explore | None = None
    reported: tuple[Reported, ...] = ()
    axis: str = ""
    absent: dict[str, str] = field(default_factory=dict)  # why an arm is not run here, by its name
    found: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # fields of an arm that were found here, as the checksum of a file that it reads
    looks: int = (
        1  # at the final results: one more whenever the budget was raised after some had been seen
    )

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def running(self) -> list[Arm]:
        """The arms that make trials: neither absent nor readings of another one."""
        return [arm for arm in self.arms if not arm.of and arm.name not in self.absent]

    def is_reported(self, arm: Arm) -> bool:
        """Whether the replica runs the arm: for itself, or for one that reads it."""
        return arm.in_report or any(other.in_report for other in self.arms if other.of == arm.name)

    @property
    def family(self) -> list[Claim]:
        """The claims that are tested together: those of the family whose arms are run here."""
        return [
            claim
            for claim in self.claims
            if claim.role == "family"
            and not (self.why_absent(claim.better) or self.why_absent(claim.than))
        ]

    def why_absent(self, name: str) -> str:
        """Why an arm has no runs here, in a sentence without its full stop, the short of it before a colon; empty where it has."""
        return self.absent.get(name) or self.absent.get(self.arm(name).of, "")

    def metric(self, name: str) -> Metric:
        """The metric of that name."""
        return next(metric for metric in self.metrics if metric.name == name)

    def seeds(self, stage: str) -> range:
        """The seeds of a stage; no two stages share one."""
        count = {
            "replica": self.sizes.replica_seeds,
            "confirm": self.sizes.confirm_seeds,
            "final": self.sizes.final_seeds,
        }[stage]
        return range(FIRST_SEED[stage], FIRST_SEED[stage] + count)

    @cached_property
    def made(self) -> dict[Any, Any]:
        """Trials by what they are: stages ask for all of them again and again, and each hash takes its time."""
        return {}

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of everything above."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def make_plan(
    space: Space,
    profile: str,
    sizes: Profile,
    overrides: dict[str, Any],
    data: dict[str, Any],
    workers: int,
    complete: Callable[[dict[str, Any]], dict[str, Any]],
    absent: dict[str, str] | None = None,
    found: dict[str, dict[str, Any]] | None = None,
    essence: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Plan:
    """The plan of a space, its arms as `arms_of` gives them, at the sizes of a profile.

    Args:
        overrides: fields that the command sets; neither an arm's own field nor a tuned one.
        absent: why arms are not run here.
        found: fields of arms that were found here.
        complete: fills in and checks the fields of a trial; raises ValueError where one is wrong.
        essence: makes the same fields of those of two trials that are the same.

    Raises:
        StudyError: a field is unknown, of the wrong type, or not free, or two arms are one.
    """
    for stage, count, most in (
        ("replica", sizes.replica_seeds, 20),
        ("confirm", sizes.confirm_seeds, 80),
        ("final", sizes.final_seeds, 1000),
    ):
        if count > most:
            raise StudyError(
                f"the {stage} stage takes at most {most} seeds, so that no two stages share one; got {count}"
            )
    if sizes.search_trials > MOST_TRIALS:
        raise StudyError(
            f"a search takes at most {MOST_TRIALS:,} trials an arm; got {sizes.search_trials:,}"
        )
    check_free(space, overrides, sizes)
    try:
        base = complete({**space.fixed, **sizes.values, **in_every_stage(overrides, sizes)})
        for fields in space.stages.values():
            for arm in space.arms:
                complete({**base, **fields, **arm.values, **arm.default})
    except ValueError as error:
        raise StudyError(str(error)) from None
    plan = Plan(
        space.name, space.question, space.scientific, space.rows, profile, space.reference, space.arms, base, space.stages, space.replica,
        space.metrics, space.collapse, space.claims, sizes, space.threats, overrides, data, workers, space.explore,
        space.reported, space.axis, absent or {}, found or {},
    )  # fmt: skip
    check_distinct(plan, essence)
    return plan


def check_distinct(plan: Plan, essence: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """That no two arms are one: their trials would be, and only one of them would be run.

    Raises:
        StudyError: --set made them so.
    """
    seen: dict[str, Arm] = {}
    for arm in plan.running if plan.explore is None else ():
        config = json.dumps(
            essence({**plan.base, **arm.values, **plan.found.get(arm.name, {}), **arm.default}),
            sort_keys=True,
        )
        if (twin := seen.setdefault(config, arm)) is not arm:
            raise StudyError(
                f"--set must leave the arms apart; with it {twin.title} and {arm.title} are the same. Leave one out by --set arms"
            )


def in_every_stage(overrides: dict[str, Any], sizes: Profile) -> dict[str, Any]:
    """The fields among the overrides that hold in all stages: neither the choice of arms nor a size of the final stage."""
    return {
        name: value
        for name, value in overrides.items()
        if name != "arms" and name not in sizes.final
    }


def check_free(space: Space, overrides: dict[str, Any], sizes: Profile) -> None:
    """That the command sets no field which the study sets: in a stage, in a search, or in an arm on which the primary claim rests.

    Fields of other arms may be set, those arms keep their own; and sizes of the final stage may.

    Raises:
        StudyError: it does.
    """
    central = {
        space.reference,
        *(
            name
            for claim in space.claims
            if claim.role == "primary"
            for name in (claim.better, claim.than)
        ),
    }
    central |= {arm.of for arm in space.arms if arm.name in central}
    if void := [name for name, value in overrides.items() if name in sizes.final and value == 0]:
        raise StudyError(f"--set {void[0]} must be above 0: the final stage measures by it; got 0")
    taken = {"seed", "dataset", "method"} | {
        name for fields in space.stages.values() for name in fields if name not in sizes.final
    }
    for arm in space.arms:
        taken |= {*tuned(space, arm), *(arm.values if arm.name in central else ())}
    if wrong := [name for name in overrides if name in taken]:
        raise StudyError(
            f"--set {wrong[0]} is not free: the study itself sets it for each arm, stage, trial or command"
        )


def arms_of(space: Space, sizes: Profile, overrides: dict[str, Any]) -> Space:
    """The space with the arms that a study has: those that are not optional, or those that are wished, and the claims about them.

    Args:
        sizes: may set fields of arms, and of the final stage.
        overrides: of these "arms", names joined by commas or "all", and the sizes of the final stage.

    Raises:
        StudyError: a name is no arm's, or an arm of the primary claim is missing.
    """
    known, wish = [arm.name for arm in space.arms], overrides.get("arms", "")
    final = {name: overrides.get(name, value) for name, value in sizes.final.items()}
    named = known if wish == "all" else [name.strip() for name in wish.split(",")] if wish else []
    if unknown := [name for name in named if name not in known]:
        raise StudyError(
            f"--set arms=NAME,NAME,... takes arms of {space.name}: {', '.join(known)}, or all; got {unknown[0]!r}"
        )
    arms = tuple(arm for arm in space.arms if (arm.name in named if named else not arm.optional))
    kept = {arm.name for arm in arms}
    needed = {
        space.reference,
        *(
            name
            for claim in space.claims
            if claim.role == "primary"
            for name in (claim.better, claim.than)
        ),
    }
    needed |= {arm.of for arm in arms if arm.of}
    if missing := sorted(needed - kept):
        raise StudyError(
            f"--set arms must name {' and '.join(sorted(needed))}, on which the primary claim rests; {' and '.join(missing)} is missing"
        )
    return replace(
        space,
        arms=tuple(
            replace(
                arm,
                values={
                    **arm.values,
                    **sizes.arms.get(arm.group, {}),
                    **sizes.arms.get(arm.name, {}),
                },
            )
            for arm in arms
        ),
        stages={**space.stages, "final": {**space.stages["final"], **final}},
        claims=tuple(claim for claim in space.claims if {claim.better, claim.than} <= kept),
        reported=tuple(reported for reported in space.reported if reported.arm in kept),
    )


def absent_words(space: Space | Plan, absent: dict[str, str]) -> list[str]:
    """Which arms are not run and why: a sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        by_reason.setdefault(reason, []).append(space.arm(name).title)
    return [
        f"{joined(titles)} {'is' if len(titles) == 1 else 'are'} not run: {reason}."
        for reason, titles in by_reason.items()
    ]


def tuned(of: Space | Plan, arm: Arm) -> list[str]:
    """The fields that a search sets for an arm."""
    return list(of.explore.search if of.explore and of.explore.arm == arm.name else arm.search)


def plan_of(values: dict[str, Any]) -> Plan:
    """The plan that `dataclasses.asdict` and JSON made these values of."""
    arms = tuple(
        Arm(**{**arm, "search": {name: LogRange(**span) for name, span in arm["search"].items()}})
        for arm in values["arms"]
    )
    replica = Replica(**{**values["replica"], "unknown": tuple(values["replica"]["unknown"])})
    plan = Plan(**{**values, "arms": arms, "replica": replica})
    return replace(
        plan,
        metrics=tuple(Metric(**metric) for metric in values["metrics"]),
        claims=tuple(Claim(**claim) for claim in values["claims"]),
        sizes=Profile(**values["sizes"]),
        collapse=tuple(values["collapse"]),
        threats=tuple(values["threats"]),
        reported=tuple(Reported(**reported) for reported in values.get("reported", ())),
        explore=explore_of(values.get("explore")),
    )


def explore_of(values: dict[str, Any] | None) -> Explore | None:
    """The adaptive search likewise."""
    if values is None:
        return None
    search = {name: span_of(span) for name, span in values["search"].items()}
    objectives = tuple((name, higher) for name, higher in values["objectives"])
    return Explore(
        **{**values, "search": search, "objectives": objectives, "known": tuple(values["known"])}
    )
