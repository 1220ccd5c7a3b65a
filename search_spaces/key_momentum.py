"""How fast must the key encoder follow, and does a long queue need a slower one?

MoCo's own ablation (He et al. 2020, section 4.1) on small images: key momentum from 0 to 0.9999 and rising to 1, at a short queue and
at a long one, whose oldest keys were made many steps ago. Each arm gets its own learning rate.
"""

from moco.trainer.trainer import MOCO
from search_spaces._sizes import (
    COLLAPSE,
    CONTROLS,
    FIXED,
    FULL,
    KNN,
    NOTES,
    PROBE,
    QUICK,
    SMALL,
    STAGES,
    UNTRAINED,
)
from study.design.ranges import LogRange
from study.design.space import Arm, Claim, Profile, Replica, Reported, Space

SEARCH, DEFAULT = {"lr": LogRange(1e-2, 10.0)}, {"lr": 0.03}


def arm(name: str, title: str, momentum: float, group: str, schedule: str = "constant") -> Arm:
    """A key momentum at a length of the queue."""
    at = max(1 - momentum, 1e-6) if schedule == "constant" else None
    values = {"key_momentum": momentum, "key_momentum_schedule": schedule}
    return Arm(
        name,
        title,
        values,
        SEARCH,
        DEFAULT,
        in_report=False,
        group=group,
        at=at,
        ledger={"Queue": group},
    )


# scientific: the key momentum
ARMS = (
    arm("m0",         "m 0",            0.0,    "short queue"),
    arm("m5",         "m 0.5",          0.5,    "short queue"),
    arm("m9",         "m 0.9",          0.9,    "short queue"),
    arm("m99",        "m 0.99",         0.99,   "short queue"),
    arm("m999",       "m 0.999",        0.999,  "short queue"),
    arm("m9999",      "m 0.9999",       0.9999, "short queue"),
    arm("rising",     "m 0.99 to 1",    0.99,   "short queue", "cosine"),
    arm("long-m9",    "m 0.9, long",    0.9,    "long queue"),
    arm("long-m99",   "m 0.99, long",   0.99,   "long queue"),
    arm("long-m999",  "m 0.999, long",  0.999,  "long queue"),
)  # fmt: skip

CLAIMS = (
    Claim("moving", "m99", "m0", "probe_accuracy", "final", "primary",
          "A key encoder that lags (0.99) reaches a higher probe accuracy than one that is the query encoder (0)"),
    Claim("knn", "m99", "m0", "knn_accuracy", "final", "secondary", "It reaches a higher kNN accuracy, too"),
    Claim("faster", "m9", "m99", "probe_accuracy", "final", "family", "0.9 reaches a higher probe accuracy than 0.99"),
    Claim("slower", "m999", "m99", "probe_accuracy", "final", "family", "0.999, MoCo’s own, reaches a higher probe accuracy than 0.99"),
    Claim("rising", "rising", "m99", "probe_accuracy", "final", "family", "Rising to 1 reaches a higher probe accuracy than a constant 0.99"),
    Claim("aged", "long-m999", "long-m99", "probe_accuracy", "final", "family", "At the long queue 0.999 reaches a higher probe accuracy than 0.99"),
)  # fmt: skip

PAPER = "ImageNet, ResNet-50, queue 4,096, 200 epochs, linear probe"
DIFFERS = "Encoder ({encoder}, width {width:g}), {epochs} epochs, a queue of {queue_size:,}; each arm has its own learning rate"

PROFILES = {
    "quick": Profile("shapes", QUICK, searches=6, search_trials=3, added_trials=2, final_seeds=1, replica_seeds=0,
                     note=NOTES["quick"], arms={"short queue": {"queue_size": 256}, "long queue": {"queue_size": 2048}},
                     leaves_out=("m5", "m9999", "rising", "long-m9")),
    "small": Profile("cifar10", SMALL, searches=8, search_trials=4, added_trials=2, final_seeds=1, replica_seeds=0,
                     note=NOTES["small"], arms={"short queue": {"queue_size": 512}, "long queue": {"queue_size": 4096}}),
    "full": Profile("cifar10", FULL, searches=8, search_trials=5, added_trials=2, final_seeds=1, replica_seeds=0,
                    note=NOTES["full"], arms={"short queue": {"queue_size": 4096}, "long queue": {"queue_size": 16_384}}),
}  # fmt: skip

SPACE = Space(
    name="key_momentum",
    question="Must MoCo’s key encoder lag behind on small images?",
    general="Which key momentum trains MoCo best here?",
    scientific="key momentum",
    rows="MoCo’s ablation",
    reference="m99",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=Replica(row="", quote="", values={}, shown="", unknown=()),
    metrics=(PROBE, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "Only the learning rate is tuned for each key momentum. The queue’s age in steps is its size over the batch of {batch_size}.",
        "With few steps a key momentum of 0.999 or more hardly leaves the first weights: its horizon is 1,000 steps, whatever the run’s length.",
    ),
    reported=tuple(
        Reported(
            "He et al. 2020",
            f"key momentum {momentum}; {PAPER}",
            number,
            arm,
            "probe_accuracy",
            "final",
            DIFFERS,
        )
        for momentum, number, arm in (
            ("0", "fails to train", "m0"),
            ("0.9", "55.2 %", "m9"),
            ("0.99", "57.8 %", "m99"),
            ("0.999", "59.0 %", "m999"),
            ("0.9999", "58.9 %", "m9999"),
        )
    ),
    axis="1 − key momentum",
)
