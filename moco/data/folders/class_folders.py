"""Class folders: a folder for each class, below a folder for each split or without splits."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from moco.data.checks import DataError, check_classes
from moco.data.folders.image_files import Scan, Skipped, add_skipped, scan
from moco.data.folders.label_tables import find_table, list_split_tables
from moco.data.folders.listing import (
    UNLABELLED,
    Files,
    Listing,
    assign_splits,
    split_by_seed,
    without_labels,
)

BESIDE = "images beside the folders of splits and classes"
EMPTY = "folders without images"


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones.

    Raises:
        DataError: a name is no text, so that no class can be called so.
    """
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    for path in found:
        try:
            path.name.encode()
        except UnicodeError:
            raise DataError(
                f"every folder's name must be text in UTF-8; {path.name!a} in {folder} is "
                "not. Rename it"
            ) from None
    return [path for path in found if not path.name.startswith(".")]


def list_splits(root: Path, folders: Mapping[str, Path]) -> Listing:
    """A folder with a folder for each split, and in them one for each class, or a table.

    Raises:
        DataError: it has no train split, or the splits have different classes.
    """
    if "train" not in folders:
        raise DataError(
            f"a dataset folder must hold train/<class>/* and test/<class>/*; {root} has no train/"
        )
    train = folders["train"]
    classes = {f"{path.name}/": visible_folders(path) for path in folders.values()}
    if find_table(train) and not classes[f"{train.name}/"]:
        return list_split_tables(root, folders)
    if set(folders) == {"train"}:
        listing = list_classes(train, classes[f"{train.name}/"])
        return listing._replace(layout=f"{train.name}/ alone: {listing.layout}")
    check_classes(
        {split: [path.name for path in found] for split, found in classes.items()}, where=str(root)
    )
    names = [path.name for path in classes[f"{train.name}/"]]
    scans = {split: [scan(path / name) for name in names] for split, path in folders.items()}
    parts = [
        (f"{path.name}/{name}", one.skipped)
        for split, path in folders.items()
        for name, one in zip(names, scans[split], strict=True)
    ]
    parts += [(path.name, skip_beside(path, classes[f"{path.name}/"])) for path in folders.values()]
    return assign_splits(
        {split: label_scans(found) for split, found in scans.items()},
        names,
        names={split: f"{path.name}/" for split, path in folders.items()},
        skipped=add_skipped(parts),
    )


def skip_beside(folder: Path, read: Iterable[Path]) -> dict[str, Skipped]:
    """What lies in a folder beside the folders that are read in it, by the reason to skip it."""
    found = scan(folder, {path.name.lower() for path in read})
    if not found.files:
        return found.skipped
    first = found.files[0].relative_to(folder).as_posix()
    return {**found.skipped, BESIDE: Skipped(len(found.files), first)}


def label_scans(scans: Sequence[Scan]) -> Files:
    """The files of class folders, the number of the folder their label."""
    paths = [path for one in scans for path in one.files]
    return Files(paths, [label for label, one in enumerate(scans) for _ in one.files])


def list_classes(root: Path, folders: Iterable[Path]) -> Listing:
    """Class folders without splits; where images lie beside them, or in one alone, no labels.

    Raises:
        DataError: there are no images.
    """
    found = {folder.name: scan(folder) for folder in folders}
    bare = [name for name, one in found.items() if not one.files]
    found = {name: one for name, one in found.items() if one.files}
    labelled = scan(root, UNLABELLED)
    if len(found) > 1 and all(path.parent != root for path in labelled.files):
        files, what = label_scans([*found.values()]), f"{len(found)} class folders"
        empty = {EMPTY: Skipped(len(bare), bare[0])} if bare else {}
        return split_by_seed(files, [*found], what=what, skipped={**labelled.skipped, **empty})
    every = scan(root)
    if not every.files:
        raise DataError(
            "a dataset folder must hold images, as train/<class>/* and test/<class>/*, as "
            f"<class>/*, or without labels; {root} has none. Is the path one level too high or too "
            "low?"
        )
    splits = {"train": without_labels(every.files), "test": without_labels([])}
    return Listing(f"{len(every.files):,} images without labels", (), splits, every.skipped)
