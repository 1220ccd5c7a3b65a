"""Which of the usual layouts a folder has: split folders, class folders, a table, or no labels."""

from collections.abc import Iterable
from pathlib import Path

from moco.data.checks import DataError
from moco.data.folders.class_folders import (
    list_classes,
    list_splits,
    skip_beside,
    visible_folders,
)
from moco.data.folders.image_files import add_skipped, scan
from moco.data.folders.label_tables import find_table, list_table
from moco.data.folders.listing import SPLITS, UNLABELLED, Listing, without_labels


def list_folder(root: Path) -> Listing:
    """What a folder of images holds, and how it was read.

    Raises:
        DataError: no reading fits; the message says what is missing.
    """
    folders = visible_folders(root)
    splits = split_folders(root, folders)
    further = [path for path in folders if path.name.lower() in UNLABELLED]
    if has_splits := "train" in splits or "test" in splits:
        listing = list_splits(root, splits)
        parts = [("", listing.skipped), ("", skip_beside(root, [*splits.values(), *further]))]
        listing = listing._replace(skipped=add_skipped(parts))
    elif table := find_table(root):
        listing = list_table(root, table)
    else:
        listing = list_classes(root, [path for path in folders if path not in further])
    for folder in further if has_splits or listing.classes else ():  # else all were read together
        listing = add_unlabelled(listing, folder)
    return listing


def split_folders(root: Path, folders: Iterable[Path]) -> dict[str, Path]:
    """The folders that are splits, by the split that each is, train first.

    Raises:
        DataError: two of them are the same split.
    """
    found: dict[str, Path] = {}
    for path in folders:
        if split := SPLITS.get(path.name.lower()):
            if split in found:
                raise DataError(
                    f"a split must be one folder; {root} has {found[split].name}/ and {path.name}/"
                )
            found[split] = path
    return {split: found[split] for split in ("train", "validation", "test") if split in found}


def add_unlabelled(listing: Listing, folder: Path) -> Listing:
    """The listing with a folder of images without labels, a split of its own beside labelled."""
    found, split = scan(folder), "unlabelled" if listing.classes else "train"
    before = listing.splits[split].paths if split in listing.splits else []
    return listing._replace(
        layout=f"{listing.layout}; {len(found.files):,} more without labels in {folder.name}/",
        splits={**listing.splits, split: without_labels([*before, *found.files])},
        skipped=add_skipped([("", listing.skipped), (folder.name, found.skipped)]),
    )
