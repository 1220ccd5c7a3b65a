"""The parts of a dataset that a trial uses: training and validation are carved by seed, test is as it came."""

from collections.abc import Sequence
from typing import NamedTuple
import numpy as np
import torch
from torch import Tensor
from moco.config import Config
from moco.data.dataset import Dataset, Split
from moco.data.checks import DataError
from moco.seed import Source, derived_seed, generator


class Splits(NamedTuple):
    """What a trial uses: the training split is carved into one for training and one for choosing."""

    train: Split
    validation: Split
    test: Split
    pretrain: Tensor  # uint8 (N, C, H, W): what MoCo sees, by `pretrain_split`

    def scored(self, config: Config) -> Split:
        """The split that accuracies are measured on."""
        return self.validation if config.score_split == "validation" else self.test


def carve(dataset: Dataset, config: Config) -> Splits:
    """Holds out a share of every class for validation and keeps `train_images` of the rest, by `split_seed`.

    Raises:
        DataError: a class is too small for it.
    """
    labels = dataset.train.labels.numpy()
    draws = np.random.default_rng(derived_seed(config.split_seed, Source.SPLIT))
    kept: list[np.ndarray] = []
    held: list[np.ndarray] = []
    for label, name in enumerate(dataset.classes):
        members = draws.permutation(np.flatnonzero(labels == label))
        count = round(len(members) * config.validation_share)
        quota = len(members) - count if not config.train_images else config.train_images // len(dataset.classes)
        if not 0 < count < len(members):
            told = f"class {name!r} has {len(members)} images"
            raise DataError(f"a class must be large enough to hold out {config.validation_share:.0%} of it for validation; {told}")
        if quota < 1:
            raise DataError(f"train_images must be 0 or at least one a class, {len(dataset.classes)}; got {config.train_images}")
        held.append(members[:count])
        kept.append(members[count : count + quota])
    train = chosen(dataset.train, kept)
    return Splits(train, chosen(dataset.train, held), dataset.test, pretraining_images(train, dataset, config))


def pretraining_images(train: Split, dataset: Dataset, config: Config) -> Tensor:
    """What MoCo sees: training images, those of the further split, or both.

    Raises:
        DataError: the dataset was prepared without that split.
    """
    if config.pretrain_split == "train":
        return train.images
    if dataset.extra is None:
        raise DataError(f"pretrain_split {config.pretrain_split} was not prepared with the dataset {dataset.name}")
    both = config.pretrain_split.startswith("train+")
    return torch.cat([train.images, dataset.extra.images]) if both else dataset.extra.images


def learned(split: Split, config: Config, part: int = 0) -> Split:
    """A split as it is learned from: with its labels, or for the floor with them in random order, the same for every encoder of a seed.

    `part` tells the splits of a trial apart: 0 for training, 1 for validation.
    """
    if config.labels == "true":
        return split
    order = torch.randperm(len(split.labels), generator=generator(config.seed, Source.LABELS, part))
    return Split(split.images, split.labels[order])


def chosen(split: Split, indices: Sequence[np.ndarray]) -> Split:
    """The images at these indices, in the dataset's order."""
    index = torch.from_numpy(np.sort(np.concatenate(indices)))
    return Split(split.images[index], split.labels[index])
