"""A full probe sweep on CIFAR-10's numbers against one epoch of pretraining of the same encoder."""

import torch

from benchmarks.ours import made_up, pretraining
from benchmarks.rounds import ROUNDS, timed_in_turn
from benchmarks.step import BATCH
from benchmarks.table import Table
from moco.config import Config
from moco.evaluation.linear_probe import LabelledFeatures, fit_sgd_probe, learning_rate_grid
from moco.model.features import BATCH_SIZE as BATCH_OF_FEATURES
from moco.model.features import extract_features
from moco.training.loop import Training

EPOCHS, PART = (
    100,
    4,
)  # of the sweep; of it measured in a round, a sweep's cost being the same in each
RATES = learning_rate_grid(Config().probe_lr_low, Config().probe_lr_high)
TRAIN, VALIDATION, TEST = 45_000, 5_000, 10_000


def run() -> list[Table]:
    """One table of a wide and a narrow encoder."""
    batch = BATCH["cuda" if torch.cuda.is_available() else "cpu"]
    stem = "small" if torch.cuda.is_available() else "imagenet"
    rows = []
    for width in (1.0, 0.25):
        training = pretraining(
            {
                "images": 8 * batch,
                "size": 32,
                "batch_size": batch,
                "queue_size": 4096,
                "stem": stem,
                "width": width,
            }
        )
        features, sweep, epoch = costs(training)
        seconds = [f"{cost:.1f}" for cost in (features, sweep, epoch)]
        rows.append(
            [
                f"ResNet-18, {stem} stem, width {width:g}",
                *seconds,
                f"{(features + sweep) / epoch:.2f}",
            ]
        )
    rates = len(RATES)
    note = (
        f"{EPOCHS} epochs of the probe at batch 256, {rates} learning rates at once, {TRAIN:,} "
        "images; an epoch of 50,000."
    )
    return [
        Table(
            "Probe sweep against one epoch of pretraining",
            ["encoder", "features, s", "sweep, s", "epoch, s", "both / epoch"],
            rows,
            note,
        )
    ]


def costs(training: Training) -> tuple[float, float, float]:
    """Seconds to encode all images, of the sweep, and of an epoch, from parts of them in turn."""
    device, size = training.device, training.encoder.feature_size
    few = made_up(4 * BATCH_OF_FEATURES, 32)
    draws = torch.Generator().manual_seed(0)
    train, validation, test = (
        LabelledFeatures(
            torch.randn(n, size, generator=draws).abs().to(device), torch.arange(n) % 10
        )
        for n in (TRAIN, VALIDATION, TEST)
    )
    seconds = timed_in_turn(
        {
            "sweep": lambda: fit_sgd_probe(
                train,
                validation,
                test,
                RATES,
                epochs=PART,
                batch_size=256,
                generator=torch.Generator().manual_seed(0),
            ),
            "epoch": training.train_epoch,
            "features": lambda: extract_features(training.encoder, few.train, few, training.config),
        },
        ROUNDS,
    )
    features = seconds["features"].median * (TRAIN + VALIDATION + TEST) / len(few.train.labels)
    images = training.steps_per_epoch * training.config.batch_size
    return (
        features,
        seconds["sweep"].median * EPOCHS / PART,
        seconds["epoch"].median * 50_000 / images,
    )
