"""The named datasets, decoded by the readers of torchvision and scikit-learn.

A new dataset is one row of DATASETS.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from moco.data.checks import DataError
from moco.data.decoding import DecodedDataset, resize_and_crop, to_square_arrays


class DatasetRow(NamedTuple):
    """Source and default settings of a named dataset."""

    title: str  # for people
    load: Callable[[Path, int, bool], DecodedDataset]  # data folder, pixels a side, extra split?
    views: str  # name of its augmentation recipe, in recipes.RECIPES
    images: int  # training images, those to be held out among them
    classes: int
    size: int  # default pixels a side: those of the files; for the digits twice as many
    extra: str = ""  # name of a further split for pretraining
    bundled: bool = False  # toy data that no claim about photographs can rest on


def read_digits(data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """scikit-learn's 1,797 handwritten digits, 8 px, one channel.

    The test split is 397 of them, the same ones every time.
    """
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = np.round(bundle.images * (255 / 16)).astype(np.uint8)
    resized = [np.asarray(resize_and_crop(Image.fromarray(image), size)) for image in images]
    images = np.stack(resized)[:, None]
    labels = bundle.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = np.sort(order[:-397]), np.sort(order[-397:])
    return DecodedDataset(
        classes=tuple("0123456789"),
        train=(images[train], labels[train]),
        test=(images[test], labels[test]),
    )


def read_cifar10(data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 images of 10 classes, 32 px."""
    from torchvision.datasets import CIFAR10

    return read_cifar(CIFAR10, name="cifar10", data_dir=data_dir, size=size)


def read_cifar100(data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """CIFAR-100 (Krizhevsky 2009): 50,000 and 10,000 images of 100 classes, 32 px."""
    from torchvision.datasets import CIFAR100

    return read_cifar(CIFAR100, name="cifar100", data_dir=data_dir, size=size)


def read_cifar(loader: Any, name: str, data_dir: Path, size: int) -> DecodedDataset:
    """CIFAR-10 or CIFAR-100, by torchvision's class `loader`."""
    splits = read_official_splits(
        lambda train: loader(str(data_dir), train=train, download=True),
        (True, False),
        name=name,
        data_dir=data_dir,
        needed=f"the folder {loader.base_folder}",
    )
    train, test = (
        (to_square_arrays(split.data, size), np.asarray(split.targets, np.int64))
        for split in splits
    )
    return DecodedDataset(classes=tuple(splits[0].classes), train=train, test=test)


def read_stl10(data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """STL-10 (Coates et al. 2011): 5,000 and 8,000 images of 10 classes, 96 px.

    The extra split has 100,000 unlabelled images.
    """
    from torchvision.datasets import STL10

    splits = read_official_splits(
        lambda split: STL10(str(data_dir), split=split, download=True),
        ("train", "test", "unlabeled") if extra else ("train", "test"),
        name="stl10",
        data_dir=data_dir,
        needed=f"the folder {STL10.base_folder}",
    )
    arrays = [
        (to_square_arrays(split.data.transpose(0, 2, 3, 1), size), split.labels.astype(np.int64))
        for split in splits
    ]
    return DecodedDataset(
        classes=tuple(splits[0].classes),
        train=arrays[0],
        test=arrays[1],
        extra=arrays[2] if extra else None,
    )


def read_svhn(data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """SVHN, cropped digits (Netzer et al. 2011): 73,257 and 26,032 images of 10 classes, 32 px.

    The extra split has 531,131 easier images.
    """
    from torchvision.datasets import SVHN

    names = ("train", "test", "extra") if extra else ("train", "test")
    splits = read_official_splits(
        lambda split: SVHN(str(data_dir), split=split, download=True),
        names,
        name="svhn",
        data_dir=data_dir,
        needed=" and ".join(f"{name}_32x32.mat" for name in names),
    )
    arrays = [
        (to_square_arrays(split.data.transpose(0, 2, 3, 1), size), split.labels) for split in splits
    ]
    return DecodedDataset(
        classes=tuple("0123456789"),
        train=arrays[0],
        test=arrays[1],
        extra=arrays[2] if extra else None,
    )


def read_official_splits(
    load: Callable[[Any], Any], splits: Sequence[Any], *, name: str, data_dir: Path, needed: str
) -> list[Any]:
    """Splits as torchvision's reader `load` returns them, downloaded if they are absent.

    Args:
        splits: the argument of `load` for each split.
        name: of the dataset.
        needed: the files that the data folder must hold without a download.

    Raises:
        DataError: the files are absent and cannot be downloaded.
    """
    try:
        return [load(split) for split in splits]
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is neither in {data_dir} nor could it be downloaded ({error}); "
            f"put {needed} into that folder, or name another with --data-dir"
        ) from None


def make_shapes(data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """3,000 and 2,000 synthetic images of 6 classes, drawn at 32 px."""
    from moco.data.shapes import SIZE, draw_shapes

    drawn = draw_shapes(SIZE)
    train, test = (
        (to_square_arrays(images.transpose(0, 2, 3, 1), size), labels)
        for images, labels in (drawn.train, drawn.test)
    )
    return DecodedDataset(classes=drawn.classes, train=train, test=test)


DATASETS = {
    "digits": DatasetRow(
        title="scikit-learn's digits", load=read_digits, views="digits", images=1_400, classes=10,
        size=16, bundled=True,
    ),
    "shapes": DatasetRow(
        title="made-up shapes", load=make_shapes, views="shapes", images=3_000, classes=6, size=32,
        bundled=True,
    ),
    "cifar10": DatasetRow(
        title="CIFAR-10", load=read_cifar10, views="moco_cifar", images=50_000, classes=10, size=32,
    ),
    "cifar100": DatasetRow(
        title="CIFAR-100", load=read_cifar100, views="moco_cifar", images=50_000, classes=100,
        size=32,
    ),
    "stl10": DatasetRow(
        title="STL-10", load=read_stl10, views="moco_cifar", images=5_000, classes=10, size=96,
        extra="unlabelled",
    ),
    "svhn": DatasetRow(
        title="SVHN", load=read_svhn, views="svhn", images=73_257, classes=10, size=32,
        extra="extra",
    ),
}  # fmt: skip
