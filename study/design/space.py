"""A search space: the arms, what is tuned for each, what stays fixed, and what is claimed.

Scientific parameters tell the arms apart, nuisance parameters are tuned for each arm alone, fixed
ones are caveats on the result (terms of the Deep Learning Tuning Playbook, Godbole et al. 2023).
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from study.design.ranges import LogRange, Span
from study.design.trainer import Trainer

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")  # of an arm: the page names its colours so
ROLES = ("primary", "published", "replica", "secondary", "family")
MOST_DELTA = 1e30
DECIMALS = {"points": 1, "nats": 2}  # by unit; others have 2


@dataclass(frozen=True)
class Explore:
    """How one arm's parameters are searched together: adaptively, to find a good point."""

    arm: str
    search: dict[str, Span]
    # metrics, or "seconds", and whether higher is better; the first is the primary metric
    objectives: tuple[tuple[str, bool], ...]
    known: tuple[dict[str, Any], ...] = ()  # points that are tried first
    random: int = 10  # trials before the search adapts
    judge: str = ""  # number of an epoch by which lagging runs are stopped; higher is better
    grace: float = 0.25  # share of the epochs before the first such decision
    reduction: int = 3  # one of so many goes on

    def __post_init__(self) -> None:
        if not self.objectives or self.reduction < 2 or not 0 < self.grace < 1:
            needs = "an objective, a grace between 0 and 1 and a reduction of 2 or more"
            raise ValueError(f"a search needs {needs}; got {self}")


class ResultCurve(NamedTuple):
    """A list inside a result that an arm shows as its curve by epoch."""

    metric: str
    path: tuple[str, ...]  # keys that lead to the list


@dataclass(frozen=True)
class Arm:
    """One value of the scientific parameter."""

    name: str  # short, lower case
    title: str  # for people
    values: dict[str, Any]  # the fields that make this arm
    search: dict[str, LogRange]  # its nuisance parameters; none: it runs at its default point
    default: dict[str, Any]  # the point that is usual for it, shown beside the search
    in_report: bool = True  # whether the replica includes it
    # rows of the fairness ledger in which arms differ by nature; {field} is filled in
    ledger: dict[str, str] = field(default_factory=dict)
    optional: bool = False  # only run where the command names it
    group: str = ""  # arms of a group are joined by a line over `at`
    at: float | None = None  # its place on the space's axis, above 0
    of: str = ""  # it makes no trials but reads those of this arm
    # metrics that it reads from other keys of a result; an empty key: it has none
    reads: dict[str, str] = field(default_factory=dict)
    curve: ResultCurve | None = None  # its epochs, where they are a list of a result
    caveat: str = ""  # what a result with this arm is not; {field} is filled in
    asked: str = ""  # how a command names it, where that is not its name: module:object
    # its place among all arms of its space, also of those that a study leaves out; -1: not known
    place: int = -1


@dataclass(frozen=True)
class Metric:
    """A number by which trials are judged."""

    name: str  # a key of a trial's result
    title: str  # "probe accuracy"
    unit: str  # of differences: "points" or "nats"
    scale: float  # what a result is multiplied by to be read in the unit; percentages: 100
    higher_is_better: bool
    delta: float  # smallest difference that matters, in the unit
    share_of_images: bool = False  # a share of test images: delta is at least their binomial sd
    # key of a result that says which of them were right (`study.analysis.correct_items`)
    correct: str = ""
    places: int | None = None  # decimals; None: those of the unit

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf or not 0 <= self.delta <= MOST_DELTA:
            raise ValueError(
                "a metric needs a scale above 0 and a delta of 0 to 1e30; "
                f"{self.name} has {self.scale!r} and {self.delta!r}"
            )

    @property
    def level_unit(self) -> str:
        """The unit of a value, not of a difference."""
        return "%" if self.unit == "points" else self.unit

    @property
    def better_side(self) -> str:
        """On which side of another value a better one lies: "above" or "below"."""
        return "above" if self.higher_is_better else "below"

    @property
    def worse_side(self) -> str:
        """On which side of another value a worse one lies."""
        return "below" if self.higher_is_better else "above"

    @property
    def decimals(self) -> int:
        """Decimals that it is read with."""
        return self.places if self.places is not None else DECIMALS.get(self.unit, 2)


@dataclass(frozen=True)
class Claim:
    """`better` beats `than` by `metric` in a stage; named before the first run."""

    name: str
    better: str
    than: str
    metric: str
    stage: str  # "final" or "replica"
    role: str  # one of ROLES; claims of role "family" share one error rate (Holm 1979)
    words: str  # the claim as a sentence without its full stop
    seeds: int = 0  # use only the first so many seeds; 0: all

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"a claim's role must be one of {', '.join(ROLES)}; got {self.role!r}")


@dataclass(frozen=True)
class Replica:
    """The published setting that is run again as it was; by default there is none."""

    row: str = ""  # of the report's list of experiments
    quote: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    shown: str = ""  # "lr 0.03"
    unknown: tuple[str, ...] = ()  # what the report leaves open
    unstated: str = ""  # of that, what keeps the published claim from being checked
    drawn: str = "loss"  # the number whose curve by epoch the report draws; empty: none


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


class OwnArm(NamedTuple):
    """An arm that a command adds to a space, and what is claimed of it."""

    arm: Arm
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Profile:
    """The sizes of a study; never its question."""

    dataset: str
    values: dict[str, Any]
    # independent searches of every arm; with more than one, they are the units that are compared
    searches: int = 1
    search_trials: int = 0  # an arm and search
    added_trials: int = 0  # likewise, beyond an edge of its range
    confirm_points: int = 0  # of one search
    confirm_seeds: int = 0  # likewise
    final_seeds: int = 8  # fresh seeds a search
    replica_seeds: int = 0
    note: str = ""  # what this profile is
    # fields of arms, by their name or group, that go with the sizes
    arms: dict[str, dict[str, Any]] = field(default_factory=dict)
    final: dict[str, Any] = field(default_factory=dict)  # fields of the final stage that do
    # pairs at which an undecided study is analysed, where it goes on until it is decided
    looks: tuple[int, ...] = ()
    # arms that run at these sizes only where the command names them
    leaves_out: tuple[str, ...] = ()

    @property
    def repeats(self) -> bool:
        """Whether the search of an arm is repeated."""
        return self.searches > 1

    @property
    def pairs(self) -> int:
        """Units of a comparison in the final stage: searches, or seeds of a single one."""
        return self.searches if self.repeats else self.final_seeds


@dataclass(frozen=True)
class Space:
    """One question and everything that answers it."""

    name: str
    question: str
    scientific: str  # what the arms are: "optimizer"
    reference: str  # the arm that others are compared with
    arms: tuple[Arm, ...]
    fixed: dict[str, Any]
    stages: dict[str, dict[str, Any]]  # fields that a stage sets: replica, search, confirm, final
    metrics: tuple[Metric, ...]  # the first selects and is the primary one
    claims: tuple[Claim, ...]
    profiles: dict[str, Profile]
    trainer: Trainer = field(compare=False)  # runs the trials; no part of a plan's file
    threats: tuple[str, ...] = ()  # what a result of this space is not; {field} is filled in
    rows: str = ""  # the experiments of the report that it repeats
    replica: Replica = field(default_factory=Replica)
    # a run has collapsed when this key of its result lies below this value
    collapse: tuple[str, float] | None = None
    explore: Explore | None = None  # one arm is searched adaptively; None: all are, evenly
    reported: tuple[Reported, ...] = ()
    axis: str = ""  # what the arms' `at` is
    general: str = ""  # what a study of one's own data asks first; empty: `question`
    # runs with the final seeds beside the arms, in no claim: what a result is read against
    controls: tuple[Arm, ...] = ()
    floor: str = ""  # the control above which a claim's better arm must end; empty: none
    # makes an arm of a name `module:object` that --set arms gives: its short name, that name, and
    # the range that --range gives it; no part of a plan's file
    own_arm: Callable[[str, str, LogRange], OwnArm] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Check that names are those of arms and metrics, and that nothing needed is missing.

        Raises:
            ValueError: one is not, or something is.
        """
        for what in ("arms", "metrics", "claims"):
            if not isinstance(values := getattr(self, what), tuple):
                raise ValueError(f"{what} must be a tuple, as (one,); got {type(values).__name__}")
        if "final" not in self.stages:
            stages = ", ".join(self.stages) or "none"
            raise ValueError(f"stages must have one named final; got {stages}")
        for arm in (*self.arms, *self.controls):
            if not NAME.fullmatch(arm.name):
                raise ValueError(
                    f"an arm's name must be letters, digits, - and _; got {arm.name!r}"
                )
        arms, metrics = [arm.name for arm in self.arms], [metric.name for metric in self.metrics]
        if not arms:
            raise ValueError(f"the space {self.name} must have an arm; it has none")
        if not metrics:
            raise ValueError(f"the space {self.name} must have a metric; it has none")
        named = [("reference", self.reference), *(("of", arm.of) for arm in self.arms if arm.of)]
        for claim in self.claims:
            where = f"the claim {claim.name}"
            named += [(f"better of {where}", claim.better), (f"than of {where}", claim.than)]
            if claim.stage not in ("final", "replica"):
                raise ValueError(f"stage of {where} must be final or replica; got {claim.stage!r}")
            if claim.metric not in metrics:
                known = ", ".join(metrics)
                raise ValueError(f"metric of {where} must be one of {known}; got {claim.metric!r}")
        if self.floor and self.floor not in [control.name for control in self.controls]:
            raise ValueError(f"floor must be a control; got {self.floor!r}")
        for what, name in named:
            if name not in arms:
                known = ", ".join(arms)
                raise ValueError(f"{what} must be an arm, one of {known}; got {name!r}")

    def arm(self, name: str) -> Arm:
        """The arm or control of that name."""
        return next(arm for arm in (*self.arms, *self.controls) if arm.name == name)

    def metric(self, name: str) -> Metric:
        """The metric of that name."""
        return next(metric for metric in self.metrics if metric.name == name)

    @property
    def primary(self) -> Metric:
        """The metric that selects points and decides the primary claim."""
        return self.metrics[0]
