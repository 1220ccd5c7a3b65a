"""Does visual attention help MoCo?

The report put attention after Jetley et al. 2018 into a ResNet-50 and reached 66.9 % against 69.3 % without (R6), pretrained on CIFAR-10
against pretrained on ImageNet, which compares two things at once. Here all arms are pretrained alike on the same images: attention after
each stage, in combinations, with two scores, concatenated or with independent heads, and a control of the same size without attention.
The page shows where the encoder looks (R10), and where one looks that was trained on labels.
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
    LOSS,
    NOTES,
    PROBE,
    QUICK,
    SMALL,
    STAGES,
    UNTRAINED,
)
from study.design.ranges import LogRange
from study.design.space import Arm, Claim, Profile, Replica, Reported, Space

SEARCH, DEFAULT = {"lr": LogRange(1e-2, 0.5)}, {"lr": 0.03}


def arm(
    name: str, title: str, placement: str, *, in_report: bool = False, caveat: str = "", **more: Any
) -> Arm:
    """Where attention sits, and of which kind it is."""
    ledger = {"Stages": placement.replace("layer", "")}
    return Arm(
        name,
        title,
        {"attention": placement, **more},
        SEARCH,
        DEFAULT,
        in_report,
        ledger,
        caveat=caveat,
    )


# scientific: the attention                     stages
ARMS = (
    arm("none",         "None",                 "none",           in_report=True),
    arm("after1",       "After 1",              "layer1"),
    arm("after2",       "After 2",              "layer2"),
    arm("after3",       "After 3",              "layer3"),
    arm("after4",       "After 4",              "layer4"),
    arm("after23",      "After 2, 3",           "layer2+layer3",  in_report=True),
    arm("independent",  "Indep. heads",         "layer2+layer3",  attention_heads="independent"),
    arm("learned",      "Learned",              "layer2+layer3",  attention_score="parametrised",
        caveat="The learned score <u, l + g> does not depend on g: a softmax over positions cancels what all of them share."),
    arm("joined",       "Joined",               "layer2+layer3",  attention_output="join"),
    arm("control",      "Control",              "layer2+layer3",  attention_score="uniform"),
    Arm("on-labels",    "Labels",
        {"method": "supervised", "attention": "layer2+layer3", "lr": 0.1, "finetune_epochs": 0}, {}, {}, in_report=False,
        reads={"finetune_accuracy": "supervised_accuracy", "loss": ""},
        caveat="Labels: the same encoder trained on labels at a rate of 0.1, untuned. It is there for its maps and as a ceiling, and in no claim."),
)  # fmt: skip

CLAIMS = (
    Claim("attention", "after23", "none", "probe_accuracy", "final", "primary",
          "Attention after stages 2 and 3 raises MoCo’s probe accuracy"),
    Claim("finetuned", "after23", "none", "finetune_accuracy", "final", "secondary",
          "Attention after stages 2 and 3 raises the fine-tuned accuracy"),
    Claim("control", "after23", "control", "probe_accuracy", "final", "secondary",
          "Attention after stages 2 and 3 beats uniform weights with as many parameters: what attention itself adds"),
    Claim("after1", "after1", "none", "probe_accuracy", "final", "family", "Attention after stage 1 raises the probe accuracy"),
    Claim("after2", "after2", "none", "probe_accuracy", "final", "family", "Attention after stage 2 raises the probe accuracy"),
    Claim("after3", "after3", "none", "probe_accuracy", "final", "family", "Attention after stage 3 raises the probe accuracy"),
    Claim("after4", "after4", "none", "probe_accuracy", "final", "family", "Attention after stage 4 raises the probe accuracy"),
    Claim("joined", "joined", "none", "probe_accuracy", "final", "family", "Attention beside the global vector raises the probe accuracy"),
)  # fmt: skip

REPLICA = Replica(
    row="R6",
    quote="66.9 % top-1 with attention, 69.3 % without",
    values={"lr": 0.03, "momentum": 0.9, "weight_decay": 1e-4, "schedule": "constant"},
    shown="lr 0.03",
    unknown=(
        "Where the attention sits. Ours sits after each stage alone, after 2 and 3 together, and beside the global vector.",
        "Which score, and how the heads were joined. Both of each are run.",
        "The heights of Figure 3’s loss curve: the report prints no number for it.",
    ),
)


def shown(images: int) -> dict[str, dict[str, Any]]:
    """So many test images with the attention of three arms: of both scores, and of the encoder that learned labels."""
    return {name: {"pictures": images} for name in ("after23", "learned", "on-labels")}


PROFILES = {
    "quick": Profile("shapes", QUICK, searches=6, search_trials=3, added_trials=2, final_seeds=1, replica_seeds=2,
                     note=NOTES["quick"], final={"finetune_epochs": 2}, arms=shown(8),
                     leaves_out=("after1", "after4", "independent", "learned", "joined")),
    "small": Profile("cifar10", SMALL, searches=8, search_trials=4, added_trials=2, final_seeds=1,
                     replica_seeds=6, note=NOTES["small"], final={"finetune_epochs": 3}, arms=shown(10)),
    "full": Profile("cifar10", FULL, searches=8, search_trials=5, added_trials=2, final_seeds=1, replica_seeds=6,
                    note=NOTES["full"], final={"finetune_epochs": 20}, arms=shown(10)),
}  # fmt: skip

SPACE = Space(
    name="attention",
    question="Does visual attention help MoCo?",
    general="Where does visual attention help MoCo here?",
    scientific="placement",
    rows="R6, R10",
    reference="none",
    arms=ARMS,
    fixed={**FIXED, "attention_heads": "concatenated"},
    stages=STAGES,
    replica=REPLICA,
    metrics=(PROBE, LOSS, FINETUNED, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "Attention changes the number of features: of two stages twice as many, joined three times, and the projection head grows with its square. "
        "The control has as many of both.",
        "Only the learning rate is tuned for each arm.",
    ),
    reported=(
        Reported("R6", "CIFAR-10, ResNet-50 with attention, pretrained and fine-tuned on it", "66.9 %", "after23", "finetune_accuracy", "final",
                 "Where the attention sits; encoder ({encoder}, width {width:g}), {epochs} epochs"),
        Reported("R6", "CIFAR-10, FAIR’s ResNet-50 without attention, pretrained on ImageNet, probed", "69.3 %", "none", "probe_accuracy", "final",
                 "Ours is pretrained on the same images as the arms with attention: {encoder}, width {width:g}, {epochs} epochs"),
        Reported("R10", "Heat maps that show which parts of an image matter", "none shown", "after23", "", "final",
                 "Of one encoder each, with and without labels"),
    ),
)  # fmt: skip
