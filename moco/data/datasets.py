"""The datasets by name, each read by torchvision's own loader into arrays. A new one is one row in DATASETS."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
import numpy as np
from PIL import Image
from moco.data.image_folder import Raw, fit, squares
from moco.data.checks import DataError


class Row(NamedTuple):
    """Where a named dataset comes from and how its views are drawn."""

    title: str
    load: Callable[[Path, int, bool], Raw]  # of the data folder, the size in pixels, and whether the extra split is wanted
    views: str  # a name of moco.views.RECIPES
    size: int  # pixels a side where no field says otherwise: that of the files, twice that for the digits
    extra: str = ""  # the name of a further split that can be pretrained on
    bundled: bool = False  # toy data that no claim about photographs can rest on


def digits(data_dir: Path, size: int, extra: bool) -> Raw:
    """scikit-learn's 1,797 handwritten digits, 8 px, one channel; 397 of them, drawn once for all, are the test split."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = np.round(bundle.images * (255 / 16)).astype(np.uint8)
    images = np.stack([np.asarray(fit(Image.fromarray(image), size)) for image in images])[:, None]
    labels = bundle.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = np.sort(order[:-397]), np.sort(order[-397:])
    return Raw(tuple("0123456789"), (images[train], labels[train]), (images[test], labels[test]))


def cifar10(data_dir: Path, size: int, extra: bool) -> Raw:
    """CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 images of 10 classes, 32 px."""
    from torchvision.datasets import CIFAR10

    return cifar(CIFAR10, "cifar10", data_dir, size)


def cifar100(data_dir: Path, size: int, extra: bool) -> Raw:
    """CIFAR-100 (Krizhevsky 2009): 50,000 and 10,000 images of 100 classes, 32 px."""
    from torchvision.datasets import CIFAR100

    return cifar(CIFAR100, "cifar100", data_dir, size)


def cifar(loader: Any, name: str, data_dir: Path, size: int) -> Raw:
    """Either CIFAR."""
    needed = f"the folder {loader.base_folder}"
    splits = official(lambda train: loader(str(data_dir), train=train, download=True), (True, False), name, data_dir, needed)
    train, test = ((squares(split.data, size), np.asarray(split.targets, np.int64)) for split in splits)
    return Raw(tuple(splits[0].classes), train, test)


def stl10(data_dir: Path, size: int, extra: bool) -> Raw:
    """STL-10 (Coates et al. 2011): 5,000 and 8,000 images of 10 classes, 96 px, and 100,000 unlabelled ones."""
    from torchvision.datasets import STL10

    names = ("train", "test", "unlabeled") if extra else ("train", "test")
    splits = official(lambda split: STL10(str(data_dir), split=split, download=True), names, "stl10", data_dir, f"the folder {STL10.base_folder}")
    arrays = [(squares(split.data.transpose(0, 2, 3, 1), size), split.labels.astype(np.int64)) for split in splits]
    return Raw(tuple(splits[0].classes), arrays[0], arrays[1], arrays[2] if extra else None)


def svhn(data_dir: Path, size: int, extra: bool) -> Raw:
    """SVHN, cropped digits (Netzer et al. 2011): 73,257 and 26,032 images of 10 classes, 32 px, and 531,131 easier ones."""
    from torchvision.datasets import SVHN

    names = ("train", "test", "extra") if extra else ("train", "test")
    needed = " and ".join(f"{name}_32x32.mat" for name in names)
    splits = official(lambda split: SVHN(str(data_dir), split=split, download=True), names, "svhn", data_dir, needed)
    arrays = [(squares(split.data.transpose(0, 2, 3, 1), size), split.labels) for split in splits]
    return Raw(tuple("0123456789"), arrays[0], arrays[1], arrays[2] if extra else None)


def official(load: Callable[[Any], Any], splits: Sequence[Any], name: str, data_dir: Path, needed: str) -> list[Any]:
    """Splits as torchvision reads them; they are downloaded into the data folder when they are absent.

    Raises:
        DataError: they are not there and cannot be had.
    """
    try:
        return [load(split) for split in splits]
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is neither in {data_dir} nor could it be downloaded ({error}); put {needed} into that folder, or name another with --data-dir"
        ) from None


def made_up_shapes(data_dir: Path, size: int, extra: bool) -> Raw:
    """1,500 and 1,200 made-up images of 6 classes, 32 px."""
    from moco.data.shapes import SIZE, shapes

    raw = shapes(SIZE)
    train, test = ((squares(images.transpose(0, 2, 3, 1), size), labels) for images, labels in (raw.train, raw.test))
    return Raw(raw.classes, train, test)


DATASETS = {
    "digits": Row("scikit-learn's digits", digits, "digits", 16, bundled=True),
    "shapes": Row("made-up shapes", made_up_shapes, "shapes", 32, bundled=True),
    "cifar10": Row("CIFAR-10", cifar10, "moco_cifar", 32),
    "cifar100": Row("CIFAR-100", cifar100, "moco_cifar", 32),
    "stl10": Row("STL-10", stl10, "moco_cifar", 96, extra="unlabelled"),
    "svhn": Row("SVHN", svhn, "svhn", 32, extra="extra"),
}
FOLDER_VIEWS, FOLDER_SIZE = "moco_cifar", 32
