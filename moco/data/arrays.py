"""Datasets given as arrays: a file in MedMNIST's layout, or what a function of one's own returns.

The arrays are train_images, train_labels and so on, and perhaps names, those of the classes.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moco.data.checks import DataError, check_classes
from moco.data.decoding import Arrays, DecodedDataset, to_square_arrays
from moco.data.folders.listing import class_order, seeded_split, seeded_words, split_roles
from moco.own_code import call_own, import_named

SPLITS = {"train": "train", "val": "validation", "test": "test"}  # by the prefix of an array's name
SUFFIX = ".npz"
NAMES = "names"


class GivenArrays(NamedTuple):
    """Images and labels by split."""

    layout: str  # how they were read, for people
    classes: tuple[str, ...]
    splits: dict[str, Arrays]  # images (N, H, W) or (N, H, W, C), and labels (N,) from 0

    @property
    def size(self) -> int:
        """The shorter side of the training images in pixels."""
        return min(self.splits["train"][0].shape[1:3])

    def digest(self) -> str:
        """SHA-256 of everything."""
        digest = hashlib.sha256(repr((self.layout, self.classes)).encode())
        for split, arrays in sorted(self.splits.items()):
            digest.update(f"{split} {[array.shape for array in arrays]}".encode())
            for array in arrays:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def read_arrays_file(file: Path) -> GivenArrays:
    """The arrays of a file.

    Raises:
        DataError: it is no such file, or its arrays are no images with one label each.
    """
    try:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):
        raise DataError(
            f"{file} must be a file of arrays, as numpy's savez writes, without objects of Python; "
            "it is not, or is damaged"
        ) from None
    return sort_arrays(str(file), arrays)


def call_dataset(name: str) -> GivenArrays:
    """What a function of one's own returns: arrays by their names, or images, labels and names.

    Args:
        name: of the function, as my_module:photographs; it takes no argument.

    Raises:
        DataError: there is no such function, it raises, or returns something else.
    """
    problem = f"dataset {name} must be a function without arguments; it failed"
    try:
        found = call_own(problem, import_named(name))
    except ValueError as error:
        raise DataError(str(error)) from None
    if isinstance(found, tuple) and len(found) == 3:
        found = dict(zip(("train_images", "train_labels", NAMES), found, strict=True))
    if not isinstance(found, Mapping):
        raise DataError(
            f"dataset {name} must return images, labels and names of classes, or a dict of arrays "
            f"as train_images and train_labels; got {describe(found)}"
        )
    try:
        arrays = {str(key): np.asarray(value) for key, value in found.items() if value is not None}
    except (
        TypeError,
        ValueError,
    ):  # numpy's words on lists of several shapes, torch's on its kinds
        raise DataError(
            f"dataset {name} must return arrays of numpy: images of one size as bytes (N, height, "
            "width, 3), labels as whole numbers; images of several sizes are read from a folder"
        ) from None
    return sort_arrays(name, arrays)


def describe(value: object) -> str:
    """What a value is, in a word."""
    return "None" if value is None else type(value).__name__


def sort_arrays(place: str, arrays: Mapping[str, np.ndarray]) -> GivenArrays:
    """Arrays by their names as splits.

    Args:
        place: where they are from, for people.

    Raises:
        DataError: a name is missing, or arrays are no images with one label each.
    """
    pairs = {
        split: image_arrays(place, prefix, arrays)
        for prefix, split in SPLITS.items()
        if f"{prefix}_images" in arrays
    }
    if "train" not in pairs:
        raise DataError(
            f"{place} must hold the arrays train_images and train_labels, and test_ or val_ "
            f"likewise; it has {', '.join(arrays) or 'none'}"
        )
    values = np.unique(np.concatenate([labels for _, labels in pairs.values()]))
    classes, number = label_classes(place, values, arrays.get(NAMES))
    splits = {
        split: (images, np.array([number[int(value)] for value in labels], np.int64))
        for split, (images, labels) in pairs.items()
    }
    if set(splits) == {"train"}:
        images, labels = splits["train"]
        parts = zip(("train", "test"), seeded_split(labels.tolist(), classes), strict=True)
        splits = {split: (images[index], labels[index]) for split, index in parts}
        layout = seeded_words(f"train_images of {len(classes)} classes")
        return GivenArrays(layout, classes, splits)
    prefixes = {split: f"{prefix}_images" for prefix, split in SPLITS.items() if split in splits}
    roles, layout = split_roles(prefixes, len(classes))
    return GivenArrays(layout, classes, {role: splits[split] for role, split in roles.items()})


def label_classes(
    place: str, values: np.ndarray, names: np.ndarray | None
) -> tuple[tuple[str, ...], dict[int, int]]:
    """The classes of label values, and each value's class; without names the values are those.

    Raises:
        DataError: a value is not the place of a name.
    """
    if names is None:
        if len(values) and values[0] < 0:
            raise DataError(f"labels of {place} must be 0 or more; got {values[0]}")
        classes = class_order([str(value) for value in values])
        check_classes({"train_labels": classes}, place)
        return tuple(classes), {int(name): i for i, name in enumerate(classes)}
    words = [str(name) for name in names] if names.ndim == 1 and names.dtype.kind in "UOiu" else []
    if len(words) < 2 or len(set(words)) < len(words):
        raise DataError(
            f"names of {place} must be a list of two or more words, each once; got "
            f"{words or names.dtype}"
        )
    if len(values) and not 0 <= values[0] <= values[-1] < len(names):
        raise DataError(
            f"labels of {place} must be places in its {len(words)} names, from 0; "
            f"got {', '.join(str(value) for value in values[:20])}"
        )
    return tuple(words), {i: i for i in range(len(words))}


def image_arrays(place: str, prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Images and labels of one split.

    Raises:
        DataError: they are not bytes, no images, or not one whole label an image.
    """
    images, labels = arrays[f"{prefix}_images"], arrays.get(f"{prefix}_labels")
    if labels is None:
        raise DataError(f"{place} must have labels beside its images; it has no {prefix}_labels")
    has_shape = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
    if images.dtype != np.uint8 or not has_shape or 0 in images.shape[1:3]:
        raise DataError(
            f"{prefix}_images of {place} must be bytes (N, height, width) or (N, height, width, "
            f"3); got {images.dtype} {images.shape}"
        )
    if labels.shape not in ((len(images),), (len(images), 1)) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{prefix}_labels of {place} must be one whole number an image; got {labels.dtype} "
            f"{labels.shape} for {len(images):,} images"
        )
    if labels.dtype == np.uint64 and len(labels) and labels.max() > np.iinfo(np.int64).max:
        raise DataError(f"{prefix}_labels of {place} must be below 2^63; got {labels.max()}")
    return images, labels.reshape(-1).astype(np.int64)


def decode_arrays(given: GivenArrays, size: int) -> DecodedDataset:
    """The dataset of arrays, its images `size` pixels a side; grey ones stay so."""
    splits = {
        split: (to_square_arrays(images, size), labels)
        for split, (images, labels) in given.splits.items()
    }
    return DecodedDataset(
        classes=given.classes,
        train=splits["train"],
        test=splits["test"],
        validation=splits.get("validation"),
    )
