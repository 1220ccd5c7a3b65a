"""A full probe sweep on CIFAR-10's numbers against one epoch of pretraining of the same encoder."""

import torch

from benchmarks.ours import pretraining
from benchmarks.rounds import ROUNDS, timed_in_turn
from benchmarks.step import BATCH
from benchmarks.table import Table
from moco.probe import Features, learning_rates, linear_probe
from moco.training import Training

EPOCHS, PART = 100, 4  # of the sweep; of it measured in a round, a sweep's cost being the same in each
TRAIN, VALIDATION, TEST = 45_000, 5_000, 10_000


def run() -> list[Table]:
    """One table of a wide and a narrow encoder."""
    batch = BATCH["cuda" if torch.cuda.is_available() else "cpu"]
    stem = "small" if torch.cuda.is_available() else "imagenet"
    rows = []
    for width in (1.0, 0.25):
        training = pretraining({"images": 8 * batch, "size": 32, "batch_size": batch, "queue_size": 4096, "stem": stem, "width": width})
        sweep, epoch = sweep_and_epoch(training)
        rows.append([f"ResNet-18, {stem} stem, width {width:g}", f"{sweep:.1f}", f"{epoch:.1f}", f"{sweep / epoch:.2f}"])
    note = (
        f"{EPOCHS} epochs of the probe at batch 256, {len(learning_rates(3e-4, 100.0))} learning rates at once, {TRAIN:,} images; an epoch of 50,000."
    )
    return [Table("Probe sweep against one epoch of pretraining", ["encoder", "sweep, s", "epoch, s", "relative"], rows, note)]


def sweep_and_epoch(training: Training) -> tuple[float, float]:
    """Seconds of both, from parts of them in turn."""
    device, size = training.device, training.encoder.backbone.feature_size
    draws = torch.Generator().manual_seed(0)
    train, validation, test = (
        Features(torch.randn(n, size, generator=draws).abs().to(device), torch.arange(n) % 10) for n in (TRAIN, VALIDATION, TEST)
    )
    seconds = timed_in_turn(
        {
            "sweep": lambda: linear_probe(train, validation, test, learning_rates(3e-4, 100.0), PART, 256, torch.Generator().manual_seed(0)),
            "epoch": training.train_epoch,
        },
        ROUNDS,
    )
    images = training.steps_an_epoch * training.config.batch_size
    return seconds["sweep"].median * EPOCHS / PART, seconds["epoch"].median * 50_000 / images
