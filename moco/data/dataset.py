"""A decoded dataset in memory, and the statistics that normalise its images."""

from typing import NamedTuple

import torch
from torch import Tensor

from moco.config import Config
from moco.data.checks import DataError

# mean and standard deviation of red, green and blue, in [0, 1]
NORMALISATIONS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # of torchvision's weights
    # standard deviation over all pixels of the dataset
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    # mean of the images' own standard deviations, as in FAIR's CIFAR-10 demo
    "cifar10_images": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}


class Split(NamedTuple):
    """Images and labels."""

    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,)


class Dataset(NamedTuple):
    """A decoded dataset."""

    name: str
    title: str  # for people
    bundled: bool  # toy data that no claim about photographs can rest on
    views: str  # name of its augmentation recipe, in recipes.RECIPES
    classes: tuple[str, ...]  # empty: no image has a label
    train: Split
    test: Split
    extra: Split | None  # further images for pretraining, where requested; label -1: none
    extra_name: str  # of that split
    mean: tuple[float, ...]  # of each channel over the training images, in [0, 1]
    std: tuple[float, ...]  # standard deviation, likewise
    modes: dict[str, int]  # number of files by colour mode; only of an image folder
    sizes: dict[str, int]  # number of files by width x height in pixels; only of an image folder
    fingerprint: str  # SHA-256 of classes, images and labels
    validation: Split | None = None  # where the dataset has its own; else held out of train
    turned: int = 0  # files that were turned as their EXIF orientation says
    layout: str = ""  # how a folder or file was read, for people
    # of a folder, by reason: how many files were skipped, and the first of them
    skipped: dict[str, tuple[int, str]] = {}  # noqa: RUF012

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that it has, by name."""
        named = (("train", self.train), ("test", self.test), ("extra", self.extra))
        found = (*named, ("validation", self.validation))
        return {name: split for name, split in found if split is not None}


def normalisation_statistics(dataset: Dataset, config: Config) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (channels, 1, 1) that normalise the images, in [0, 1].

    Raises:
        DataError: the statistics of a colour dataset are requested for grey images.
    """
    mean, std = NORMALISATIONS.get(config.normalisation, (dataset.mean, dataset.std))
    if len(mean) != len(dataset.mean):
        raise DataError(
            f"normalisation {config.normalisation} needs images of three channels; "
            f"{dataset.name} has {len(dataset.mean)}"
        )
    return torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
