"""Where a dataset comes from: found, and looked at, before it is decoded."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median_low
from typing import Any, NamedTuple

from PIL import Image

from moco.data import arrays
from moco.data.checks import DataError
from moco.data.datasets import DATASETS
from moco.data.decoding import DecodedDataset, decode_listing
from moco.data.folders.layouts import list_folder
from moco.data.folders.listing import Listing
from moco.own_code import is_own

OWN_VIEWS, FOLDER_SIZE = "moco_cifar", 32  # recipe of one's own images, pixels a side of a folder's
MOST_MEASURED = 200  # files of which the size is looked at


class Source(NamedTuple):
    """A dataset that can be decoded."""

    name: str
    title: str  # for people
    size: int  # default pixels a side
    images: int  # training images, those to be held out among them
    classes: int
    decode: Callable[[Path, int, bool], DecodedDataset]  # data folder, pixels a side, extra split?
    views: str = OWN_VIEWS
    bundled: bool = False
    extra: str = ""  # name of a further split for pretraining
    extra_images: int = 0  # of it, where that is known before they are read
    mark: str = ""  # tells its content from others of its name; empty: the name does
    facts: dict[str, Any] = {}  # further ones for the cache: how it was read  # noqa: RUF012
    files: tuple[Path, ...] = ()  # some image files of one's own
    is_own: bool = True  # whether it is no dataset of DATASETS

    def side(self) -> int:
        """The median shorter side of its images in pixels."""
        sides = []
        for file in self.files:
            try:
                with Image.open(file) as image:
                    sides.append(min(image.size))
            except (OSError, ValueError, Image.DecompressionBombError):
                continue  # decoding says what is wrong with it
        return median_low(sides) if sides else self.size


def open_source(name: str) -> Source:
    """The dataset of a name.

    Args:
        name: a name of DATASETS, the path of a folder of images or of an .npz file, or that of a
            function of one's own, as my_module:photographs.

    Raises:
        DataError: there is no such dataset.
    """
    if name in DATASETS:
        return named_source(name)
    if Path(name).is_dir():
        return folder_source(Path(name))
    if Path(name).suffix == arrays.SUFFIX and Path(name).is_file():
        file = Path(name)
        state = file.stat()
        mark = hashlib.sha256(f"{file.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
        given = arrays.read_arrays_file(file)
        return arrays_source(given, file.stem, f"file {file.name}", mark.hexdigest())
    if is_own(name):  # called each time, since its source does not tell its data
        given = arrays.call_dataset(name)
        return arrays_source(given, name.rpartition(":")[2], name, given.digest())
    raise DataError(
        f"dataset must be one of {', '.join(DATASETS)}, a folder of images, as "
        f"train/<class>/* and test/<class>/*, an .npz file of arrays, or a function of your own, "
        f"as my_module:photographs; got {name!r}"
    )


def named_source(name: str) -> Source:
    """`open_source` for a row of DATASETS."""
    row = DATASETS[name]
    return Source(
        name=name,
        title=row.title,
        size=row.size,
        images=row.images,
        classes=row.classes,
        decode=row.load,
        views=row.views,
        bundled=row.bundled,
        extra=row.extra,
        is_own=False,
    )


def folder_source(root: Path) -> Source:
    """`open_source` for a folder of images."""
    listing = list_folder(root)
    files = listing.splits["train"].paths
    return Source(
        name=root.absolute().name,
        title=f"folder {root.absolute().name}",
        size=FOLDER_SIZE,
        images=len(files),
        classes=len(listing.classes),
        decode=partial(decode_folder, listing),
        extra="unlabelled" if "unlabelled" in listing.splits else "",
        extra_images=len(listing.splits["unlabelled"].paths)
        if "unlabelled" in listing.splits
        else 0,
        mark=listing_hash(root, listing),
        facts={"layout": listing.layout, "skipped": listing.skipped},
        files=tuple(files[:: max(1, len(files) // MOST_MEASURED)]),
    )


def decode_folder(listing: Listing, data_dir: Path, size: int, extra: bool) -> DecodedDataset:
    """The decoded images of a folder; nothing is read from the data folder."""
    return decode_listing(listing, size, extra)


def arrays_source(given: arrays.GivenArrays, name: str, title: str, mark: str) -> Source:
    """`open_source` for arrays."""
    return Source(
        name=name,
        title=title,
        size=given.size,
        images=len(given.splits["train"][1]),
        classes=len(given.classes),
        decode=partial(decode_given, given),
        mark=mark[:12],
        facts={"layout": given.layout},
    )


def decode_given(
    given: arrays.GivenArrays, data_dir: Path, size: int, extra: bool
) -> DecodedDataset:
    """The decoded arrays; nothing is read from the data folder."""
    return arrays.decode_arrays(given, size)


def listing_hash(root: Path, listing: Listing) -> str:
    """12 digits of the SHA-256 of a folder's reading, and of every file's size and time."""
    digest = hashlib.sha256(str(root.resolve()).encode())
    digest.update(repr((listing.layout, listing.classes)).encode(errors="surrogateescape"))
    for split, files in listing.splits.items():
        for path, label in zip(files.paths, files.labels, strict=True):
            state = path.stat()
            line = f"{split} {label} {path.relative_to(root)} {state.st_size} {state.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]
