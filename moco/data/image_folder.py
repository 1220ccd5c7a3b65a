"""Image folders in the layout train/<class>/* and test/<class>/*, decoded into square RGB arrays.

Files may have any colour mode and any size.
"""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from moco.data.checks import DataError, check_classes

SUFFIXES = frozenset(
    [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"]
)


class DecodedDataset(NamedTuple):
    """A decoded dataset: uint8 images (N, C, size, size) and int64 labels (N,) of each split."""

    classes: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    # further images for pretraining, where requested; label -1: none
    extra: tuple[np.ndarray, np.ndarray] | None = None
    modes: dict[str, int] = {}  # number of files by colour mode  # noqa: RUF012
    sizes: dict[str, int] = {}  # number of files by width x height in pixels  # noqa: RUF012


class DecodedImage(NamedTuple):
    """One image file."""

    image: np.ndarray  # uint8 (size, size, 3)
    mode: str  # colour mode of the file
    pixels: str  # width x height of the file


def read_folder(root: Path, size: int) -> DecodedDataset:
    """The dataset of an image folder: RGB images (N, 3, size, size).

    Raises:
        DataError: the layout is wrong, or an image cannot be read; the message names it.
    """
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise DataError(
                "a dataset folder must hold train/<class>/* and test/<class>/*; "
                f"{root} has no {split}/"
            )
    classes, test_classes = (class_names(root / split) for split in ("train", "test"))
    check_classes(classes, test_classes, where=str(root))
    modes: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    train, test = (
        read_split(root / split, classes, size, modes=modes, sizes=sizes)
        for split in ("train", "test")
    )
    return DecodedDataset(classes=tuple(classes), train=train, test=test, modes=modes, sizes=sizes)


def read_split(
    root: Path, classes: list[str], size: int, *, modes: Counter[str], sizes: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, size, size) and labels (N,) of one split's class folders.

    The files' colour modes and sizes are added to `modes` and `sizes`.
    """
    paths_by_class = [image_files(root / name) for name in classes]
    paths = [path for paths in paths_by_class for path in paths]
    labels = [label for label, paths in enumerate(paths_by_class) for _ in paths]

    def count_and_unwrap(decoded: DecodedImage) -> np.ndarray:
        modes[decoded.mode] += 1
        sizes[decoded.pixels] += 1
        return decoded.image

    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda path: read_image(path, size), paths)
        images = stack_images(map(count_and_unwrap, decoded), len(paths), size)
    return images, np.array(labels, np.int64)


def class_names(split: Path) -> list[str]:
    """Names of the class folders of a split, sorted; hidden folders are not classes."""
    return sorted(
        path.name for path in split.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def image_files(root: Path) -> list[Path]:
    """The image files below a folder, sorted; without hidden files and files in hidden folders."""

    def is_image(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()

    return sorted(path for path in root.rglob("*") if is_image(path))


def read_image(path: Path, size: int) -> DecodedImage:
    """One image file, resized and cropped to `size` pixels a side.

    Raises:
        DataError: the file cannot be decoded.
    """
    try:
        with Image.open(path) as file:
            image: Image.Image = file
            return DecodedImage(
                image=np.asarray(resize_and_crop(to_rgb(image), size)),
                mode=image.mode,
                pixels=f"{image.width}x{image.height}",
            )
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(
            f"every image must be readable; {path} is not ({error}). Repair it or take it out"
        ) from None


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB with 8 bits a channel; transparent pixels are composed over white.

    Raises:
        ValueError: the pixels are floats, whose range the file does not state.
    """
    if image.mode == "F":
        raise ValueError("its pixels are real numbers of an unknown range")
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.float64)
        # mode I has 32 bits; whether a file uses 8 or 16 of them shows only in its values
        wide = image.mode != "I" or values.max() > 255
        values = values / 257 if wide else values
        image = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """The centre square of the image, after its shorter side is resized to `size` pixels.

    Bicubic, antialiased.
    """
    if image.size == (size, size):
        return image
    factor = size / min(image.size)
    width, height = (max(size, round(side * factor)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def to_square_arrays(images_NHWC: np.ndarray, size: int) -> np.ndarray:
    """RGB images (N, 3, size, size), resized and cropped."""
    if images_NHWC.shape[1:3] == (size, size):
        return np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2))
    squares = (np.asarray(resize_and_crop(Image.fromarray(image), size)) for image in images_NHWC)
    return stack_images(squares, len(images_NHWC), size)


def stack_images(images: Iterable[np.ndarray], count: int, size: int) -> np.ndarray:
    """`count` RGB images (size, size, 3) as one array (N, 3, size, size), filled one by one."""
    array = np.empty((count, 3, size, size), np.uint8)
    for target, image in zip(array, images, strict=True):
        target[:] = image.transpose(2, 0, 1)
    return array
