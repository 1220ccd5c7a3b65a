"""Whole studies on made-up scores: the program's own stages, records and verdicts, nothing trained.

Two arms have the same best score. A score is the peak less `curvature` points times the squared
distance, in decades, of the learning rate from the arm's optimum, plus noise of `noise` points.
"""

import base64
from dataclasses import dataclass, field, replace

import numpy as np
import toy
from scipy.stats import norm, qmc

from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.design.facts import Prepared
from study.design.make_plan import make_plan
from study.design.plan import next_look
from study.design.ranges import LogRange
from study.design.record import Record
from study.design.space import Arm, Claim, Metric, Profile
from study.design.stages import due_trials
from study.execution.run_trial import make_record

LOW, HIGH = 1e-3, 1.0  # three decades
FLOOR = -40.0  # points below the peak, where a score can fall no further


@dataclass(frozen=True)
class World:
    """What is true in a setting; points and decades."""

    noise: float = 1.0
    curvature: float = 12.0
    gain: float = 0.0  # of the first arm's peak
    beyond: tuple[float, float] | None = None  # decades by which one optimum lies out of range
    heavy_tails: bool = False  # Student's t with three degrees of freedom
    unequal: float = 1.0  # noise of the second arm over that of the first
    failing: float = 0.0  # share of the second arm's runs that end five sd low
    both_fail: bool = False  # the first arm's too
    images: int = 0  # test images, whose difficulty is drawn; 0: scores without them
    pattern: float = 0.0  # sd of an arm's own errors over that of the images' difficulty


@dataclass
class Rates:
    """Shares of studies, in percent."""

    studies: int
    labels: dict[str, int] = field(default_factory=dict)

    def of(self, *labels: str) -> float:
        """Percent of the studies with one of the labels."""
        return 100 * sum(self.labels.get(label, 0) for label in labels) / self.studies

    @property
    def wrong(self) -> float:
        """Percent that claim a difference where there is none."""
        return self.of("supported", "small", "contradicted")


def simulate(profile: Profile, world: World, studies: int, seed: int = 0) -> Rates:
    """The labels of the primary claim over many studies at the sizes of a profile."""
    rates = Rates(studies)
    for number in range(studies):
        label = judge(profile, world, np.random.default_rng([seed, number])).label
        rates.labels[label] = rates.labels.get(label, 0) + 1
    return rates


def judge(profile: Profile, world: World, draws: np.random.Generator) -> Verdict:
    """One study from its plan to the verdict on its primary claim, after its last analysis."""
    key = int(draws.integers(2**32))  # all arms of a search have the same points
    plan = make_plan(
        space=space_of(profile),
        profile="quick",
        sizes=profile,
        overrides={},
        prepared=Prepared(toy.DATA),
        propose=lambda search, count, seed: scrambled(count, np.random.default_rng([key, seed])),
    )
    optima = draws.uniform(0.3, 2.7, 2)  # decades above LOW: anywhere in the middle
    if world.beyond:
        out = draws.uniform(*world.beyond)
        optima[draws.integers(2)] = 3 + out if draws.random() < 0.5 else -out
    test = TestImages(world, draws) if world.images else None
    records: dict[str, Record] = {}
    while True:
        while missing := [t for t in due_trials(plan, records) if t.id not in records]:
            for trial in missing:
                second = trial.arm == "red"
                off = np.log10(trial.point["lr"] / LOW) - optima[int(second)]
                score = max(-world.curvature * off**2, FLOOR) + (0 if second else world.gain)
                score += noise(world, draws, second)
                result = {"score": 0.8 + score / 100, "rank": 9.0}
                if test and trial.stage == "final":
                    result |= test.measure(result["score"], second, draws)
                records[trial.id] = make_record(trial, "finished", "", result=result)
        verdict = Results(plan, records.values()).verdict("primary")
        assert verdict is not None
        sizes = next_look(plan.sizes)
        if sizes is None or verdict.label != "undecided":
            return verdict
        plan = replace(plan, sizes=sizes)


class TestImages:
    """Test images of the probit kind: a run is right where its strength exceeds a difficulty."""

    def __init__(self, world: World, draws: np.random.Generator) -> None:
        shared = draws.standard_normal(world.images)
        own = world.pattern * draws.standard_normal((2, world.images))
        self.hardness = shared + own  # by arm
        self.spread = (2 + world.pattern**2) ** 0.5  # of difficulty, pattern and a run's luck

    def measure(self, share: float, second: bool, draws: np.random.Generator) -> dict[str, object]:
        """The result of a run that is right on that share of all images there are."""
        strength = self.spread * norm.ppf(min(share, 1 - 1e-6))
        luck = draws.standard_normal(self.hardness.shape[1])
        correct = strength > self.hardness[int(second)] + luck
        bits = base64.b64encode(np.packbits(correct).tobytes()).decode()
        return {"score": float(correct.mean()), "correct": f"{len(correct)}:{bits}"}


def noise(world: World, draws: np.random.Generator, second: bool) -> float:
    """The luck of one run, in points."""
    scale = world.noise * (world.unequal if second else 1.0)
    luck = draws.standard_t(3) / 3**0.5 if world.heavy_tails else draws.standard_normal()
    if (second or world.both_fail) and draws.random() < world.failing:
        luck -= 5.0
    return float(scale * luck)


def scrambled(count: int, draws: np.random.Generator) -> list[dict[str, float]]:
    """The first points of a scrambled Sobol sequence, a new scramble each time."""
    exponent = int(np.ceil(np.log2(max(count, 1))))
    unit = qmc.Sobol(1, scramble=True, rng=draws).random_base2(exponent)[:count, 0]
    return [{"lr": float(f"{LOW * (HIGH / LOW) ** x:.4g}")} for x in unit]


def space_of(profile: Profile):
    """Two arms, blue against red, by their score alone."""
    search, default = {"lr": LogRange(LOW, HIGH)}, {"lr": 0.03}
    return replace(
        toy.SPACE,
        arms=(
            Arm("red", "Red", {"colour": "red"}, search, default, in_report=False),
            Arm("blue", "Blue", {"colour": "blue"}, search, default, in_report=False),
        ),
        replica=replace(toy.SPACE.replica, values={}),
        metrics=(Metric("score", "score", "points", 100.0, True, 0.5, correct="correct"),),
        claims=(Claim("main", "blue", "red", "score", "final", "primary", "Blue beats red"),),
        profiles={"quick": profile},
    )
