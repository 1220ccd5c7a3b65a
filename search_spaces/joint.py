"""Does a search over everything beat MoCo's published recipe on this dataset?

An adaptive search over optimizer, learning rate, weight decay, key momentum, queue size, temperature and attention placement; the best point
against the recipe of FAIR's CIFAR-10 demo, both on fresh seeds. It finds a good setting. It does not compare optimizers: that is what
`optimizers` does.
"""

from typing import Any

from moco.trainer.trainer import MOCO
from search_spaces._sizes import (
    COLLAPSE,
    CONTROLS,
    FULL,
    KNN,
    NOTES,
    PROBE,
    QUICK,
    SMALL,
    UNTRAINED,
)
from study.design.ranges import By, Choice, LogRange, OneMinus, Powers
from study.design.space import Arm, Claim, Explore, Profile, Replica, Space

# what is searched, as the recipe has it
RECIPE = {"optimizer": "sgd", "lr": 0.06, "weight_decay": 5e-4, "key_momentum": 0.99, "queue_size": 4096, "temperature": 0.1,
          "attention": "none"}  # fmt: skip

# what is not searched, and is the recipe's for both arms
KEPT = {"head": "linear", "schedule": "cosine", "momentum": 0.9}

ARMS = (
    Arm("published", "Published", {}, {}, RECIPE, in_report=False),
    Arm("best", "Best found", {}, {}, {}, in_report=False),
)

# each optimizer has a learning rate of its own     low    high
RATES = {
    "sgd":     LogRange(3e-3,  3.0),
    "adam":    LogRange(3e-5,  3e-2),
    "adamw":   LogRange(3e-5,  3e-2),
    "rmsprop": LogRange(1e-5,  1e-2),
    "lars":    LogRange(3e-2,  30.0),
}  # fmt: skip

EXPLORE = Explore(
    arm="best",
    search={
        "optimizer": Choice(tuple(RATES)),
        "lr": By("optimizer", RATES),
        "weight_decay": LogRange(1e-6, 1e-2),
        "key_momentum": OneMinus(1e-4, 0.5),
        "queue_size": Powers(128, 8192),
        "temperature": LogRange(0.03, 1.0),
        "attention": Choice(("none", "layer2", "layer3", "layer2+layer3")),
    },
    objectives=(("probe_accuracy", True), ("seconds", False)),
    known=(RECIPE,),
    random=12,
    judge="knn_accuracy",
    grace=0.25,
    reduction=2,
)

CLAIMS = (
    Claim("best", "best", "published", "probe_accuracy", "final", "primary",
          "The best setting found reaches a higher probe accuracy than the published recipe"),
    Claim("knn", "best", "published", "knn_accuracy", "final", "secondary",
          "The best setting found reaches a higher kNN accuracy than the published recipe"),
)  # fmt: skip


def sizes(values: dict[str, Any]) -> dict[str, Any]:
    """A profile's sizes without the recipe's fields; kNN after every epoch stops a search."""
    return {name: v for name, v in values.items() if name not in RECIPE | KEPT} | {"knn_every": 1}


PROFILES = {
    # in the four epochs of other spaces the recipe, whose rate falls, learns too little to be compared
    "quick": Profile("shapes", {**sizes(QUICK), "epochs": 8}, search_trials=40, added_trials=0, confirm_points=3, confirm_seeds=3, final_seeds=8,
                     replica_seeds=0, note=NOTES["quick"]),
    "small": Profile("cifar10", sizes(SMALL), search_trials=60, added_trials=0, confirm_points=3, confirm_seeds=3, final_seeds=8,
                     replica_seeds=0, note=NOTES["small"]),
    "full": Profile("cifar10", {**sizes(FULL), "batch_size": 512, "knn_every": 5}, search_trials=100, added_trials=0, confirm_points=3,
                    confirm_seeds=3, final_seeds=10, replica_seeds=0, note=NOTES["full"]),
}  # fmt: skip

SPACE = Space(
    name="joint",
    question="Does a search over everything beat MoCo’s published recipe?",
    scientific="setting",
    rows="",
    reference="published",
    arms=ARMS,
    fixed={
        "encoder": "resnet18",
        "stem": "small",
        **KEPT,
        **RECIPE,
    },
    stages={
        "search": {"score_split": "validation"},
        "confirm": {"score_split": "validation"},
        "final": {"score_split": "test"},
    },
    replica=Replica(row="", quote="", values={}, shown="the recipe", unknown=()),
    metrics=(PROBE, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "The recipe is FAIR’s for CIFAR-10, with batches of 512 and 200 epochs. Here: batches of {batch_size}, {epochs} epochs, the same rate.",
        "The recipe was not tuned on these data, the found setting was: this measures what a search brings, not that one ingredient beats another.",
        "The search is adaptive: parameters are drawn where it seemed promising, so that its trials must not be averaged by optimizer.",
        "One search: another one, on another machine even with the same seed, may find another point, since seconds are an objective.",
        "Momentum {momentum:g} is fixed where the optimizer has one.",
    ),
    explore=EXPLORE,
)
