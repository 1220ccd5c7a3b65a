"""The datasets by name, and any folder of images: each gives its images as arrays. A new one is one row in DATASETS."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from moco.guard import DataError, check_classes

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"])


class Raw(NamedTuple):
    """A decoded dataset: uint8 images (N, C, size, size) and labels (N,) of each split."""

    classes: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


class Row(NamedTuple):
    """Where a named dataset comes from and how its views are drawn."""

    title: str
    load: Callable[[Path, int], Raw]  # of the data folder, or the folder itself, and the size in pixels
    views: str  # a name of moco.views.RECIPES
    bundled: bool = False  # toy data that no claim about photographs can rest on


def digits(data_dir: Path, size: int) -> Raw:
    """scikit-learn's 1,797 handwritten digits, 8 px, one channel; 397 of them, drawn once for all, are the test split."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = np.round(bundle.images * (255 / 16)).astype(np.uint8)
    images = np.stack([np.asarray(fit(Image.fromarray(image), size)) for image in images])[:, None]
    labels = bundle.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = np.sort(order[:-397]), np.sort(order[-397:])
    return Raw(tuple("0123456789"), (images[train], labels[train]), (images[test], labels[test]))


def cifar10(data_dir: Path, size: int) -> Raw:
    """CIFAR-10 (Krizhevsky 2009) through torchvision; downloaded into the data folder when it is absent."""
    from torchvision.datasets import CIFAR10

    try:
        splits = [CIFAR10(str(data_dir), train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"cifar10 is neither in {data_dir} nor could it be downloaded ({error}); "
            f"put the folder cifar-10-batches-py into that folder, or name another with --data-dir"
        ) from None
    arrays = [(resized(split.data, size), np.asarray(split.targets, dtype=np.int64)) for split in splits]
    return Raw(tuple(splits[0].classes), *arrays)


DATASETS = {
    "digits": Row("scikit-learn's digits", digits, "digits", bundled=True),
    "cifar10": Row("CIFAR-10", cifar10, "moco_cifar"),
}
FOLDER_VIEWS = "moco_cifar"


def folder(root: Path, size: int) -> Raw:
    """A folder in the layout train/<class>/*, test/<class>/*; images become RGB and square.

    Raises:
        DataError: the layout is wrong, or an image cannot be read; the message names it.
    """
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise DataError(f"a dataset folder must hold train/<class>/* and test/<class>/*; {root} has no {split}/")
    train, test = (class_names(root / split) for split in ("train", "test"))
    check_classes(train, test, where=str(root))
    return Raw(tuple(train), read_split(root / "train", train, size), read_split(root / "test", train, size))


def class_names(split: Path) -> list[str]:
    """The class folders of a split, in order; hidden ones are no classes."""
    return sorted(path.name for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))


def image_files(root: Path) -> list[Path]:
    """The image files below a folder, in a fixed order; what is hidden, or lies in a hidden folder, is none of them."""

    def counts(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()

    return sorted(path for path in root.rglob("*") if counts(path))


def read_split(root: Path, classes: list[str], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, size, size) and labels (N,) of one split's class folders."""
    files = [(path, label) for label, name in enumerate(classes) for path in image_files(root / name)]
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda file: read_image(file[0], size), files))
    stacked = np.stack(images).transpose(0, 3, 1, 2) if images else np.empty((0, 3, size, size), np.uint8)
    return np.ascontiguousarray(stacked), np.array([label for _, label in files], dtype=np.int64)


def read_image(path: Path, size: int) -> np.ndarray:
    """One image file as uint8 (size, size, 3).

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        with Image.open(path) as file:
            image: Image.Image = file
            return np.asarray(fit(as_rgb(image), size))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"every image must be readable; {path} is not ({error}). Repair it or take it out") from None


def as_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB: 16 bits a pixel become 8, what is transparent becomes white.

    Raises:
        ValueError: its pixels are real numbers, whose range no one states.
    """
    if image.mode == "F":
        raise ValueError("its pixels are real numbers of an unknown range")
    if image.mode.startswith("I"):
        shades = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((shades / 257 if shades.max() > 255 else shades).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def fit(image: Image.Image, size: int) -> Image.Image:
    """The image with its shorter side resized to `size` (antialiased, bicubic), then cut to the middle square."""
    if image.size == (size, size):
        return image
    share = size / min(image.size)
    image = image.resize((max(size, round(image.width * share)), max(size, round(image.height * share))), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def resized(images_NHWC: np.ndarray, size: int) -> np.ndarray:
    """Arrays of RGB images as (N, 3, size, size)."""
    if images_NHWC.shape[1:3] != (size, size):
        images_NHWC = np.stack([np.asarray(fit(Image.fromarray(image), size)) for image in images_NHWC])
    return np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2))
