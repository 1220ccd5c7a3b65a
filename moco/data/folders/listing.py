"""What a folder of images holds: its splits, classes and labels, and how it was read."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moco.data.checks import DataError
from moco.data.folders.image_files import Skipped

# by the name of a folder, or a value of a table's column, in lower case
SPLITS = {
    "train": "train", "training": "train",
    "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
}  # fmt: skip
UNLABELLED = ("unlabelled", "unlabeled")
TEST_SHARE, SPLIT_SEED = 0.2, 0  # of a dataset without a test split
LEAST = 3  # images of a class that is split so: one to test on, two to learn from and choose by


class Files(NamedTuple):
    """Files of a split with their labels."""

    paths: list[Path]
    labels: list[int]  # -1: none


class Listing(NamedTuple):
    """What a folder of images holds."""

    layout: str  # how it was read, for people
    classes: tuple[str, ...]  # empty: no image has a label
    splits: dict[str, Files]  # train and test; validation and unlabelled where there are such
    skipped: dict[str, Skipped]  # by reason


def without_labels(paths: list[Path]) -> Files:
    """Files without labels."""
    return Files(paths, [-1] * len(paths))


def class_order(names: Iterable[str]) -> list[str]:
    """Class names sorted: by number where all are whole numbers."""
    names = list(names)
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def split_roles(names: Mapping[str, str], classes: int) -> tuple[dict[str, str], str]:
    """Which split serves as which, and that in words; a lone validation split is the test split.

    Args:
        names: of the splits train, test and validation, as far as they are there, for people.

    Returns:
        By the role of a split the split that plays it, and the words.
    """
    train, count = names["train"], f"{classes} classes"
    if len(names) == 3:
        words = f"{train}, {names['validation']} and {names['test']} of {count}; choices are made "
        return {name: name for name in names}, f"{words}on {names['validation']}"
    if "test" in names:
        return {"train": "train", "test": "test"}, f"{train} and {names['test']} of {count}"
    other = names["validation"]
    return {"train": "train", "test": "validation"}, (
        f"{train} and {other} of {count}; {other} is the test split, and images for choices are "
        f"held out of {train}"
    )


def assign_splits(
    files: Mapping[str, Files],
    classes: Sequence[str],
    *,
    names: Mapping[str, str],
    skipped: dict[str, Skipped],
) -> Listing:
    """The listing of these splits.

    Args:
        names: of the splits, for people.
    """
    roles, layout = split_roles(names, len(classes))
    splits = {role: files[split] for role, split in roles.items()}
    return Listing(layout, tuple(classes), splits, skipped)


def seeded_split(labels: Sequence[int], classes: Sequence[str]) -> tuple[list[int], list[int]]:
    """Places of the training and of the test images: a fifth of each class, always the same.

    Raises:
        DataError: a class has too few images.
    """
    generator = np.random.default_rng(SPLIT_SEED)
    train: list[int] = []
    test: list[int] = []
    for label, name in enumerate(classes):
        members = generator.permutation(np.flatnonzero(np.asarray(labels) == label))
        if len(members) < LEAST:
            raise DataError(
                f"a class that is to be split needs at least {LEAST} images; {name!r} has "
                f"{len(members)}"
            )
        held_out = max(1, round(len(members) * TEST_SHARE))
        test += members[:held_out].tolist()
        train += members[held_out:].tolist()
    return sorted(train), sorted(test)


def seeded_words(what: str) -> str:
    """The reading of a dataset that was split so."""
    return f"{what}; a fifth of each class, by seed {SPLIT_SEED}, is the test split"


def split_by_seed(
    files: Files, classes: Sequence[str], *, what: str, skipped: dict[str, Skipped]
) -> Listing:
    """The listing of labelled files of which a fifth of each class becomes the test split."""
    places = zip(("train", "test"), seeded_split(files.labels, classes), strict=True)
    splits = {
        split: Files([files.paths[i] for i in index], [files.labels[i] for i in index])
        for split, index in places
    }
    return Listing(seeded_words(what), tuple(classes), splits, skipped)
