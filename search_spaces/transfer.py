"""Is MoCo pretraining on a small dataset worth it: against no training, against labels, and against weights from ImageNet?

The report compares FAIR's encoder, 69.3 %, with one pretrained on labels, 78 %, on CIFAR-10 (R3, R4), announces STL-10 (R7) and drops
SVHN (R8). Here every encoder is probed and fine-tuned alike, on CIFAR-10, `--dataset stl10`, `--dataset svhn` or images of your own.
"""

from typing import Any

from moco.trainer.trainer import MOCO
from search_spaces._sizes import (
    COLLAPSE,
    FINETUNED,
    FIXED,
    FULL,
    KNN,
    NOTES,
    PIXELS,
    PROBE,
    QUICK,
    SMALL,
    STAGES,
)
from study.design.space import Arm, Claim, Profile, Replica, Reported, Space

RESNET50: dict[str, Any] = {
    "method": "frozen",
    "encoder": "resnet50",
    "width": 1.0,
    "stem": "imagenet",
    "normalisation": "imagenet",
}


def arm(name: str, title: str, values: dict[str, Any], group: str = "", **more: Any) -> Arm:
    """Where an encoder's weights come from."""
    return Arm(name, title, values, {}, {}, in_report=False, group=group, **more)


BORROWED = (
    "Torchvision’s and FAIR’s encoders are one each, so that over the seeds only probe and fine-tuning differ. They are larger, saw ImageNet and "
    "see enlarged images: they say what weights are worth, not what a method is."
)

# scientific: where the weights come from
ARMS = (
    arm("random",      "Random",        {"method": "frozen"}),
    arm("moco",        "MoCo here",     {"method": "moco"}),
    arm("unlabelled",  "MoCo, unlab.",  {"method": "moco", "pretrain_split": "train+unlabelled"},
        caveat="MoCo with unlabelled images takes as many epochs over more images, so more steps: what brings what is not told apart."),
    arm("on-labels",   "Labels here",   {"method": "supervised", "finetune_epochs": 0},
        reads={"finetune_accuracy": "supervised_accuracy"},
        caveat="“Labels here” is trained on the labels from random weights; its fine-tuned accuracy is that of this training itself."),
    arm("given",       "Given",         {"method": "frozen", "weights": "given"},
        caveat="The given encoder is one encoder: over the seeds only probe and fine-tuning differ; its own luck is in no interval, and what it was "
        "trained on, and for how long, is counted nowhere."),
    arm("torchvision", "Torchvision",   {**RESNET50, "weights": "torchvision"},   "borrowed", caveat=BORROWED),
    arm("fair-v1",     "FAIR v1",       {**RESNET50, "weights": "fair-moco-v1"},  "borrowed", caveat=BORROWED),
    arm("fair-v2",     "FAIR v2",       {**RESNET50, "weights": "fair-moco-v2"},  "borrowed", caveat=BORROWED),
)  # fmt: skip

CLAIMS = (
    Claim("moco", "moco", "random", "probe_accuracy", "final", "primary",
          "MoCo pretraining here reaches a higher probe accuracy than random weights"),
    Claim("finetuned", "moco", "random", "finetune_accuracy", "final", "secondary",
          "Fine-tuned, MoCo pretraining here reaches a higher accuracy than random weights"),
    Claim("r4", "torchvision", "fair-v1", "probe_accuracy", "final", "secondary",
          "Weights from ImageNet’s labels reach a higher probe accuracy than FAIR’s MoCo v1"),
    Claim("r4-finetuned", "torchvision", "fair-v1", "finetune_accuracy", "final", "secondary",
          "Fine-tuned, weights from ImageNet’s labels reach a higher accuracy than FAIR’s MoCo v1"),
    Claim("on-labels", "on-labels", "moco", "probe_accuracy", "final", "family", "Labels here reach a higher probe accuracy than MoCo here"),
    Claim("unlabelled", "unlabelled", "moco", "probe_accuracy", "final", "family", "Unlabelled images besides raise the probe accuracy of MoCo here"),
    Claim("given", "given", "moco", "probe_accuracy", "final", "family", "Those given with --weights reach a higher probe accuracy than MoCo here"),
    Claim("borrowed", "fair-v1", "moco", "probe_accuracy", "final", "family", "FAIR’s MoCo v1 reaches a higher probe accuracy than MoCo here"),
)  # fmt: skip

PROFILES = {
    "quick": Profile("shapes", {**QUICK, "epochs": 20, "knn_every": 20}, final_seeds=10,
                     note=NOTES["quick"], final={"finetune_epochs": 3}, arms={"borrowed": {"input_size": 64}}),
    "small": Profile("cifar10", SMALL, final_seeds=8,
                     note=NOTES["small"], final={"finetune_epochs": 3}, arms={"borrowed": {"input_size": 64}}),
    "full": Profile("cifar10", FULL, final_seeds=8,
                    note=NOTES["full"], final={"finetune_epochs": 20}, arms={"borrowed": {"input_size": 224}}),
}  # fmt: skip

R3, R4 = (
    "CIFAR-10, probe of FAIR’s MoCo ResNet-50, 10 epochs",
    "CIFAR-10, transfer of a supervised ResNet-50",
)
OPEN = (
    "Images seen at {input_size} px. Frozen or fine-tuned is not stated, nor the size of the images"
)
OURS = "Encoder: {encoder}, width {width:g}, pretrained here for {epochs} epochs"

SPACE = Space(
    name="transfer",
    question="Is MoCo pretraining on a small dataset worth it?",
    general="Which start is best here?",
    scientific="source of the weights",
    rows="R3, R4, R7, R8",
    reference="random",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=Replica(
        row="", quote="", values={}, shown="",
        unknown=("All numbers on STL-10 and SVHN: give --dataset stl10 or --dataset svhn for ours.",
                 "Whether the supervised transfer was fine-tuned: both are measured."),
    ),
    metrics=(PROBE, FINETUNED, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=(PIXELS,),
    threats=(
        "The rates of pretraining ({lr:g}) and of fine-tuning are not tuned; the probe’s is chosen for each run on its validation split.",
        "Images are {image_size} px here, whatever their files have: STL-10’s 96 px are made smaller unless --set image_size=96 says otherwise.",
    ),
    reported=(
        Reported("R3", R3, "69.3 %", "fair-v1", "probe_accuracy", "final", "Images seen at {input_size} px, {probe_epochs} epochs, its own rate"),
        Reported("R3", R3, "69.3 %", "moco", "probe_accuracy", "final", OURS),
        Reported("R4", R4, "78 %", "torchvision", "probe_accuracy", "final", OPEN),
        Reported("R4", R4, "78 %", "torchvision", "finetune_accuracy", "final", OPEN),
        Reported("R7", "STL-10, the best settings", "none printed", "moco", "probe_accuracy", "final", OURS, dataset="stl10"),
        Reported("R8", "SVHN", "none printed", "moco", "probe_accuracy", "final", OURS, dataset="svhn"),
    ),
)  # fmt: skip
