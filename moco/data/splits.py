"""The splits of a trial: training and validation split the training images, test stays whole."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from moco.config import Config
from moco.data.checks import DataError, image_digest
from moco.data.dataset import Dataset, Split
from moco.seed import Source, derived_seed, make_generator


class Splits(NamedTuple):
    """The splits of a trial."""

    train: Split
    validation: Split  # held out of the training images, for choices
    test: Split
    pretrain: Tensor  # uint8 (N, C, H, W): the images of MoCo, by `Config.pretrain_split`

    def scoring_split(self, config: Config) -> Split:
        """The split on which accuracies are measured."""
        return self.validation if config.score_split == "validation" else self.test


def make_splits(dataset: Dataset, config: Config) -> Splits:
    """Hold out a share of every class for validation; keep `train_images` of the others.

    `Config.split_seed` decides which. Nothing is held out of a dataset that has a validation split
    of its own, and of one without labels neither that nor the test split has images. Of images that
    are there twice none is on both sides.

    Raises:
        DataError: a class has too few images.
    """
    if not dataset.classes:
        return unlabelled_splits(dataset, config)
    labels = dataset.train.labels.numpy()
    generator = np.random.default_rng(derived_seed(config.split_seed, Source.SPLIT))
    left: list[np.ndarray] = []
    validation: list[np.ndarray] = []
    for label, name in enumerate(dataset.classes):
        members = generator.permutation(np.flatnonzero(labels == label))
        own = dataset.validation is not None
        held_out = 0 if own else round(len(members) * config.validation_share)
        if not own and not 0 < held_out < len(members):
            raise DataError(
                "a class must be large enough to hold out "
                f"{config.validation_share:.0%} of it for validation; "
                f"class {name!r} has {len(members)} images"
            )
        validation.append(members[:held_out])
        left.append(members[held_out:])
    training = [
        members[: class_quota(config, dataset, len(members))]
        for members in without_copies(dataset, left, validation)
    ]
    train = select_images(dataset.train, training)
    return Splits(
        train=train,
        validation=dataset.validation or select_images(dataset.train, validation),
        test=dataset.test,
        pretrain=pretraining_images(train, dataset, config),
    )


def class_quota(config: Config, dataset: Dataset, count: int) -> int:
    """How many of a class's `count` images are trained on.

    Raises:
        DataError: none would be.
    """
    if not count:
        raise DataError(
            "every class must have images that are no copies of those held out for validation; "
            f"one of {dataset.name} has none"
        )
    quota = config.train_images // len(dataset.classes) if config.train_images else count
    if quota < 1:
        raise DataError(
            f"train_images must be 0 or at least one a class, {len(dataset.classes)}; "
            f"got {config.train_images}"
        )
    return quota


def without_copies(
    dataset: Dataset, left: Sequence[np.ndarray], held_out: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The indices that are left, without images that are validated on too, pixel for pixel.

    A copy on both sides would let a choice be made on what was trained on.
    """
    images = dataset.train.images.numpy()
    held = {image_digest(images[i]) for indices in held_out for i in indices}
    if dataset.validation is not None:
        held |= {image_digest(image) for image in dataset.validation.images.numpy()}
    if not held:
        return list(left)
    return [
        np.array([i for i in indices if image_digest(images[i]) not in held], indices.dtype)
        for indices in left
    ]


def unlabelled_splits(dataset: Dataset, config: Config) -> Splits:
    """The splits of a dataset without labels: all of it, or `train_images`, is pretrained on."""
    count = min(config.train_images or len(dataset.train.labels), len(dataset.train.labels))
    generator = np.random.default_rng(derived_seed(config.split_seed, Source.SPLIT))
    order = generator.permutation(len(dataset.train.labels))
    train = select_images(dataset.train, [order[:count]])
    return Splits(
        train=train,
        validation=dataset.test,
        test=dataset.test,
        pretrain=pretraining_images(train, dataset, config),
    )


def pretraining_images(train: Split, dataset: Dataset, config: Config) -> Tensor:
    """The images of MoCo, uint8 (N, C, H, W): the training images, the extra split, or both.

    Raises:
        DataError: the dataset was cached without its extra split.
    """
    if config.pretrain_split == "train":
        return train.images
    if dataset.extra is None:
        raise DataError(
            f"pretrain_split {config.pretrain_split} was not prepared "
            f"with the dataset {dataset.name}"
        )
    if config.pretrain_split.startswith("train+"):
        return torch.cat([train.images, dataset.extra.images])
    return dataset.extra.images


def with_training_labels(split: Split, config: Config, part: int = 0) -> Split:
    """A split with the labels that classifiers are trained on.

    They are the true ones, or with `labels=shuffled` the same labels in random order, which gives
    the floor of every accuracy; the order depends on the seed alone, not on the encoder.

    Args:
        part: number of the split within the trial: 0 for training, 1 for validation.
    """
    if config.labels == "true":
        return split
    generator = make_generator(config.seed, Source.LABELS, part)
    return Split(split.images, split.labels[torch.randperm(len(split.labels), generator=generator)])


def select_images(split: Split, indices: Sequence[np.ndarray]) -> Split:
    """The images at all these indices, in the dataset's order."""
    index = torch.from_numpy(np.sort(np.concatenate(indices)))
    return Split(split.images[index], split.labels[index])
