"""A folder of images in the layout train/<class>/*, test/<class>/*: files of any mode and size become square RGB arrays."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
import numpy as np
from PIL import Image, UnidentifiedImageError
from moco.data.checks import DataError, check_classes

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"])


class Raw(NamedTuple):
    """A decoded dataset: uint8 images (N, C, size, size) and labels (N,) of each split."""

    classes: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    extra: tuple[np.ndarray, np.ndarray] | None = None  # more images to pretrain on, where they were asked for; label -1: none
    modes: dict[str, int] = {}  # how many files had that colour mode  # noqa: RUF012
    sizes: dict[str, int] = {}  # and that width x height in pixels  # noqa: RUF012


class Decoded(NamedTuple):
    """One image file."""

    image: np.ndarray  # uint8 (size, size, 3)
    mode: str  # as it was in the file
    pixels: str  # width x height


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
    modes: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    splits = [read_split(root / split, train, size, modes, sizes) for split in ("train", "test")]
    return Raw(tuple(train), splits[0], splits[1], modes=modes, sizes=sizes)


def read_split(root: Path, classes: list[str], size: int, modes: Counter[str], sizes: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, size, size) and labels (N,) of one split's class folders; counts the files' modes and sizes."""
    files = [(path, label) for label, name in enumerate(classes) for path in image_files(root / name)]

    def counted(decoded: Decoded) -> np.ndarray:
        modes[decoded.mode] += 1
        sizes[decoded.pixels] += 1
        return decoded.image

    with ThreadPoolExecutor() as pool:
        images = stacked((counted(decoded) for decoded in pool.map(lambda file: read_image(file[0], size), files)), len(files), size)
    return images, np.array([label for _, label in files], np.int64)


def class_names(split: Path) -> list[str]:
    """The class folders of a split, in order; hidden ones are no classes."""
    return sorted(path.name for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))


def image_files(root: Path) -> list[Path]:
    """The image files below a folder, in a fixed order; what is hidden, or lies in a hidden folder, is none of them."""

    def counts(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()

    return sorted(path for path in root.rglob("*") if counts(path))


def read_image(path: Path, size: int) -> Decoded:
    """One image file, `size` pixels a side.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        with Image.open(path) as file:
            image: Image.Image = file
            return Decoded(np.asarray(fit(as_rgb(image), size)), image.mode, f"{image.width}x{image.height}")
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
        wide = image.mode != "I" or shades.max() > 255  # mode I is of 32 bits, whose range only the values tell
        image = Image.fromarray((shades / 257 if wide else shades).clip(0, 255).round().astype(np.uint8))
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


def squares(images_NHWC: np.ndarray, size: int) -> np.ndarray:
    """Arrays of RGB images as (N, 3, size, size)."""
    if images_NHWC.shape[1:3] == (size, size):
        return np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2))
    return stacked((np.asarray(fit(Image.fromarray(image), size)) for image in images_NHWC), len(images_NHWC), size)


def stacked(images: Iterable[np.ndarray], count: int, size: int) -> np.ndarray:
    """RGB images (size, size, 3) one after the other as (N, 3, size, size), without a second copy of them all."""
    array = np.empty((count, 3, size, size), np.uint8)
    for target, image in zip(array, images, strict=True):
        target[:] = image.transpose(2, 0, 1)
    return array
