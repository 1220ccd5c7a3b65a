"""What a plan must know of a dataset and of a configuration before anything trains."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import torch

from moco.config import Config
from moco.data import cache, checks
from moco.data.augmentation import recipe
from moco.data.dataset import Dataset, statistics
from moco.data.datasets import DATASETS
from moco.data.preprocessing import seen_size
from moco.data.splits import Splits, carve
from moco.device import pick_device, pick_precision
from moco.model.encoder import Encoder
from moco.trainer.availability import Survey, same_as_plain, splits_wanted, survey
from moco.training import diagnostics
from moco.training.optimizers import build_optimizer


def prepare(
    name: str,
    wish: dict[str, Any],
    data_dir: Path,
    variants: dict[str, dict[str, Any]] | None = None,
) -> Path:
    """The cache of the dataset at the image size that the fields ask for, decoded now if need be; with its further split if a variant asks for it."""
    config = Config.of({**wish, "dataset": name})
    further = DATASETS[name].extra if name in DATASETS else ""
    return cache.prepare(
        name, config.image_size, data_dir, splits_wanted(wish, variants or {}, further)
    )


class Ready(NamedTuple):
    """What a study of these fields has here."""

    cached: Path  # the dataset
    data: dict[str, Any]  # as `facts_of` says it
    survey: Survey  # of the variants


def ready(
    name: str,
    wish: dict[str, Any],
    variants: dict[str, dict[str, Any]],
    data_dir: Path,
    workers: int,
    *,
    here: bool,
    download: Collection[str],
    given: str = "",
) -> Ready:
    """Prepares the dataset and looks for what each variant of a trial needs.

    Args:
        here: trials run on this machine, which must then have their device.
        download: names of published weights that may be downloaded now.
        given: the file of weights that the command names.

    Raises:
        ValueError: a field or the data is wrong, or no variant can be run.
    """
    cached = prepare(name, wish, data_dir, variants)
    data = facts_of(cached, wish)
    check_place(wish, workers, here)
    found = survey(wish, variants, cached, data_dir, download=download, given=given)
    for variant, own in variants.items():
        reason = found.absent.get(variant, "")
        if (
            wish.get("weights")
            and "weights" not in own
            and reason.startswith(("weights", "published weights"))
        ):
            raise ValueError(reason.removeprefix("weights absent: "))
        if again := same_as_plain(Config.of({**wish, **own, "dataset": data["name"]}), workers):
            found.absent.setdefault(variant, again)
    if len(found.absent) == len(variants):
        raise ValueError(next(iter(found.absent.values())))
    return Ready(cached, data, found)


def complete(values: dict[str, Any], dataset: str) -> dict[str, Any]:
    """All fields of a trial, checked as far as they can be without training.

    Raises:
        ValueError: a field is unknown or wrong.
    """
    config = Config.of({**values, "dataset": dataset})
    with torch.device("meta"):
        encoder = Encoder(config, 3)
    build_optimizer(config, encoder.head)
    recipe(config, "digits")
    return config.to_dict()


def check_place(values: dict[str, Any], workers: int, here: bool = True) -> None:
    """That a trial can be divided over so many workers, and where it is to run `here` that this machine has its device.

    Raises:
        ValueError: no such device, or batch and batch-norm groups do not divide: each worker normalises whole groups of its own.
    """
    config = Config.of(values)
    if here:
        pick_device(config.device)
    groups = config.splits if config.splits > 1 else workers
    for name, value in (("batch_size", config.batch_size), ("batch_norm_splits", groups)):
        if value % workers:
            raise ValueError(f"{name} must be a multiple of the workers; got {value} for {workers}")
    if config.batch_size < 2 * workers:
        raise ValueError(
            f"batch_size must be at least 2 images a worker; got {config.batch_size} for {workers}"
        )


def facts_of(cached: Path, wish: dict[str, Any]) -> dict[str, Any]:
    """The dataset in numbers and in words, for the plan and its page.

    Raises:
        ValueError: the validation split cannot be carved, or the training split does not fill a batch.
    """
    dataset = cache.load(cached)
    config = Config.of({**wish, "dataset": dataset.name})
    splits = carve(dataset, config)
    encoder = Encoder(config, splits.train.images.shape[1])
    pick_precision(config, pick_device(config.device), seen_size(config, splits.train.images))
    statistics(dataset, config)
    least = (
        len(splits.pretrain)
        if config.method == "moco" and not config.finetune_epochs
        else len(splits.train.labels)
    )
    if config.batch_size > least and (config.method != "frozen" or config.finetune_epochs):
        told = f"got {config.batch_size} for {least} images"
        raise ValueError(
            f"batch_size must not exceed the training split; {told}. Try batch_size=16 with queue_size=32, or add images"
        )
    return {
        "name": dataset.name,
        "title": dataset.title,
        "bundled": dataset.bundled,
        "fingerprint": dataset.fingerprint,
        "classes": list(dataset.classes),
        "counts": {
            name: len(split.labels)
            for name, split in zip(("train", "validation", "test"), splits[:3], strict=True)
        },
        "views": config.views if config.views != "auto" else dataset.views,
        "chance": {
            "loss": math.log(1 + config.queue_size),
            "probe_accuracy": 1 / len(dataset.classes),
            "knn_accuracy": 1 / len(dataset.classes),
        },
        "warnings": warnings(dataset, config, len(splits.pretrain)),
        "about": about(dataset, config, splits, encoder),
    }


def warnings(dataset: Dataset, config: Config, images: int) -> list[str]:
    """Sentences on what may be wrong with the data, and with the queue where there is one; `images` are pretrained on."""
    train, test = (split.images.numpy() for split in (dataset.train, dataset.test))
    if config.method != "moco":
        return checks.warnings(train, test, 0, images, dataset.modes)
    queue = config.queue_size // config.keys_an_image if config.own_keys == "keep" else 0
    note = diagnostics.age_note(config, images)
    return [*checks.warnings(train, test, queue, images, dataset.modes), *([note] if note else [])]


def about(dataset: Dataset, config: Config, splits: Splits, encoder: Encoder) -> list[list[str]]:
    """Data, files and encoder: a title, the thing, and its size."""
    pool = len(dataset.train.labels) - len(splits.validation.labels)
    used = "" if len(splits.train.labels) == pool else f" of {pool:,}"
    more = (
        ""
        if config.pretrain_split == "train"
        else f", {len(splits.pretrain):,} to pretrain on ({config.pretrain_split})"
    )
    counted = f"{len(splits.train.labels):,}{used} train, {len(splits.validation.labels):,} validation, {len(splits.test.labels):,} test{more}"
    seen = f" seen at {config.input_size}" if config.input_size else ""
    rows = [["Data", f"{dataset.title}, {dataset.train.images.shape[2]} px{seen}", counted]]
    if dataset.modes:
        kinds = ", ".join(
            f"{count:,} {mode}"
            for mode, count in sorted(dataset.modes.items(), key=lambda item: -item[1])
        )
        sizes = sorted(dataset.sizes, key=lambda name: [int(side) for side in name.split("x")])
        rows.append(
            [
                "Files",
                kinds,
                sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes, {sizes[0]} to {sizes[-1]}",
            ]
        )
    weights = sum(parameter.numel() for parameter in encoder.parameters())
    told = f"{weights:,} weights, {config.stem} stem, {encoder.feature_size} features"
    return [*rows, ["Encoder", f"{config.encoder}, width {config.width:g}", told]]
