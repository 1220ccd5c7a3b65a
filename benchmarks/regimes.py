"""How much pretraining gains over an untrained encoder, and what it costs: where the sizes of the
quick and small profiles come from.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.table import Table
from moco.config import Config
from moco.data import cache
from moco.trainer import trial
from search_spaces._sizes import FIXED, QUICK, SMALL

TITLE = "What pretraining gains over an untrained encoder, and its cost"
SEEDS = {"quick": (1, 2, 3), "small": (1,)}
OLD_QUICK: dict[str, Any] = {
    **QUICK,
    "encoder": "resnet18",
    "batch_size": 64,
    "queue_size": 128,
    "temperature": 0.2,
    "lr": 0.05,
    "schedule": "cosine",
    "epochs": 8,
}
OLD_SMALL: dict[str, Any] = {
    **SMALL,
    "encoder": "resnet18",
    "stem": "imagenet",
    "train_images": 10_000,
    "batch_size": 128,
    "batch_norm_splits": 4,
    "queue_size": 512,
    "lr": 0.1,
    "schedule": "cosine",
    "epochs": 12,
}
ALL_IMAGES: dict[str, Any] = {"train_images": 0, "epochs": 8, "lr": 0.1, "schedule": "cosine"}
# what differs from the profile's sizes
RECIPES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("quick until 0.1", "quick", "digits", OLD_QUICK),
    ("the same on shapes", "quick", "shapes", OLD_QUICK),
    ("quick", "quick", "shapes", {}),
    ("twice the epochs", "quick", "shapes", {"epochs": 8}),
    ("cosine schedule", "quick", "shapes", {"schedule": "cosine"}),
    ("batches of 64", "quick", "shapes", {"batch_size": 64}),
    ("ResNet-18", "quick", "shapes", {"encoder": "resnet18"}),
    ("twice the width", "quick", "shapes", {"width": 0.25}),
    ("strided stem, twice the width", "quick", "shapes", {"stem": "strided", "width": 0.25}),
    ("small until 0.1", "small", "cifar", OLD_SMALL),
    ("small", "small", "cifar", {}),
    ("24 epochs", "small", "cifar", {"epochs": 24}),
    ("all images", "small", "cifar", ALL_IMAGES),
    ("all images, two epochs", "small", "cifar", {**ALL_IMAGES, "epochs": 2}),
    ("all images, batches of 64, six epochs", "small", "cifar",
     {**ALL_IMAGES, "batch_size": 64, "batch_norm_splits": 2, "lr": 0.06, "epochs": 6}),
    ("all images, 16 px, small stem", "small", "cifar",
     {**ALL_IMAGES, "image_size": 16, "stem": "small"}),
    ("all images, twice the width, four epochs", "small", "cifar",
     {**ALL_IMAGES, "width": 0.5, "epochs": 4}),
)  # fmt: skip


class Run(NamedTuple):
    """One trial's accuracies in percent, and its seconds on one core."""

    probe: float
    knn: float
    seconds: float


def run() -> list[Table]:
    """One table; on CIFAR-10 where BENCH_CIFAR names it or a folder of its images."""
    places = {"digits": "digits", "shapes": "shapes", "cifar": os.environ.get("BENCH_CIFAR", "")}
    sizes = {"quick": QUICK, "small": SMALL}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, profile, dataset, own in RECIPES:
                if places[dataset]:
                    fields = {**FIXED, **sizes[profile], **own}
                    rows.append(
                        recipe_row(name, fields, places[dataset], SEEDS[profile], Path(folder))
                    )
                    print("  " + "   ".join(rows[-1]), flush=True)
    finally:
        torch.set_num_threads(threads)
    head = ["recipe", "data", "encoder", "epochs x images", "untrained", "pretrained", "gain",
            "kNN gain", "core-seconds"]  # fmt: skip
    note = (
        "Probe and kNN accuracy on the test split, means over the same seeds (quick three, small "
        "one); pretrained by SGD at the profile's learning rate unless the recipe has its own. "
        "Core-seconds: a whole trial, training and evaluation, on one thread."
    )
    return [Table(TITLE, head, rows, note)]


def recipe_row(
    name: str, fields: dict[str, Any], place: str, seeds: tuple[int, ...], folder: Path
) -> list[str]:
    """The untrained and the pretrained encoder of a recipe."""
    cached = cache.prepare(place, fields["image_size"], folder)
    fields = {**fields, "dataset": Path(place).name, "score_split": "test"}
    base = mean_run({**fields, "method": "frozen"}, seeds, cached)
    ours = mean_run(fields, seeds, cached)
    images = len(cache.load_dataset(cached).train.labels)
    images = min(fields.get("train_images") or images, images)
    return [
        name,
        f"{Path(place).name}, {fields['image_size']} px",
        f"{fields['encoder']}, {fields['stem']} stem, width {fields['width']:g}",
        f"{fields['epochs']} x {images:,}, batch {fields['batch_size']}",
        f"{base.probe:.1f}",
        f"{ours.probe:.1f}",
        f"{ours.probe - base.probe:+.1f}",
        f"{ours.knn - base.knn:+.1f}",
        f"{ours.seconds:.1f}",
    ]


def mean_run(fields: dict[str, Any], seeds: tuple[int, ...], cached: Path) -> Run:
    """The mean over the seeds."""
    runs = [run_trial({**fields, "seed": seed}, cached) for seed in seeds]
    return Run(*(sum(values) / len(runs) for values in zip(*runs, strict=True)))


def run_trial(fields: dict[str, Any], cached: Path) -> Run:
    """A whole trial."""
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        epochs = trial.run_config(Config.of(fields).to_dict(), Path(folder), cached)
        while True:
            try:
                next(epochs)
            except StopIteration as end:
                result = end.value
                break
    seconds = time.process_time() - begun
    return Run(100 * result["probe_accuracy"], 100 * result["knn_accuracy"], seconds)
