"""Is MoCo's queue of 65,536 keys too long for a small dataset?

MoCo v1's defaults on a dataset that is smaller than their queue (R9): an image then meets its own older keys as negatives. Queues from
256 to 65,536, with an image's own keys kept or masked; the share of queries that meet one is counted. Each arm has its own learning rate.
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
from study.design.space import Arm, Claim, Metric, Profile, Replica, Reported, Space

SEARCH, DEFAULT = {"lr": LogRange(1e-2, 10.0)}, {"lr": 0.03}


def arm(size: int, own_keys: str, *, in_report: bool = False) -> Arm:
    """A length of the queue, an image's own older keys kept or masked."""
    masked = own_keys == "mask"
    values, ledger = (
        {"queue_size": size, "own_keys": own_keys},
        {"Own keys": "masked" if masked else "kept"},
    )
    name, title = f"{'masked' if masked else 'k'}-{size}", f"{size:,}{' masked' if masked else ''}"
    return Arm(
        name,
        title,
        values,
        SEARCH,
        DEFAULT,
        in_report,
        ledger,
        group="masked" if masked else "kept",
        at=float(size),
    )


# scientific: the queue's length
ARMS = (
    arm(256,    "keep"),
    arm(1_024,  "keep"),
    arm(4_096,  "keep", in_report=True),
    arm(16_384, "keep"),
    arm(65_536, "keep", in_report=True),
    arm(1_024,  "mask"),
    arm(4_096,  "mask"),
    arm(65_536, "mask"),
)  # fmt: skip

OWN = Metric("own_keys", "own keys in the queue", "points", 100.0, False, 1.0)

CLAIMS = (
    Claim("long", "k-1024", "k-65536", "probe_accuracy", "final", "primary", "A queue of 1,024 reaches a higher probe accuracy than one of 65,536"),
    Claim("knn", "k-1024", "k-65536", "knn_accuracy", "final", "secondary", "A queue of 1,024 reaches a higher kNN accuracy, too"),
    Claim("own", "k-1024", "k-65536", "own_keys", "final", "secondary", "In the shorter queue fewer queries meet an older key of their own image"),
    Claim("longer", "k-4096", "k-1024", "probe_accuracy", "final", "family", "A queue of 4,096 reaches a higher probe accuracy than one of 1,024"),
    Claim("shorter", "k-256", "k-1024", "probe_accuracy", "final", "family", "A queue of 256 reaches a higher probe accuracy than one of 1,024"),
    Claim("masked", "masked-65536", "k-65536", "probe_accuracy", "final", "family",
          "At 65,536 masking an image’s own keys raises the probe accuracy"),
    Claim("masked-short", "masked-4096", "k-4096", "probe_accuracy", "final", "family",
          "At 4,096 masking an image’s own keys raises the probe accuracy"),
)  # fmt: skip

REPLICA = Replica(
    row="R9",
    quote="unmodified MoCo v1 on the small datasets",
    values={
        "lr": 0.03, "momentum": 0.9, "weight_decay": 1e-4, "key_momentum": 0.999, "temperature": 0.07, "head": "linear", "schedule": "steps",
        "views": "moco_v1",
    },
    shown="MoCo v1’s defaults",
    drawn="",
    unknown=("What the baseline gave: the report has no number for it.", "Whether the rate fell by a cosine or in steps. Ours falls in steps."),
)  # fmt: skip

PROFILES = {
    "quick": Profile("shapes", QUICK, searches=6, search_trials=3, added_trials=2, final_seeds=1, replica_seeds=3,
                     note=NOTES["quick"], leaves_out=("k-16384", "masked-1024", "masked-4096")),
    "small": Profile("cifar10", SMALL, searches=8, search_trials=4, added_trials=2, final_seeds=1, replica_seeds=6,
                     note=NOTES["small"]),
    "full": Profile("cifar10", FULL, searches=8, search_trials=5, added_trials=2, final_seeds=1, replica_seeds=6,
                    note=NOTES["full"]),
}  # fmt: skip

SPACE = Space(
    name="queue",
    question="Is MoCo’s queue of 65,536 keys too long for a small dataset?",
    general="Which queue size trains MoCo best here?",
    scientific="queue",
    rows="R9",
    reference="k-1024",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=REPLICA,
    metrics=(PROBE, KNN, OWN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "The loss is not compared: its chance level, ln(1 + K), moves with the queue.",
        "A queue that is longer than all keys of a run stays partly random. Here a run has {epochs} epochs.",
        "Only the learning rate is tuned for each queue; the key momentum is {key_momentum:g} for all, the temperature {temperature:g}.",
    ),
    reported=(
        Reported("R9", "MoCo v1’s defaults on CIFAR-10, the baseline of all extensions", "none printed", "k-65536", "probe_accuracy", "replica",
                 "Encoder ({encoder}, width {width:g}), {epochs} epochs, batches of {batch_size}"),
    ),
    axis="queue, keys",
)  # fmt: skip
