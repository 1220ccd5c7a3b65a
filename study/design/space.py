"""The words in which a question is put: arms that are compared, what is tuned for each, what stays fixed, and what is claimed.

Scientific parameters tell the arms apart, nuisance parameters are tuned for each arm alone, fixed ones are caveats on the result
(the terms are those of the Deep Learning Tuning Playbook, Godbole et al. 2023).
"""

from dataclasses import dataclass, field
from typing import Any

from study.design.ranges import LogRange, Span

ROLES = ("primary", "published", "replica", "secondary", "family")


@dataclass(frozen=True)
class Explore:
    """How one arm's parameters are searched together: adaptively, so for finding a good point and not for comparing arms."""

    arm: str
    search: dict[str, Span]
    objectives: tuple[
        tuple[str, bool], ...
    ]  # a metric, or "seconds", and whether higher is better; the first is the plan's primary metric
    known: tuple[dict[str, Any], ...] = ()  # points that are tried first
    random: int = 10  # trials before the search adapts
    judge: str = (
        ""  # the epoch's number by which a run is stopped early, higher is better; empty: none is
    )
    grace: float = 0.25  # share of the epochs before the first such decision
    reduction: int = 3  # one of so many goes on

    def __post_init__(self) -> None:
        if not self.objectives or self.reduction < 2 or not 0 < self.grace < 1:
            raise ValueError(
                f"a search needs an objective, a grace between 0 and 1 and a reduction of 2 or more; got {self}"
            )


@dataclass(frozen=True)
class Arm:
    """One value of the scientific parameter."""

    name: str  # short, lower case
    title: str  # for people
    values: dict[str, Any]  # the fields that make this arm
    search: dict[str, LogRange]  # its nuisance parameters; none: it is run at its default point
    default: dict[str, Any]  # its library's default point, shown beside the search
    in_report: bool = True  # whether the replica includes it
    ledger: dict[str, str] = field(
        default_factory=dict
    )  # ledger rows in which arms differ by nature; {field} is filled in
    optional: bool = False  # only run where the command names it
    group: str = ""  # arms of a group are joined by a line over `at`
    at: float | None = None  # its place on the space's axis, above 0
    of: str = ""  # it makes no trials but reads those of this arm
    reads: dict[str, str] = field(
        default_factory=dict
    )  # metrics that it reads from other keys of a result; an empty key: it has none
    curve: str = ""  # "metric = key/entry": its epochs are that list of a result
    caveat: str = ""  # what a result with this arm is not; {field} is filled in


@dataclass(frozen=True)
class Metric:
    """A number by which trials are judged."""

    name: str  # a key of a trial's result
    title: str  # "probe accuracy"
    unit: str  # "points" or "nats"
    scale: float  # what a result is multiplied by to be read in the unit; percentages: 100
    higher_is_better: bool
    delta: float  # smallest difference that matters, in the unit
    share_of_images: bool = False  # a share of test images: delta is not below their binomial sd


@dataclass(frozen=True)
class Claim:
    """`better` beats `than` by `metric` in a stage; named before the first run."""

    name: str
    better: str
    than: str
    metric: str
    stage: str  # "final" or "replica"
    role: str  # one of ROLES; the claims of role "family" share one error rate (Holm 1979)
    words: str  # the claim as a sentence without its full stop
    seeds: int = 0  # use only the first so many seeds; 0: all

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"a claim's role must be one of {', '.join(ROLES)}; got {self.role!r}")


@dataclass(frozen=True)
class Replica:
    """The published setting that is run again as it was."""

    row: str  # of the report's list of experiments
    quote: str
    values: dict[str, Any]
    shown: str  # "lr 0.03"
    unknown: tuple[str, ...]  # what the report leaves open
    unstated: str = ""  # of that, what keeps the published claim from being checked
    drawn: str = (
        "loss"  # the number whose curve by epoch the report draws; none: it has no such figure
    )


@dataclass(frozen=True)
class Reported:
    """A number that the report prints, and the one of ours that stands beside it."""

    row: str  # of the report's list of experiments
    what: str  # what it measured, in its set-up
    number: str  # as printed: "69.3 %", or "none printed"
    arm: str  # ours
    metric: str
    stage: str
    differs: str  # what differs in the set-up; {field} is filled in
    against: str = ""  # the printed number is a difference from this arm
    dataset: str = ""  # ours stands beside it on this one alone


@dataclass(frozen=True)
class Profile:
    """The sizes of a study; never its question."""

    dataset: str
    values: dict[str, Any]
    search_trials: int = 0  # an arm
    added_trials: int = 0  # an arm, beyond an edge of its range
    confirm_points: int = 0
    confirm_seeds: int = 0
    final_seeds: int = 8
    replica_seeds: int = 0
    note: str = ""  # what this profile is
    arms: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # fields of arms, by their name or group, that go with the sizes
    final: dict[str, Any] = field(default_factory=dict)  # fields of the final stage that do


@dataclass(frozen=True)
class Space:
    """One question and everything that answers it."""

    name: str
    question: str
    scientific: str  # what the arms are: "optimizer"
    rows: str  # the experiments of the report that it repeats
    reference: str  # the arm that others are compared with
    arms: tuple[Arm, ...]
    fixed: dict[str, Any]
    stages: dict[str, dict[str, Any]]  # fields that a stage sets: replica, search, confirm, final
    replica: Replica
    metrics: tuple[Metric, ...]  # the first selects and is the primary one
    collapse: tuple[
        str, float
    ]  # a run has collapsed when this key of its result lies below this value
    claims: tuple[Claim, ...]
    profiles: dict[str, Profile]
    threats: tuple[str, ...]  # what a result of this space is not; {field} is filled in
    explore: Explore | None = None  # one arm is searched adaptively; None: all are, evenly
    reported: tuple[Reported, ...] = ()
    axis: str = ""  # what the arms' `at` is

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)
