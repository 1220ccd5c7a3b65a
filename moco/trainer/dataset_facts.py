"""What a plan must know of a dataset and of a configuration before anything trains."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from moco.config import Config
from moco.data import cache, checks
from moco.data.dataset import Dataset, normalisation_statistics
from moco.data.preprocessing import input_size
from moco.data.recipes import choose_recipe
from moco.data.sources import Source
from moco.data.splits import Splits, make_splits
from moco.device import pick_device, pick_precision
from moco.model.encoder import Encoder
from moco.model.own_encoder import is_further
from moco.own_code import call_own
from moco.trainer import availability
from moco.training import diagnostics
from moco.training.optimizers import build_optimizer


class DatasetFacts(NamedTuple):
    """The dataset in numbers and in words, for a plan and its page."""

    fingerprint: str  # SHA-256 of classes, images and labels
    name: str
    title: str
    bundled: bool  # toy data that no claim about photographs can rest on
    classes: tuple[str, ...]
    counts: dict[str, int]  # images by split
    chance: dict[str, float]  # what guessing gives, by metric
    warnings: tuple[str, ...]
    about: tuple[tuple[str, str, str], ...]  # title, thing, size
    provenance: tuple[tuple[str, str], ...]
    duplicates: int  # test images that are also training images
    own: bool = False  # the user's own images


def prepare_dataset(
    source: Source, shared: dict[str, Any], data_dir: Path, arms: Mapping[str, dict[str, Any]]
) -> Path:
    """The cache of the dataset at the image size of the shared fields, decoded now if need be.

    It has the dataset's further split where an arm pretrains on that.
    """
    config = Config.of({**shared, "dataset": source.name})
    split = availability.needed_split(shared, arms, source.extra)
    return cache.prepare(source, config.image_size, data_dir, split)


def complete_config(fields: dict[str, Any]) -> dict[str, Any]:
    """All fields of a trial, checked as far as they can be without training.

    Raises:
        ValueError: a field is unknown or wrong.
    """
    config = Config.of(fields)
    with torch.device("meta"):
        encoder = Encoder(config, 3)
    build_optimizer(config, encoder.head)
    choose_recipe(config, "digits")
    return config.to_dict()


def check_place(values: dict[str, Any], workers: int, here: bool = True) -> None:
    """Check that a trial divides over so many workers, and that this machine has its device.

    Raises:
        ValueError: no such device, or batch and batch-norm groups do not divide: each worker
            normalises whole groups of its own.
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


def dataset_facts(cached: Path, shared: dict[str, Any]) -> DatasetFacts:
    """The facts of a cached dataset under a trial's fields.

    Raises:
        ValueError: the validation split cannot be carved, or the training split does not fill a
            batch.
    """
    dataset = cache.load_dataset(cached)
    config = Config.of({**shared, "dataset": dataset.name})
    splits = make_splits(dataset, config)
    encoder = Encoder(config, splits.train.images.shape[1])
    pick_precision(config, pick_device(config.device), input_size(config, splits.train.images))
    normalisation_statistics(dataset, config)
    check_features(encoder, config, splits)
    check_batch(config, splits)
    check_labels_needed(config, dataset)
    parts = zip(("train", "validation", "test"), splits[:3], strict=True)
    counts = {name: len(split.labels) for name, split in parts}
    guesses = ("probe_accuracy", "knn_accuracy") if dataset.classes else ()
    chance = {name: 1 / len(dataset.classes) for name in guesses}
    views = config.views if config.views != "auto" else dataset.views
    same = checks.count_duplicates(dataset.train.images.numpy(), dataset.test.images.numpy())
    return DatasetFacts(
        fingerprint=dataset.fingerprint,
        name=dataset.name,
        title=dataset.title,
        bundled=dataset.bundled,
        classes=tuple(dataset.classes),
        counts=counts,
        chance={"loss": math.log(1 + config.queue_size), **chance},
        warnings=tuple(dataset_warnings(dataset, config, len(splits.pretrain))),
        about=tuple(about_rows(dataset, config, splits, encoder)),
        duplicates=same,
        provenance=(
            duplicates_row(same),
            ("Views", f"{views}, each image with random parameters of its own"),
        ),
    )


def duplicates_row(same: int) -> tuple[str, str]:
    """How many test images are training images: a title and a sentence."""
    return "Duplicates", f"{same} test images are also training images, pixel for pixel"


def check_features(encoder: Encoder, config: Config, splits: Splits) -> None:
    """Check that an encoder which is not ours gives the features that it says, of such images.

    Raises:
        ValueError: it does not.
    """
    if not is_further(config.encoder):
        return
    size = input_size(config, splits.train.images)
    images = torch.zeros(2, splits.train.images.shape[1], size, size)
    problem = f"encoder {config.encoder} must take images of {size} px; it failed"
    with torch.no_grad():
        features = call_own(problem, encoder.eval().features, images)
    if not isinstance(features, torch.Tensor):
        raise ValueError(
            f"encoder {config.encoder} must return features as one tensor; got "
            f"{type(features).__name__}"
        )
    if features.shape != (2, encoder.feature_size):
        raise ValueError(
            f"encoder {config.encoder} must give ({encoder.feature_size},) features an image; got "
            f"{tuple(features.shape[1:])}"
        )


def check_labels_needed(config: Config, dataset: Dataset) -> None:
    """Check that a run on images without labels needs none.

    Raises:
        ValueError: it does; the message names the field.
    """
    if dataset.classes:
        return
    for needs, field in (
        (config.method != "moco", f"method {config.method}"),
        (config.finetune_epochs > 0, "finetune_epochs"),
        (config.pictures > 0, "pictures"),
        (config.labelled > 0, "labelled"),
    ):
        if needs:
            raise ValueError(f"{field} needs labels; {dataset.title} has none")


def check_batch(config: Config, splits: Splits) -> None:
    """Check that the images that are trained on fill a batch.

    Raises:
        ValueError: they do not.
    """
    contrasts = config.method == "moco" and not config.finetune_epochs
    images = len(splits.pretrain) if contrasts else len(splits.train.labels)
    trains = config.pretrains or config.finetune_epochs
    if config.batch_size > images and trains:
        raise ValueError(
            f"batch_size must not exceed the training split; got {config.batch_size} for {images} "
            f"images. {smaller_batch(config, images)}"
        )


def smaller_batch(config: Config, images: int) -> str:
    """What would help where a batch does not fit so few images."""
    least = 2 * config.splits
    if images < least:
        return f"Add images: a batch is {least} or more"
    fitting = max(least, min(16, images) // least * least)
    return f"Try batch_size={fitting}, and where it is free queue_size={2 * fitting}, or add images"


def dataset_warnings(dataset: Dataset, config: Config, images: int) -> list[str]:
    """Sentences on what may be wrong with the data and the queue; `images` are pretrained on."""
    train, test = (split.images.numpy() for split in (dataset.train, dataset.test))
    if config.method != "moco":
        return checks.data_warnings(train, test, 0, images, dataset.modes)
    meets_old = config.own_keys == "keep" and config.epochs > 1  # keys of the epoch before
    queue = config.queue_size // config.keys_per_image if meets_old else 0
    note = diagnostics.key_age_warning(config, images)
    return [
        *checks.data_warnings(train, test, queue, images, dataset.modes, config.batch_size),
        *([note] if note else []),
    ]


def about_rows(
    dataset: Dataset, config: Config, splits: Splits, encoder: Encoder
) -> list[tuple[str, str, str]]:
    """Data, files and encoder: a title, the thing, and its size."""
    return [*data_rows(dataset, config, splits), encoder_row(dataset, config, encoder)]


def data_rows(dataset: Dataset, config: Config, splits: Splits) -> list[tuple[str, str, str]]:
    """Data and files: a title, the thing, and its size."""
    train, validation, test = (len(split.labels) for split in splits[:3])
    own = dataset.validation is not None
    pool = len(dataset.train.labels) - (0 if own else validation)
    of_pool = "" if train == pool else f" of {pool:,}"
    counts = f"{train:,}{of_pool} train, {validation:,} validation, {test:,} test"
    if not dataset.classes:
        counts = f"{train:,}{of_pool} without labels"
    if config.labelled:
        counts += f", {config.labelled} labels a class for kNN and probe"
    if config.pretrain_split != "train":
        counts += f", {len(splits.pretrain):,} to pretrain on ({config.pretrain_split})"
    seen = f" seen at {config.input_size}" if config.input_size else ""
    rows = [("Data", f"{dataset.title}, {dataset.train.images.shape[2]} px{seen}", counts)]
    if dataset.layout:
        rows.append(("Read as", dataset.layout, skipped_words(dataset)))
    if dataset.modes:
        modes = sorted(dataset.modes.items(), key=lambda item: -item[1])
        sizes = sorted(dataset.sizes, key=lambda name: [int(side) for side in name.split("x")])
        ends = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes, {sizes[0]} to {sizes[-1]}"
        turned = f", {dataset.turned:,} turned by their EXIF orientation" if dataset.turned else ""
        kinds = ", ".join(f"{count:,} {mode}" for mode, count in modes)
        rows.append(("Files", kinds, ends + turned))
    return rows


def encoder_row(dataset: Dataset, config: Config, encoder: Encoder) -> tuple[str, str, str]:
    """The encoder, or the pixels in its place: a title, the thing, and its size."""
    if config.method == "pixels":
        numbers = dataset.train.images.shape[1] * input_size(config, dataset.train.images) ** 2
        return "Features", "the pixels themselves", f"{numbers:,} numbers an image"
    weights = sum(parameter.numel() for parameter in encoder.parameters())
    if is_further(config.encoder):
        size = f"{weights:,} weights, {encoder.feature_size} features"
        return "Encoder", config.encoder, size
    size = f"{weights:,} weights, {config.stem} stem, {encoder.feature_size} features"
    return "Encoder", f"{config.encoder}, width {config.width:g}", size


def skipped_words(dataset: Dataset) -> str:
    """Which files of a folder were skipped: how many for each reason, and the first of them."""
    if not dataset.skipped:
        return "no file skipped"
    parts = (
        f"{files:,} {reason} (as {first})" for reason, (files, first) in dataset.skipped.items()
    )
    return f"skipped: {'; '.join(parts)}"
