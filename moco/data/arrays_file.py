"""A file of arrays in MedMNIST's layout: train_images, train_labels and so on, in one .npz."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moco.data.checks import DataError
from moco.data.decoding import Arrays, DecodedDataset, to_square_arrays
from moco.data.folders.listing import class_order, seeded_split, seeded_words, split_roles

SPLITS = {"train": "train", "val": "validation", "test": "test"}  # by the prefix of an array's name
SUFFIX = ".npz"


class ArraysFile(NamedTuple):
    """What a file of arrays holds."""

    layout: str  # how it was read, for people
    classes: tuple[str, ...]
    splits: dict[str, Arrays]  # images (N, H, W) or (N, H, W, C), and labels (N,) from 0


def read_arrays_file(file: Path) -> ArraysFile:
    """The arrays of a file.

    Raises:
        DataError: it is no such file, or its arrays are no images with one label each.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(
            f"{file} must be a file of arrays, as numpy's savez writes ({error})"
        ) from None
    pairs = {
        split: image_arrays(file, prefix, arrays)
        for prefix, split in SPLITS.items()
        if f"{prefix}_images" in arrays
    }
    if "train" not in pairs:
        raise DataError(
            f"{file} must hold the arrays train_images and train_labels, and test_ or val_ "
            f"likewise; it has {', '.join(arrays) or 'none'}"
        )
    values = np.unique(np.concatenate([labels for _, labels in pairs.values()]))
    classes = class_order([str(value) for value in values])
    number = {int(name): i for i, name in enumerate(classes)}
    splits = {
        split: (images, np.array([number[int(value)] for value in labels], np.int64))
        for split, (images, labels) in pairs.items()
    }
    if set(splits) == {"train"}:
        images, labels = splits["train"]
        parts = zip(("train", "test"), seeded_split(labels.tolist(), classes), strict=True)
        splits = {split: (images[index], labels[index]) for split, index in parts}
        layout = seeded_words(f"train_images of {len(classes)} classes")
        return ArraysFile(layout, tuple(classes), splits)
    prefixes = {split: f"{prefix}_images" for prefix, split in SPLITS.items() if split in splits}
    roles, layout = split_roles(prefixes, len(classes))
    return ArraysFile(
        layout, tuple(classes), {role: splits[split] for role, split in roles.items()}
    )


def image_arrays(file: Path, prefix: str, arrays: dict[str, np.ndarray]) -> Arrays:
    """Images and labels of one split.

    Raises:
        DataError: they are not bytes, no images, or not one whole label an image.
    """
    images, labels = arrays[f"{prefix}_images"], arrays.get(f"{prefix}_labels")
    if labels is None:
        raise DataError(f"{file} must have labels beside its images; it has no {prefix}_labels")
    if images.dtype != np.uint8 or not (
        images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
    ):
        raise DataError(
            f"{prefix}_images of {file} must be bytes (N, height, width) or (N, height, width, 3); "
            f"got {images.dtype} {images.shape}"
        )
    if labels.shape not in ((len(images),), (len(images), 1)) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{prefix}_labels of {file} must be one whole number an image; got {labels.dtype} "
            f"{labels.shape} for {len(images):,} images"
        )
    return images, labels.reshape(-1)


def decode_arrays(content: ArraysFile, size: int) -> DecodedDataset:
    """The dataset of a file of arrays, its images `size` pixels a side; grey ones stay so."""
    splits = {
        split: (to_square_arrays(images, size), labels)
        for split, (images, labels) in content.splits.items()
    }
    return DecodedDataset(
        classes=content.classes,
        train=splits["train"],
        test=splits["test"],
        validation=splits.get("validation"),
    )
