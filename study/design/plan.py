"""The plan of a study, fixed before its first trial: what is asked, tried and claimed."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from study.design.facts import DataFacts
from study.design.ranges import LogRange
from study.design.space import Arm, Claim, Profile, Space
from study.design.words import Words

SEARCH_SEED = 0
FIRST_SEED = {"replica": 1, "confirm": 21, "final": 101}

Fields = dict[str, Any]
Point = dict[str, Any]  # nuisance parameters and their values
PointSource = Callable[[dict[str, LogRange], int], list[Point]]


def no_points(search: dict[str, LogRange], count: int) -> list[Point]:
    """The source of a plan that searches nothing."""
    raise AssertionError("this plan was made without a source of points")


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
    propose: PointSource = field(default=no_points, compare=False, repr=False)

    @property
    def running(self) -> list[Arm]:
        """The arms that make trials: neither absent nor derived from another one."""
        return [arm for arm in self.space.arms if not arm.of and arm.name not in self.absent]

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

    def seeds(self, stage: str) -> range:
        """The seeds of a stage; no two stages share one."""
        return range(FIRST_SEED[stage], FIRST_SEED[stage] + getattr(self.sizes, f"{stage}_seeds"))

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
        stages["added"] = stages["beside"]
        own = (
            {**self.space.replica.values, **stages[stage]}
            if stage == "replica"
            else (stages[stage] if stage else {})
        )
        nuisance = arm.default if point is None else point
        found = self.found.get(arm.name, {})
        config = {**self.base, **own, **arm.values, **found, **nuisance}
        return config if seed is None else {**config, "seed": seed}

    def points(self, arm: Arm) -> list[Point]:
        """The points of an arm's even search, in their order."""
        if arm.name not in self._points:
            self._points[arm.name] = self.propose(arm.search, self.sizes.search_trials)
        return self._points[arm.name]

    @cached_property
    def _points(self) -> dict[str, list[Point]]:
        return {}

    @cached_property
    def trials(self) -> dict[Any, Any]:
        """Trials by what they are: stages ask for all of them again, and each hash takes time."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain values as JSON keeps them."""
        left_out: Any = None
        space = replace(self.space, trainer=left_out, profiles={}, fixed={})
        bare = replace(self, propose=left_out, space=space)
        values = asdict(bare)
        del values["propose"], values["space"]["trainer"]
        return values

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of everything above."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
