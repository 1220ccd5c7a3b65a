"""Image files of any colour mode and size, decoded into square RGB arrays."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from moco.data.checks import DataError, quote_names
from moco.data.folders.image_files import missing_plugin, readable_formats
from moco.data.folders.listing import Files, Listing

SIXTEEN_BITS = ("PNG", "PPM", "JPEG2000")  # formats of which mode I means 16 bits
LONGEST = 64  # times its shorter side that an image is resized as a whole
Arrays = tuple[np.ndarray, np.ndarray]  # uint8 images (N, C, size, size), int64 labels (N,)


class DecodedDataset(NamedTuple):
    """A decoded dataset; label -1: none."""

    classes: tuple[str, ...]  # empty: no image has a label
    train: Arrays
    test: Arrays
    extra: Arrays | None = None  # further images for pretraining, where requested
    validation: Arrays | None = None  # where the dataset has its own
    modes: dict[str, int] = {}  # number of files by colour mode  # noqa: RUF012
    sizes: dict[str, int] = {}  # number of files by width x height in pixels  # noqa: RUF012
    turned: int = 0  # files that were turned as their EXIF orientation says


class DecodedImage(NamedTuple):
    """One image file."""

    image: np.ndarray  # uint8 (size, size, 3)
    mode: str  # colour mode of the file
    pixels: str  # width x height of the file
    turned: bool  # as its EXIF orientation says


class Counts:
    """What the files of a dataset are like."""

    def __init__(self) -> None:
        self.modes: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self.turned = 0

    def add(self, decoded: DecodedImage) -> None:
        self.modes[decoded.mode] += 1
        self.sizes[decoded.pixels] += 1
        self.turned += decoded.turned


def decode_listing(listing: Listing, size: int, extra: bool) -> DecodedDataset:
    """The dataset of a folder of images: RGB images (N, 3, size, size).

    Args:
        extra: with its images without labels, which it must have.

    Raises:
        DataError: images cannot be read; the message names some of them.
    """
    counts = Counts()
    wanted = ["train", "test", "validation", *(["unlabelled"] if extra else [])]
    arrays = {
        split: decode_files(listing.splits[split], size, counts)
        for split in wanted
        if split in listing.splits
    }
    return DecodedDataset(
        classes=listing.classes,
        train=arrays["train"],
        test=arrays["test"],
        extra=arrays.get("unlabelled"),
        validation=arrays.get("validation"),
        modes=counts.modes,
        sizes=counts.sizes,
        turned=counts.turned,
    )


def decode_files(files: Files, size: int, counts: Counts) -> Arrays:
    """Images and labels of one split; what the files are like is added to `counts`.

    Raises:
        DataError: images cannot be read; all are counted before.
    """
    formats, broken = readable_formats(), dict[str, DataError]()

    def read_or_note(path: Path) -> DecodedImage | None:
        try:
            return read_image(path, size, formats)
        except DataError as problem:
            broken[str(path)] = problem
            return None

    def count_and_unwrap(decoded: DecodedImage | None) -> np.ndarray:
        if decoded is None:
            return np.zeros((size, size, 3), np.uint8)
        counts.add(decoded)
        return decoded.image

    with ThreadPoolExecutor() as pool:
        decoded = pool.map(read_or_note, files.paths)
        images = stack_images(map(count_and_unwrap, decoded), len(files.paths), size)
    if broken:
        first, *others = sorted(broken)
        more = f". Nor are {len(others):,} more: {quote_names(others)}" if others else ""
        raise DataError(f"{broken[first]}{more}")
    return images, np.array(files.labels, np.int64)


def read_image(path: Path, size: int, formats: list[str]) -> DecodedImage:
    """One image file, resized and cropped to `size` pixels a side.

    Args:
        formats: as which it may be opened.

    Raises:
        DataError: the file cannot be decoded.
    """
    try:
        with Image.open(path, formats=formats) as file:
            turned = file.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1)
            image: Image.Image = ImageOps.exif_transpose(file) if turned else file
            return DecodedImage(
                image=np.asarray(resize_and_crop(to_rgb(image, file.format or ""), size)),
                mode=file.mode,
                pixels=f"{image.width}x{image.height}",
                turned=turned,
            )
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(
            f"every image must be readable; {path} is not ({error}). {remedy(path)}"
        ) from None


def remedy(path: Path) -> str:
    """What helps with a file that cannot be decoded."""
    if package := missing_plugin(path):
        return f"Such files need a further package: pip install {package}"
    return "Repair it or take it out"


def to_rgb(image: Image.Image, kind: str = "") -> Image.Image:
    """The image in RGB with 8 bits a channel; transparent pixels are composed over white.

    Args:
        kind: the format of its file, by Pillow's name.

    Raises:
        ValueError: the pixels are numbers whose range the file does not state.
    """
    if image.mode == "F":
        raise ValueError("its pixels are real numbers of an unknown range")
    if image.mode.startswith("I"):
        # mode I has 32 bits; of which files use 16 is known of these formats, and of others not
        if image.mode == "I" and kind not in SIXTEEN_BITS:
            raise ValueError("its pixels are whole numbers of an unknown range")
        values = np.asarray(image, dtype=np.float64) / 257
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
    shorter, longer = sorted(image.size)
    if longer > LONGEST * shorter:  # resized as a whole it would take gigabytes
        left, top = ((side - shorter) / 2 for side in image.size)
        box = (left, top, left + shorter, top + shorter)
        return image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    factor = size / min(image.size)
    width, height = (max(size, round(side * factor)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def to_square_arrays(images: np.ndarray, size: int) -> np.ndarray:
    """Images (N, C, size, size), resized and cropped, of grey or coloured bytes.

    Args:
        images: (N, H, W) or (N, H, W, C).
    """
    images_NHWC = images[..., None] if images.ndim == 3 else images
    channels = images_NHWC.shape[3]
    if images_NHWC.shape[1:3] == (size, size):
        return np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2))
    flat = images_NHWC[..., 0] if channels == 1 else images_NHWC
    squares = (np.asarray(resize_and_crop(Image.fromarray(image), size)) for image in flat)
    return stack_images(
        (image.reshape(size, size, channels) for image in squares), len(flat), size, channels
    )


def stack_images(
    images: Iterable[np.ndarray], count: int, size: int, channels: int = 3
) -> np.ndarray:
    """`count` images (size, size, C) as one array (N, C, size, size), filled one by one."""
    array = np.empty((count, channels, size, size), np.uint8)
    for target, image in zip(array, images, strict=True):
        target[:] = image.transpose(2, 0, 1)
    return array
