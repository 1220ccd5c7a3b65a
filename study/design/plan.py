"""The plan of a study, fixed before its first trial: what is asked, tried and claimed."""

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from study.design.facts import DataFacts
from study.design.given_runs import GivenRuns
from study.design.ranges import LogRange
from study.design.space import Arm, Claim, Profile, Space
from study.design.words import Words
from study.errors import StudyError

SEARCH_SEED = 0
FIRST_SEED = {"replica": 1, "confirm": 21, "final": 101}
# of repeated searches: number r has the seeds from 10,000 + 100 r, the first of them for its trials
FIRST_REPEATED_SEED, SEEDS_A_SEARCH = 10_000, 100
ALPHA = 0.05  # error rate of a claim, over all analyses that were planned
GROWTH = 1.5  # pairs of one planned analysis over those of the one before
SINGLE = 0  # number of a search that is not repeated

Fields = dict[str, Any]
Point = dict[str, Any]  # nuisance parameters and their values
PointSource = Callable[[dict[str, LogRange], int, int], list[Point]]  # ranges, count, seed


def no_points(search: dict[str, LogRange], count: int, seed: int) -> list[Point]:
    """The source of a plan that searches nothing."""
    raise AssertionError("this plan was made without a source of points")


def asks_generally(space: Space, data: Any) -> bool:
    """Whether a space's general question comes first on these data: the user's own."""
    return bool(space.general) and getattr(data, "own", False) and space.explore is None


@dataclass(frozen=True)
class Plan:
    """Everything that decides which trials are run and what is made of them."""

    space: Space  # with the arms that this study has
    profile: str
    sizes: Profile
    base: Fields  # every field of a trial before stage, arm, point and seed
    overrides: Fields  # what the command set
    data: DataFacts
    workers: int = 1  # data-parallel workers of a trial
    absent: dict[str, str] = field(default_factory=dict)  # why an arm is not run here, by its name
    # fields of an arm that were found here, as the checksum of a file that it reads
    found: dict[str, Fields] = field(default_factory=dict)
    # of the final results: one more whenever the budget was raised after some had been seen
    interim_analyses: int = 1
    words: Words = field(default_factory=Words)  # the trainer's
    given: GivenRuns | None = None  # runs that were made elsewhere and are judged here
    propose: PointSource = field(default=no_points, compare=False, repr=False)

    @property
    def is_general(self) -> bool:
        """Whether the general question comes first, since the data are the user's own."""
        return asks_generally(self.space, self.data)

    @property
    def question(self) -> str:
        """What the study asks first."""
        return self.space.general if self.is_general else self.space.question

    @property
    def planned_analyses(self) -> int:
        """Analyses that were planned before the first run; together they keep ALPHA."""
        return max(1, len(self.sizes.looks))

    @property
    def analyses(self) -> int:
        """Analyses of the final results that share the error rate: planned, and added since."""
        return self.planned_analyses + self.interim_analyses - 1

    @property
    def alpha(self) -> float:
        """The error rate of a claim at this analysis."""
        return ALPHA / self.analyses

    @property
    def added_alphas(self) -> list[float]:
        """The error rates of the analyses beyond the planned ones."""
        return [ALPHA / count for count in range(self.planned_analyses + 1, self.analyses + 1)]

    @property
    def total_alpha(self) -> float:
        """The error rate of a claim over all analyses so far, at most (Bonferroni)."""
        return ALPHA + sum(self.added_alphas)

    @property
    def running(self) -> list[Arm]:
        """The arms that make trials: neither absent nor derived from another one."""
        return [arm for arm in self.space.arms if not arm.of and arm.name not in self.absent]

    @property
    def controls(self) -> list[Arm]:
        """What runs beside the arms here."""
        return [one for one in self.space.controls if one.name not in self.absent]

    @property
    def tunes(self) -> bool:
        """Whether any arm that runs has its parameters searched evenly."""
        return any(arm.search for arm in self.running)

    def is_reported(self, arm: Arm) -> bool:
        """Whether the replica runs the arm: for itself, or for one that is derived from it."""
        derived = (other for other in self.space.arms if other.of == arm.name)
        return arm.in_report or any(other.in_report for other in derived)

    @property
    def family(self) -> list[Claim]:
        """The claims that are tested together: those of the family whose arms are run here."""
        family = [claim for claim in self.space.claims if claim.role == "family"]
        return [c for c in family if not (self.why_absent(c.better) or self.why_absent(c.than))]

    def why_absent(self, name: str) -> str:
        """Why an arm has no runs here, the short of it before a colon; empty where it has."""
        return self.absent.get(name) or self.absent.get(self.space.arm(name).of, "")

    def title(self, name: str) -> str:
        """An arm's title."""
        return self.space.arm(name).title

    @property
    def repeats(self) -> bool:
        """Whether the arms are searched several times, each search a unit of the comparison."""
        return self.sizes.repeats

    @property
    def searches(self) -> range:
        """The numbers of the searches: from 1, or that of a single one."""
        return range(1, self.sizes.searches + 1) if self.repeats else range(SINGLE, SINGLE + 1)

    @property
    def pairs(self) -> int:
        """Units of a comparison in the final stage: searches, or seeds of a single one."""
        return self.sizes.pairs

    def unit(self, stage: str) -> str:
        """What a comparison's pairs are in a stage: "search", "seed", or what given runs have."""
        if self.given:
            return self.given.noun
        return "search" if stage == "final" and self.repeats else "seed"

    def seeds(self, stage: str) -> list[int]:
        """The seeds of a stage; no two stages share one."""
        if stage == "final":
            return [seed for search in self.searches for seed in self.final_seeds(search)]
        first = FIRST_SEED[stage]
        return list(range(first, first + getattr(self.sizes, f"{stage}_seeds")))

    def search_seed(self, search: int) -> int:
        """The seed of a search's trials, the same for all arms; it also scrambles its points."""
        if search == SINGLE:
            return SEARCH_SEED
        return FIRST_REPEATED_SEED + SEEDS_A_SEARCH * search

    def final_seeds(self, search: int) -> Sequence[int]:
        """The fresh seeds on which the choice of a search is scored, the same for all arms."""
        if self.given:
            return self.given.seeds
        first = FIRST_SEED["final"] if search == SINGLE else self.search_seed(search) + 1
        return range(first, first + self.sizes.final_seeds)

    def search_of(self, seed: int) -> int:
        """The number of the search to which a seed of the search or final stage belongs."""
        return max(SINGLE, (seed - FIRST_REPEATED_SEED) // SEEDS_A_SEARCH)

    def unit_of(self, stage: str, seed: int) -> int:
        """What a run is a part of in a comparison: its search in the final stage, else its seed."""
        return self.search_of(seed) if stage in ("final", "control") and self.repeats else seed

    def tuned(self, arm: Arm) -> list[str]:
        """The fields that a search sets for an arm."""
        explore = self.space.explore
        return list(explore.search if explore and explore.arm == arm.name else arm.search)

    def config(
        self, arm: Arm, stage: str = "", point: Point | None = None, seed: int | None = None
    ) -> Fields:
        """The fields of a trial: base < stage < arm < found here < point < seed.

        Args:
            stage: its own fields, and in the replica the report's setting; empty: none of them.
            point: nuisance parameters; None: the arm's default.
            seed: None: the base's.
        """
        stages = {**self.space.stages, "beside": self.space.stages.get("search", {})}
        stages["added"], stages["control"] = stages["beside"], self.space.stages.get("final", {})
        own = (
            {**self.space.replica.values, **stages[stage]}
            if stage == "replica"
            else (stages[stage] if stage else {})
        )
        nuisance = arm.default if point is None else point
        found = self.found.get(arm.name, {})
        config = {**self.base, **own, **arm.values, **found, **nuisance}
        return config if seed is None else {**config, "seed": seed}

    def points(self, arm: Arm, search: int = SINGLE) -> list[Point]:
        """The points of an arm's even search of that number, in their order."""
        key = (arm.name, search)
        if key not in self._points:
            count, seed = self.sizes.search_trials, self.search_seed(search)
            self._points[key] = self.propose(arm.search, count, seed)
        return self._points[key]

    @cached_property
    def _points(self) -> dict[tuple[str, int], list[Point]]:
        return {}

    @cached_property
    def trials(self) -> dict[Any, Any]:
        """Trials by what they are: stages ask for all of them again, and each hash takes time."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain values as JSON keeps them."""
        left_out: Any = None
        space = replace(self.space, trainer=left_out, own_arm=None, profiles={}, fixed={})
        bare = replace(self, propose=left_out, space=space)
        values = asdict(bare)
        del values["propose"], values["space"]["trainer"], values["space"]["own_arm"]
        return values

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of everything above."""
        return hash_values(self.to_dict())


def hash_values(values: dict[str, Any]) -> str:
    """Twelve hexadecimal digits of a plan's values, as JSON keeps them or keeps them again."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def least_p(pairs: int) -> float:
    """The least sign-flip p of so many pairs: all signs alike, or all opposite."""
    return 2.0 ** (1 - pairs)


def planned_looks(first: int, most: int) -> tuple[int, ...]:
    """The numbers of pairs at which an undecided study is analysed, ascending, `most` the last.

    Every analysis of a growing set of results is another chance to err. Their number is therefore
    fixed before the first run, and each is judged at its share of the error rate (Bonferroni).
    Each has half as many again as the one before. The first is `first`, or more where the least p
    of so few pairs is above an analysis's share of the error rate.

    Raises:
        StudyError: `most` leaves no second analysis.
    """
    for start in range(first, most):
        looks = [start]
        while looks[-1] < most:
            following = math.ceil(looks[-1] * GROWTH)
            looks.append(following if following * GROWTH <= most + 1 else most)
        if least_p(start) <= ALPHA / len(looks):
            return tuple(looks)
    least = next(n for n in itertools.count(first) if least_p(n) <= ALPHA / 2) + 1
    raise StudyError(
        f"--until-decided must be {least} or more, so that the study has a second analysis; "
        f"got {most}"
    )


def with_pairs(sizes: Profile, pairs: int) -> Profile:
    """The sizes with so many searches, or of an untuned or single search so many final seeds."""
    if sizes.repeats:
        return replace(sizes, searches=pairs)
    return replace(sizes, final_seeds=pairs)


def until_decided(sizes: Profile, most: int) -> Profile:
    """The sizes of the first analysis of a study that goes on up to `most` pairs.

    Raises:
        StudyError: `most` leaves no second analysis.
    """
    looks = planned_looks(sizes.pairs, most)
    return replace(with_pairs(sizes, looks[0]), looks=looks)


def next_look(sizes: Profile) -> Profile | None:
    """The sizes of the next planned analysis; None after the last, or where none was planned."""
    following = [look for look in sizes.looks if look > sizes.pairs]
    return with_pairs(sizes, following[0]) if following else None
