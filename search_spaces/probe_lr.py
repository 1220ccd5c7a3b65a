"""Is a probe learning rate of 10 better than 30, or is that the scale of the features?

The report probed FAIR's encoder on CIFAR-10 for 10 epochs at batch 64 with 10 and with 30, and preferred 10 (R3, Figure 1). Here
rates over four decades are tried on the same frozen features, as they are and standardised, for as few epochs and for many. If the best
rate follows the features' scale, standardising moves it, and neither 10 nor 30 is a property of MoCo.
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
from study.design.space import Arm, Claim, Profile, Replica, Reported, ResultCurve, Space

RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
FAIR = {
    "method": "frozen",
    "weights": "fair-moco-v1",
    "encoder": "resnet50",
    "width": 1.0,
    "stem": "imagenet",
    "normalisation": "imagenet",
}


BORROWED = "FAIR’s encoder is one encoder: over the seeds only its probe differs."


def chosen(name: str, title: str, own: dict[str, object], group: str) -> Arm:
    """An encoder and a form of its features; its probe has the best of all rates, by the validation split."""
    values = {
        "probe_rates": "raw",
        "probe_lr_low": RATES[0],
        "probe_lr_high": RATES[-1],
        "probe_each": "on",
        **own,
    }
    return Arm(
        name,
        title,
        values,
        {},
        {},
        in_report=False,
        group=group,
        caveat=BORROWED if "weights" in own else "",
    )


def fixed(of: str, title: str, rate: float, group: str, *, in_report: bool = False) -> Arm:
    """The same features at one rate: read off the same runs, since a probe trains all its rates at once."""
    key = f"{rate:g}"
    name = f"{of}-{key.replace('.', '-')}"
    reads = {"probe_accuracy": f"probe_accuracy_lr_{key}"}
    curve = ResultCurve("probe_accuracy", ("probe_curves", key))
    return Arm(
        name,
        f"{title}{key}",
        {},
        {},
        {},
        in_report,
        group=group,
        at=rate,
        of=of,
        reads=reads,
        curve=curve,
    )


# scientific: the probe's learning rate
ARMS = (
    chosen("raw",        "Best of 9",         {},                                          "as they are"),
    chosen("std",        "Best, std.",        {"probe_features": "standardised"},          "standardised"),
    chosen("fair",       "FAIR, best",        FAIR,                                        "FAIR’s encoder"),
    chosen("fair-std",   "FAIR, best, std.",  {**FAIR, "probe_features": "standardised"},  "FAIR’s, standardised"),
    *(fixed("raw",       "lr ",               rate, "as they are",      in_report=rate in (10, 30)) for rate in RATES),
    *(fixed("std",       "std. ",             rate, "standardised")     for rate in RATES),
    *(fixed("fair",      "FAIR ",             rate, "FAIR’s encoder",   in_report=rate in (10, 30)) for rate in (1.0, 10.0, 30.0)),
    *(fixed("fair-std",  "FAIR std. ",        rate, "FAIR’s, standardised") for rate in (0.03, 0.3, 10.0, 30.0)),
)  # fmt: skip

CLAIMS = (
    Claim("ten", "raw-10", "raw-30", "probe_accuracy", "final", "primary",
          "On features as they are, a rate of 10 reaches a higher probe accuracy than 30 after all epochs"),
    Claim("published", "fair-10", "fair-30", "probe_accuracy", "replica", "published",
          "“lr 10 better than 30 after 10 epochs”, asked as the report asked: FAIR’s encoder, one run each", seeds=1),
    Claim("replica", "fair-10", "fair-30", "probe_accuracy", "replica", "replica",
          "On FAIR’s encoder, after 10 epochs at batch 64, a rate of 10 reaches a higher probe accuracy than 30"),
    Claim("ours", "raw-10", "raw-30", "probe_accuracy", "replica", "secondary",
          "On the encoder pretrained here, after 10 epochs at batch 64, a rate of 10 reaches a higher probe accuracy than 30"),
    Claim("moved", "std-0-1", "std-10", "probe_accuracy", "final", "family",
          "On standardised features a rate of 0.1 reaches a higher probe accuracy than 10"),
    Claim("scaled", "raw-10", "raw-0-1", "probe_accuracy", "final", "family",
          "On features as they are it is the other way round: 10 beats 0.1"),
    Claim("standardised", "std", "raw", "probe_accuracy", "final", "family",
          "With the best rate for each, standardised features reach a higher probe accuracy than features as they are"),
)  # fmt: skip

REPLICA = Replica(
    row="R3",
    quote="a learning rate of 10 performs better than 30",
    values={"probe_epochs": 10, "probe_batch_size": 64, "probe_schedule": "constant"},
    shown="10 epochs at batch 64",
    unknown=(
        "Which of FAIR’s checkpoints. Ours is MoCo v1, the paper’s.",
        "Whether the rate fell within the 10 epochs: the paper’s schedule falls at 60 and 80 of 100. Here it is constant in those 10, and falls at "
        "60 % and 80 % of the longer run.",
    ),
    unstated="which checkpoint and which schedule within 10 epochs are not stated",
    drawn="probe_accuracy",
)

SWEEP = {"probe_epochs": 100, "probe_batch_size": 256}

PROFILES = {
    "quick": Profile("shapes", {**QUICK, "epochs": 8, "knn_every": 8, **SWEEP}, final_seeds=10,
                     replica_seeds=8, note=NOTES["quick"],
                     arms={"FAIR’s encoder": {"input_size": 64}, "FAIR’s, standardised": {"input_size": 64}}),
    "small": Profile("cifar10", {**SMALL, **SWEEP}, final_seeds=8,
                     replica_seeds=6, note=NOTES["small"],
                     arms={"FAIR’s encoder": {"input_size": 64}, "FAIR’s, standardised": {"input_size": 64}}),
    "full": Profile("cifar10", {**FULL, **SWEEP}, final_seeds=8,
                    replica_seeds=6, note=NOTES["full"],
                    arms={"FAIR’s encoder": {"input_size": 224}, "FAIR’s, standardised": {"input_size": 224}}),
}  # fmt: skip

FAIR_DIFFERS = "Which checkpoint, schedule and size of the images is not stated; the report’s probe saw random crops and flips"
SETUP = "CIFAR-10, FAIR’s MoCo ResNet-50, 10 epochs, batch 64, {lr}"

SPACE = Space(
    name="probe_lr",
    question="Is a probe learning rate of 10 better than 30, or is that the scale of the features?",
    scientific="probe rate",
    rows="R3",
    reference="raw-30",
    arms=ARMS,
    fixed=FIXED,
    stages=STAGES,
    replica=REPLICA,
    metrics=(PROBE, KNN),
    collapse=COLLAPSE,
    claims=CLAIMS,
    profiles=PROFILES,
    trainer=MOCO,
    controls=CONTROLS,
    floor=UNTRAINED.name,
    threats=(
        "All rates of a seed and form of the features are read off one frozen encoder. The standardised form has an encoder of its own, pretrained "
        "from the same seed: the same weights on a CPU, nearly the same on a GPU.",
        "The probe sees each image once, as it is; FAIR’s sees random crops and flips, so that its features change from epoch to epoch.",
        "The probe’s weights begin at 0 and have no decay; FAIR’s begin at random, normal with deviation 0.01.",
        "The encoder is pretrained by SGD at {lr:g}, untuned; how well it was trained moves all rates together.",
    ),
    reported=(
        Reported("R3", SETUP.format(lr="lr 10"), "69.3 %", "fair-10", "probe_accuracy", "replica", FAIR_DIFFERS),
        Reported("R3", SETUP.format(lr="lr 10"), "69.3 %", "raw-10", "probe_accuracy", "replica",
                 "Encoder: {encoder}, width {width:g}, pretrained here for {epochs} epochs"),
        Reported("R3", SETUP.format(lr="lr 30"), "below 69.3 %, read off Figure 1", "fair-30", "probe_accuracy", "replica",
                 FAIR_DIFFERS),
        Reported("R3", SETUP.format(lr="lr 30"), "below 69.3 %, read off Figure 1", "raw-30", "probe_accuracy", "replica",
                 "Encoder: {encoder}, width {width:g}, pretrained here for {epochs} epochs"),
    ),
    axis="probe learning rate",
)  # fmt: skip
