"""The words in which a question is put: arms that are compared, what is tuned for each, what stays fixed, and what is claimed.

Scientific parameters tell the arms apart, nuisance parameters are tuned for each arm alone, fixed ones are caveats on the result
(the terms are those of the Deep Learning Tuning Playbook, Godbole et al. 2023).
"""

import math
from dataclasses import dataclass, field
from typing import Any

ROLES = ("primary", "published", "replica", "secondary", "family")


@dataclass(frozen=True)
class LogRange:
    """A nuisance parameter's range, searched evenly in its logarithm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"a log range needs 0 < low < high; got {self.low} to {self.high}")

    @property
    def decades(self) -> float:
        """Width in powers of ten."""
        return math.log10(self.high / self.low)


@dataclass(frozen=True)
class Arm:
    """One value of the scientific parameter."""

    name: str  # short, lower case
    title: str  # for people
    values: dict[str, Any]  # the fields that make this arm
    search: dict[str, LogRange]  # its nuisance parameters
    default: dict[str, Any]  # its library's default point, shown beside the search
    in_report: bool = True  # whether the replica includes it
    ledger: dict[str, str] = field(default_factory=dict)  # ledger rows in which arms differ by nature; {field} is filled in


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


@dataclass(frozen=True)
class Profile:
    """The sizes of a study; never its question."""

    dataset: str
    values: dict[str, Any]
    search_trials: int  # an arm
    added_trials: int  # an arm, beyond an edge of its range
    confirm_points: int
    confirm_seeds: int
    final_seeds: int
    replica_seeds: int
    note: str  # what this profile is


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
    collapse: tuple[str, float]  # a run has collapsed when this key of its result lies below this value
    claims: tuple[Claim, ...]
    profiles: dict[str, Profile]
    threats: tuple[str, ...]  # what a result of this space is not; {field} is filled in
