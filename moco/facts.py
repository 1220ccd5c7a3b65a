"""What a plan must know of a dataset and of a configuration before anything trains."""

import math
from pathlib import Path
from typing import Any

from moco import data, guard
from moco.config import Config
from moco.device import pick_device
from moco.encoder import Encoder
from moco.optimizers import build_optimizer
from moco.views import recipe


def prepare(name: str, wish: dict[str, Any], data_dir: Path) -> Path:
    """The cache of the dataset at the image size that the fields ask for; decoded now if need be."""
    return data.prepare(name, Config.of({**wish, "dataset": name}).image_size, data_dir)


def complete(values: dict[str, Any], dataset: str) -> dict[str, Any]:
    """All fields of a trial, checked as far as they can be without training.

    Raises:
        ValueError: a field is unknown or wrong.
    """
    config = Config.of({**values, "dataset": dataset})
    encoder = Encoder(config, 3, 1)
    build_optimizer(config, list(encoder.head.parameters()))
    recipe(config.views, "digits")
    return config.to_dict()


def check_place(values: dict[str, Any], workers: int) -> None:
    """That a trial can run on this machine's devices, divided over so many workers.

    Raises:
        ValueError: no such device, or batch and batch-norm groups do not divide: each worker normalises whole groups of its own.
    """
    config = Config.of(values)
    pick_device(config.device)
    for name in ("batch_size", "batch_norm_splits") if workers > 1 else ():
        if getattr(config, name) % workers:
            raise ValueError(f"{name} must be a multiple of the workers; got {getattr(config, name)} for {workers}")


def facts_of(cached: Path, wish: dict[str, Any]) -> dict[str, Any]:
    """The dataset in numbers and in words, for the plan and its page.

    Raises:
        ValueError: the validation split cannot be carved, or the training split does not fill a batch.
    """
    dataset = data.load(cached)
    config = Config.of({**wish, "dataset": dataset.name})
    splits = data.carve(dataset, config)
    train, test = (split.images.numpy() for split in (dataset.train, dataset.test))
    channels, size = train.shape[1], train.shape[2]
    weights = sum(parameter.numel() for parameter in Encoder(config, channels, 1).parameters())
    if config.batch_size > len(splits.train.labels):
        told = f"got {config.batch_size} for {len(splits.train.labels)} images"
        raise ValueError(f"batch_size must not exceed the training split; {told}. Try --set batch_size=16 --set queue_size=32, or add images")
    counts = {name: len(split.labels) for name, split in splits._asdict().items()}
    used = "" if not config.train_images else f" of {len(dataset.train.labels):,}"
    return {
        "name": dataset.name,
        "title": dataset.title,
        "bundled": dataset.bundled,
        "fingerprint": dataset.fingerprint,
        "classes": list(dataset.classes),
        "counts": counts,
        "views": config.views if config.views != "auto" else dataset.views,
        "chance": {"loss": math.log(1 + config.queue_size), "probe_accuracy": 1 / len(dataset.classes), "knn_accuracy": 1 / len(dataset.classes)},
        "duplicates": guard.duplicates(train, test),
        "warnings": guard.warnings(train, test, config.queue_size, counts["train"]),
        "about": [
            ["Data", f"{dataset.title}, {size} px", f"{counts['train']:,}{used} train, {counts['test']:,} test"],
            ["Encoder", f"{config.encoder}, width {config.width:g}", f"{weights:,} weights, {config.stem} stem"],
        ],
    }
