"""Which mean and deviation should images be normalised with, and how large should they be, for a pretrained encoder?

The report found 78 % with ImageNet's statistics and 70 % with CIFAR-10's on a ResNet-50 that was pretrained on ImageNet (R1), and 32 px
far below 224 px (R2). Whether the encoder was frozen or fine-tuned it does not say: here both are measured, by the same runs.
"""

from typing import Any

from moco.trainer.trainer import MOCO
from search_spaces._sizes import (
    COLLAPSE,
    CONTROLS,
    FINETUNED,
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
from study.design.space import Arm, Claim, Profile, Replica, Reported, Space

RESNET50: dict[str, Any] = {
    "method": "frozen",
    "encoder": "resnet50",
    "width": 1.0,
    "stem": "imagenet",
}
SOURCES: dict[str, dict[str, Any]] = {
    "Torchvision": {**RESNET50, "weights": "torchvision"},
    "FAIR": {**RESNET50, "weights": "fair-moco-v1"},
    "Here": {"method": "moco"},
}


BORROWED = "An encoder from a file is one encoder: over the seeds only probe and fine-tuning differ; its own luck is in no interval."


def arm(source: str, statistics: str, title: str, size: str, pixels: int = 0) -> Arm:
    """Weights, statistics and the size at which the encoder sees the images."""
    values = {
        **SOURCES[source],
        "normalisation": statistics,
        **({"input_size": pixels} if pixels else {}),
    }
    caveat = "" if source == "Here" else BORROWED
    return Arm(
        f"{source.lower()}-{statistics}-{size}",
        f"{source} {title}",
        values,
        {},
        {},
        in_report=False,
        group=size,
        caveat=caveat,
    )


# scientific: statistics and size, for each source of the weights
ARMS = (
    arm("Here",        "dataset",         "own",            "native"),
    arm("Here",        "imagenet",        "ImageNet",       "native"),
    arm("Here",        "cifar10",         "CIFAR",          "native"),
    arm("Here",        "cifar10_images",  "CIFAR im.",      "native"),
    arm("Here",        "imagenet",        "twice",          "twice"),
    arm("Torchvision", "imagenet",        "ImageNet",       "large"),
    arm("Torchvision", "cifar10",         "CIFAR",          "large"),
    arm("Torchvision", "cifar10_images",  "CIFAR im.",      "large"),
    arm("Torchvision", "dataset",         "own",            "large"),
    arm("Torchvision", "imagenet",        "64 px",          "64", 64),
    arm("Torchvision", "imagenet",        "32 px",          "32", 32),
    arm("FAIR",        "imagenet",        "ImageNet",       "large"),
    arm("FAIR",        "cifar10",         "CIFAR",          "large"),
    arm("FAIR",        "dataset",         "own",            "large"),
    arm("FAIR",        "imagenet",        "64 px",          "64", 64),
    arm("FAIR",        "imagenet",        "32 px",          "32", 32),
)  # fmt: skip

TV, FAIR = "torchvision-imagenet-large", "fair-imagenet-large"

CLAIMS = (
    Claim("here", "here-imagenet-native", "here-cifar10-native", "probe_accuracy", "final", "primary",
          "With an encoder pretrained here, ImageNet’s statistics reach a higher probe accuracy than CIFAR-10’s"),
    Claim("finetuned", "here-imagenet-native", "here-cifar10-native", "finetune_accuracy", "final", "secondary",
          "Fine-tuned, the same encoder reaches a higher accuracy with ImageNet’s statistics than with CIFAR-10’s"),
    Claim("r1", TV, "torchvision-cifar10-large", "probe_accuracy", "final", "secondary",
          "With torchvision’s weights, frozen, ImageNet’s statistics reach a higher accuracy than CIFAR-10’s"),
    Claim("r1-finetuned", TV, "torchvision-cifar10-large", "finetune_accuracy", "final", "secondary",
          "With torchvision’s weights, fine-tuned, ImageNet’s statistics reach a higher accuracy than CIFAR-10’s"),
    Claim("own", "here-dataset-native", "here-imagenet-native", "probe_accuracy", "final", "family",
          "The dataset’s own statistics reach a higher probe accuracy than ImageNet’s"),
    Claim("twice", "here-imagenet-twice", "here-imagenet-native", "probe_accuracy", "final", "family",
          "Images shown at twice their size reach a higher probe accuracy"),
    Claim("deviation", "here-cifar10_images-native", "here-cifar10-native", "probe_accuracy", "final", "family",
          "The mean of the images’ deviations in place of the dataset’s raises the probe accuracy"),
    Claim("r2", TV, "torchvision-imagenet-32", "probe_accuracy", "final", "family",
          "With torchvision’s weights large images reach a higher probe accuracy than 32 px"),
)  # fmt: skip

PROFILES = {
    "quick": Profile("shapes", {**QUICK, "epochs": 12, "knn_every": 12}, final_seeds=8,
                     note=NOTES["quick"], final={"finetune_epochs": 2}, arms={"twice": {"input_size": 32}, "large": {"input_size": 96}}),
    "small": Profile("cifar10", SMALL, final_seeds=8,
                     note=NOTES["small"], final={"finetune_epochs": 3}, arms={"twice": {"input_size": 64}, "large": {"input_size": 128}}),
    "full": Profile("cifar10", FULL, final_seeds=8,
                    note=NOTES["full"], final={"finetune_epochs": 10}, arms={"twice": {"input_size": 64}, "large": {"input_size": 224}}),
}  # fmt: skip

SETUP = "CIFAR-10, supervised transfer of an ImageNet ResNet-50, {what}"
DIFFERS = "Images seen at {input_size} px. Frozen or fine-tuned is not stated, nor the rate"

SPACE = Space(
    name="normalisation",
    question="Do ImageNet’s statistics serve a pretrained encoder better than CIFAR-10’s?",
    general="Which statistics serve best here?",
    scientific="normalisation",
    rows="R1, R2",
    reference="here-imagenet-native",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=Replica(
        row="", quote="", values={}, shown="",
        unknown=("Whether the encoder was frozen or fine-tuned in R1: both are measured.", "Which of two deviations CIFAR-10’s was: both are run.",
                 "The accuracies at 32 px and at 224 px: the report prints neither."),
    ),
    metrics=(PROBE, FINETUNED, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "An encoder that is pretrained here sees the same statistics in pretraining and in evaluation; a borrowed one would know ImageNet’s alone.",
        "The rates of pretraining ({lr:g}) and of fine-tuning are the same for all arms; the probe’s is chosen for each run on its validation split.",
        "Large images are the small ones, enlarged: they hold nothing new. Their size is the profile’s.",
    ),
    reported=(
        Reported("R1", SETUP.format(what="ImageNet’s statistics"), "78 %", TV, "probe_accuracy", "final", DIFFERS),
        Reported("R1", SETUP.format(what="ImageNet’s statistics"), "78 %", TV, "finetune_accuracy", "final", DIFFERS),
        Reported("R1", SETUP.format(what="ImageNet’s statistics"), "78 %", "here-imagenet-native", "probe_accuracy", "final",
                 "An encoder ({encoder}, width {width:g}) that is pretrained here by MoCo"),
        Reported("R1", SETUP.format(what="CIFAR-10’s statistics"), "70 %", "torchvision-cifar10-large", "probe_accuracy", "final", DIFFERS),
        Reported("R1", SETUP.format(what="CIFAR-10’s statistics"), "70 %", "here-cifar10-native", "probe_accuracy", "final",
                 "An encoder ({encoder}, width {width:g}) that is pretrained here by MoCo"),
        Reported("R2", SETUP.format(what="32 px against 224 px"), "“significantly lower”", "torchvision-imagenet-32", "probe_accuracy", "final",
                 DIFFERS),
    ),
)  # fmt: skip
