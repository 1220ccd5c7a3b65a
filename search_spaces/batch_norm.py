"""Does batch norm leak which views belong together, and does shuffling the keys mend it?

FAIR's CIFAR-10 demo says that without shuffled keys accuracy is four points lower. Here MoCo runs with keys shuffled between groups of
a batch, with groups alone, with one batch norm over a worker's batch, and, with several workers, with one over all of them. Each has its
own learning rate.
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


def arm(name: str, title: str, kind: str) -> Arm:
    """A kind of batch norm."""
    return Arm(
        name,
        title,
        {"batch_norm": kind},
        {"lr": LogRange(1e-2, 10.0)},
        {"lr": 0.03},
        in_report=False,
    )


# scientific: what a batch's statistics are taken over
ARMS = (
    arm("shuffle", "Shuffled",      "shuffle"),
    arm("groups",  "Groups only",   "split"),
    arm("plain",   "Plain",         "plain"),
    arm("sync",    "Over workers",  "sync"),
)  # fmt: skip

FOUND = Metric("contrastive_accuracy", "contrastive accuracy", "points", 100.0, True, 1.0)

CLAIMS = (
    Claim("shuffle", "shuffle", "groups", "probe_accuracy", "final", "primary", "Shuffling the keys between groups raises the probe accuracy"),
    Claim("knn", "shuffle", "groups", "knn_accuracy", "final", "secondary", "Shuffling the keys between groups raises the kNN accuracy"),
    Claim("leak", "groups", "shuffle", "contrastive_accuracy", "final", "secondary",
          "Without shuffling more queries find their own key: the sign of a leak"),
    Claim("groups", "groups", "plain", "probe_accuracy", "final", "family", "Groups without shuffling reach a higher probe accuracy than plain"),
    Claim("both", "shuffle", "plain", "probe_accuracy", "final", "family", "Shuffled groups reach a higher probe accuracy than plain batch norm"),
    Claim("sync", "sync", "plain", "probe_accuracy", "final", "family", "Batch norm over all workers reaches a higher probe accuracy than plain"),
)  # fmt: skip

PROFILES = {
    "quick": Profile("shapes", {**QUICK, "batch_norm_splits": 4}, searches=6, search_trials=3, added_trials=2, final_seeds=1,
                     replica_seeds=0, note=NOTES["quick"]),
    "small": Profile("cifar10", SMALL, searches=8, search_trials=4, added_trials=2, final_seeds=1, replica_seeds=0,
                     note=NOTES["small"]),
    "full": Profile("cifar10", FULL, searches=8, search_trials=5, added_trials=2, final_seeds=1, replica_seeds=0,
                    note=NOTES["full"]),
}  # fmt: skip

SPACE = Space(
    name="batch_norm",
    question="Does batch norm leak in MoCo on one device?",
    general="Which batch norm trains MoCo best here?",
    scientific="batch norm",
    rows="FAIR’s claim of 4 points",
    reference="groups",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=Replica(row="", quote="", values={}, shown="", unknown=()),
    metrics=(PROBE, KNN, FOUND),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "A leak needs time to be learned: FAIR speaks of 800 epochs, here there are {epochs}.",
        "How many queries find their own key depends on the learning rate, too. Each arm has its own: where they lie far apart that number speaks of "
        "the rates before it speaks of a leak.",
        "A batch of {batch_size} images has {batch_norm_splits} groups. Fewer images a group make noisier statistics, which may help or harm.",
        "Only the learning rate is tuned.",
    ),
    reported=(
        Reported("FAIR’s demo", "CIFAR-10, ResNet-18, 800 epochs, kNN; without shuffled keys", "4 points lower", "groups", "knn_accuracy", "final",
                 "Features of the backbone, not the projection; encoder ({encoder}, width {width:g}), {epochs} epochs", against="shuffle"),
        Reported("FAIR’s demo", "the same with shuffled keys in 8 groups", "88.7 %", "shuffle", "knn_accuracy", "final",
                 "Features of the backbone, not the projection; encoder ({encoder}, width {width:g}), {epochs} epochs, {batch_norm_splits} groups"),
    ),
)  # fmt: skip
