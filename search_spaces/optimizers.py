"""Does RMSprop beat SGD for MoCo pretraining?

The report of 2020 says that "SGD is outperformed by RMSprop": one run each at one shared learning rate, judged by the loss (R5).
Here the same is run again with seeds; then each optimizer gets its own learning rate at equal budgets, and accuracy decides.
Ranges follow published recipes for contrastive ResNets, three decades each.
"""

from moco.trainer.trainer import MOCO
from moco.training.optimizers import OPTIMIZERS
from search_spaces._optimizers import FIXED, THREATS, arm, own_arm
from search_spaces._sizes import (
    COLLAPSE,
    CONTROLS,
    FULL,
    KNN,
    LOSS,
    NOTES,
    PROBE,
    QUICK,
    SMALL,
    STAGES,
    UNTRAINED,
)
from study.design.space import Claim, Profile, Replica, Reported, Space

# scientific: the optimizer          lr, low   high
ARMS = (
    arm("sgd",     "SGD",            3e-3,     3.0),
    arm("adam",    "Adam",           3e-5,     3e-2),
    arm("adamw",   "AdamW",          3e-5,     3e-2, in_report=False),
    arm("adagrad", "Adagrad",        3e-4,     3e-1),
    arm("rmsprop", "RMSprop",        1e-5,     1e-2),
    # the rest on demand: --set arms=sgd,rmsprop,lion or arms=all
    arm("sgd",     "SGD, no mom.",     3e-2,   30.0,  optional=True, plain=True),
    arm("rmsprop", "RMSprop, no mom.", 1e-4,   1e-1,  optional=True, plain=True),
    *(arm(name, name.capitalize(), row.default_lr / 10**1.5, row.default_lr * 10**1.5, in_report=False, optional=True)
      for name, row in OPTIMIZERS.items() if name not in ("sgd", "adam", "adamw", "adagrad", "rmsprop")),
)  # fmt: skip


REPLICA = Replica(
    row="R5",
    quote="SGD is outperformed by RMSprop",
    values={"lr": 0.03, "momentum": 0.9, "weight_decay": 1e-4, "schedule": "constant"},
    shown="lr 0.03",
    unknown=(
        "Whether RMSprop had momentum 0.9 as SGD had. Here both have it, in every stage; without it RMSprop’s steps are ten times smaller. "
        "Both are also there without it: --set arms=sgd,rmsprop,sgd-plain,rmsprop-plain.",
        "Batch size (64 or 256) and queue size. Ours are in the ledger.",
        "Which pretrained weights the runs began from. Ours begin from random ones unless the command names others, as --weights fair-moco-v1 does.",
        "The heights of the curves: the report prints no number for this figure.",
    ),
    unstated="momentum, batch and queue size are not stated",
)

CLAIMS = (
    Claim("rmsprop", "rmsprop", "sgd", "probe_accuracy", "final", "primary",
          "RMSprop reaches a higher probe accuracy than SGD when each has its own learning rate"),
    Claim("published", "rmsprop", "sgd", "loss", "replica", "published",
          "“SGD is outperformed by RMSprop”, asked as the report asked: one run each at lr 0.03, judged by the loss", seeds=1),
    Claim("replica", "rmsprop", "sgd", "loss", "replica", "replica",
          "At the report’s setting, lr 0.03 for both, RMSprop ends with a lower loss than SGD"),
    Claim("loss", "rmsprop", "sgd", "loss", "final", "secondary",
          "RMSprop ends with a lower loss than SGD when each has its own learning rate"),
    Claim("adam", "adam", "sgd", "probe_accuracy", "final", "family", "Adam reaches a higher probe accuracy than SGD"),
    Claim("adamw", "adamw", "sgd", "probe_accuracy", "final", "family", "AdamW reaches a higher probe accuracy than SGD"),
    Claim("adagrad", "adagrad", "sgd", "probe_accuracy", "final", "family", "Adagrad reaches a higher probe accuracy than SGD"),
    *(Claim(arm.name, arm.name, "sgd", "probe_accuracy", "final", "family", f"{arm.title} reaches a higher probe accuracy than SGD")
      for arm in ARMS if arm.optional),
)  # fmt: skip

PROFILES = {
    "quick": Profile("shapes", QUICK, searches=6, search_trials=3, added_trials=2, final_seeds=1, replica_seeds=6,
                     note=NOTES["quick"], leaves_out=("adamw",)),
    "small": Profile("cifar10", SMALL, searches=8, search_trials=4, added_trials=2, final_seeds=1, replica_seeds=6,
                     note=NOTES["small"], leaves_out=("adamw", "adagrad")),
    "full": Profile("cifar10", FULL, searches=8, search_trials=5, added_trials=2, final_seeds=1, replica_seeds=8,
                    note=NOTES["full"]),
}  # fmt: skip

SPACE = Space(
    name="optimizers",
    question="Does RMSprop beat SGD for MoCo pretraining?",
    general="Which optimizer trains MoCo best here?",
    scientific="optimizer",
    rows="R5, R9",
    reference="sgd",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=REPLICA,
    metrics=(PROBE, LOSS, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    own_arm=own_arm,
    threats=(
        *THREATS,
        "The report’s encoder began from pretrained weights, which it does not name. Whether ours did, the provenance says.",
    ),
    reported=(
        Reported(
            "R5",
            "ResNet-50 from pretrained weights, CIFAR-10, 20 epochs, lr 0.03, loss of SGD",
            "none printed",
            "sgd",
            "loss",
            "replica",
            "Encoder ({encoder}, width {width:g}), {epochs} epochs, a queue of {queue_size:,}",
        ),
        Reported(
            "R5",
            "the same, loss of RMSprop",
            "none printed, below SGD’s",
            "rmsprop",
            "loss",
            "replica",
            "Encoder ({encoder}, width {width:g}), {epochs} epochs, a queue of {queue_size:,}",
        ),
        Reported(
            "R9",
            "Unmodified MoCo on CIFAR-10, the baseline",
            "none printed",
            "sgd",
            "probe_accuracy",
            "final",
            "Encoder ({encoder}, width {width:g}), {epochs} epochs, a queue of {queue_size:,}, its own rate",
        ),
    ),
)
