"""A toy study along an axis: two colours are run, and each gives the scores of three rates, which are arms of their own."""

from dataclasses import replace

from toy import DATA, SPACE

from study.design.arms import select_arms
from study.design.facts import Prepared
from study.design.make_plan import make_plan
from study.design.space import Arm, Claim, Profile, Replica, Reported, ResultCurve
from study.search.quasi_random import sobol_points

RATES = (1.0, 10.0, 30.0)


def reading(rate, of="red"):
    key = f"{rate:g}"
    return Arm(
        f"{of}-{key}",
        f"{of} {key}",
        {},
        {},
        {},
        rate > 1,
        group=of,
        at=rate,
        of=of,
        reads={"score": f"at_{key}"},
        curve=ResultCurve("score", ("curves", key)),
    )


SWEEP = replace(
    SPACE,
    reference="red-30",
    arms=(
        Arm("red", "Red", {"colour": "red"}, {}, {}, in_report=False),
        Arm(
            "blue",
            "Blue",
            {"colour": "blue"},
            {},
            {},
            in_report=False,
            caveat="Blue is {colour} and has {epochs} epochs.",
        ),
        *(reading(rate) for rate in RATES),
        *(reading(rate, "blue") for rate in RATES),
        Arm("extra", "Extra", {"colour": "green"}, {}, {}, in_report=False, optional=True),
    ),
    replica=Replica(
        "T1",
        "10 beats 30",
        {"epochs": 2},
        "2 epochs",
        ("Little.",),
        unstated="little is not stated",
        drawn="score",
    ),
    claims=(
        Claim("main", "red-10", "red-30", "score", "final", "primary", "10 scores higher than 30"),
        Claim(
            "replica",
            "red-10",
            "red-30",
            "score",
            "replica",
            "replica",
            "10 scores higher than 30 as reported",
        ),
        Claim("blue", "blue-10", "blue-30", "score", "final", "family", "On blue, too"),
        Claim("extra", "extra", "red", "score", "final", "family", "Extra scores higher than red"),
    ),
    reported=(
        Reported(
            "T1",
            "score at 10",
            "69.3 %",
            "red-10",
            "score",
            "replica",
            "Everything, with {epochs} epochs",
        ),
        Reported("T1", "score of blue at 10", "70 %", "blue-10", "score", "final", "Everything"),
        Reported(
            "T2",
            "score at 30 less than at 10",
            "10 points",
            "red-30",
            "score",
            "final",
            "Much",
            against="red-10",
        ),
        Reported(
            "T3",
            "score on other data",
            "none printed",
            "red-10",
            "score",
            "final",
            "Much",
            dataset="others",
        ),
    ),
    axis="rate",
    profiles={
        "quick": Profile(
            "none",
            {},
            final_seeds=7,
            replica_seeds=6,
            note="a toy",
            final={"gain": 4.0},
            arms={"blue": {"best": 0.05}},
        )
    },
)


def sweep_task(config, folder):
    """One trial gives the score at every rate, by epoch too; 10 is the best."""
    noise = (config["seed"] % 7) / 1000
    scores = {f"{rate:g}": 0.5 + 0.1 * (rate == 10) + noise for rate in RATES}
    for epoch in range(1, config["epochs"] + 1):
        yield {"epoch": epoch, "step": epoch, "loss": 1.0, "seconds": 0.01, "lr": 0.1}
    curves = {key: [score / 2, score] for key, score in scores.items()}
    return {
        "loss": 1.0,
        "score": 0.6,
        "rank": 9.0,
        "device": "none",
        "curves": curves,
        **{f"at_{key}": score for key, score in scores.items()},
    }


def plan_of(space, overrides=None, sizes=None, absent=None, found=None):
    """The plan of a space with the arms that the overrides select; by default at its own sizes."""
    sizes, overrides = sizes or space.profiles["quick"], overrides or {}
    return make_plan(
        space=select_arms(space, sizes, overrides),
        profile="quick",
        sizes=sizes,
        overrides=overrides,
        prepared=Prepared(DATA, absent=absent or {}, found=found or {}),
        propose=sobol_points,
    )


def sweep(wish="", absent=None, found=None):
    """The plan of the sweep, its arms as `--set arms` wishes."""
    return plan_of(SWEEP, {"arms": wish} if wish else {}, absent=absent, found=found)
