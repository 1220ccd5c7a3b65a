"""A dataset as arrays: decoded once, kept in a cache that all trials on a node map into memory, split by seed."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from moco.config import Config
from moco.datasets import DATASETS, FOLDER_VIEWS, Raw, Row, class_names, folder, image_files
from moco.guard import DataError, check_labels
from moco.seed import Source, derived_seed

FORMAT = 2  # of the cache


class Split(NamedTuple):
    """Images and labels."""

    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,)


class Dataset(NamedTuple):
    """A decoded dataset."""

    name: str
    title: str  # for people
    bundled: bool  # toy data that no claim about photographs can rest on
    views: str  # its recipe's name
    classes: tuple[str, ...]
    train: Split
    test: Split
    mean: tuple[float, ...]  # of a channel over the training images, in [0, 1]
    std: tuple[float, ...]
    fingerprint: str  # SHA-256 of classes, images and labels


class Splits(NamedTuple):
    """What a trial uses: the training split is carved into one for training and one for choosing."""

    train: Split
    validation: Split
    test: Split


def prepare(name: str, size: int, data_dir: Path) -> Path:
    """Decodes the dataset unless the cache holds it already; the folder of its arrays.

    Args:
        name: a name of DATASETS, or the path of a folder of images.
        size: pixels a side.
        data_dir: holds downloads and the cache.

    Raises:
        DataError: no such dataset, or it is not fit for use.
    """
    found = DATASETS.get(name)
    root = Path(name)
    if not found and not root.is_dir():
        raise DataError(f"dataset must be one of {', '.join(DATASETS)}, or a folder of train/<class>/* and test/<class>/*; got {name!r}")
    key = f"{name}-{size}" if found else f"{root.absolute().name}-{size}-{listing(root)}"
    target = data_dir / "cache" / f"v{FORMAT}-{key}"
    if not is_whole(target):
        shutil.rmtree(target, ignore_errors=True)
        raw = found.load(data_dir, size) if found else folder(root, size)
        for split, (_, labels) in (("train", raw.train), ("test", raw.test)):
            check_labels(split, labels, raw.classes)
        source = found or Row(f"folder {root.absolute().name}", folder, FOLDER_VIEWS)
        write_cache(target, name if found else root.absolute().name, raw, source)
        load.cache_clear()
    return target


def fingerprint(classes: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
    """SHA-256 of the class names and of every byte of images and labels."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def is_whole(cached: Path) -> bool:
    """Whether a cache folder holds what its fingerprint says; a damaged one is decoded again, never trusted."""
    try:
        dataset = load(cached)
        arrays = [part.numpy() for split in (dataset.train, dataset.test) for part in split]
        return fingerprint(dataset.classes, arrays) == dataset.fingerprint
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return False


def listing(root: Path) -> str:
    """A short hash of path, size and time of every image file below a folder: it changes when the folder does."""
    digest = hashlib.sha256(str(root.resolve()).encode())
    for split in ("train", "test"):
        names = class_names(root / split) if (root / split).is_dir() else []
        digest.update(repr(names).encode(errors="surrogateescape"))
        for path in image_files(root / split):
            state = path.stat()
            digest.update(f"{path.relative_to(root)} {state.st_size} {state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def write_cache(target: Path, name: str, raw: Raw, source: Row) -> None:
    """Writes the arrays beside their target and moves them there in one step."""
    pixels = raw.train[0].astype(np.float32) / 255 if len(raw.train[0]) < 20_000 else raw.train[0][::5].astype(np.float32) / 255
    facts = {
        "name": name,
        "title": source.title,
        "bundled": source.bundled,
        "views": source.views,
        "classes": raw.classes,
        "mean": [round(float(x), 4) for x in pixels.mean((0, 2, 3))],
        "std": [max(round(float(x), 4), 1e-4) for x in pixels.std((0, 2, 3))],
        "fingerprint": fingerprint(raw.classes, (*raw.train, *raw.test)),
    }
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    for split, (images, labels) in (("train", raw.train), ("test", raw.test)):
        np.save(draft / f"{split}_images.npy", images)
        np.save(draft / f"{split}_labels.npy", labels)
    (draft / "dataset.json").write_text(json.dumps(facts))
    try:
        draft.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(draft)


@lru_cache(maxsize=2)
def load(cached: Path) -> Dataset:
    """The dataset of a cache folder; its images are pages that all processes of the machine share."""
    facts = json.loads((cached / "dataset.json").read_text())
    train, test = (read_arrays(cached, split) for split in ("train", "test"))
    return Dataset(
        facts["name"], facts["title"], facts["bundled"], facts["views"], tuple(facts["classes"]), train, test,
        tuple(facts["mean"]), tuple(facts["std"]), facts["fingerprint"],
    )  # fmt: skip


def read_arrays(cached: Path, split: str) -> Split:
    """One split of a cache folder, mapped into memory."""
    images = np.load(cached / f"{split}_images.npy", mmap_mode="c")  # copy-on-write: torch wants a writable array
    return Split(torch.from_numpy(images), torch.from_numpy(np.load(cached / f"{split}_labels.npy")))


def carve(dataset: Dataset, config: Config) -> Splits:
    """Holds out a share of every class for validation and keeps `train_images` of the rest, by `split_seed`.

    Raises:
        DataError: a class is too small for it.
    """
    labels = dataset.train.labels.numpy()
    draws = np.random.default_rng(derived_seed(config.split_seed, Source.SPLIT))
    kept: list[np.ndarray] = []
    held: list[np.ndarray] = []
    for label, name in enumerate(dataset.classes):
        members = draws.permutation(np.flatnonzero(labels == label))
        count = round(len(members) * config.validation_share)
        quota = len(members) - count if not config.train_images else config.train_images // len(dataset.classes)
        if not 0 < count < len(members):
            told = f"class {name!r} has {len(members)} images"
            raise DataError(f"a class must be large enough to hold out {config.validation_share:.0%} of it for validation; {told}")
        if quota < 1:
            raise DataError(f"train_images must be 0 or at least one a class, {len(dataset.classes)}; got {config.train_images}")
        held.append(members[:count])
        kept.append(members[count : count + quota])
    return Splits(chosen(dataset.train, kept), chosen(dataset.train, held), dataset.test)


def chosen(split: Split, indices: Sequence[np.ndarray]) -> Split:
    """The images at these indices, in the dataset's order."""
    index = torch.from_numpy(np.sort(np.concatenate(indices)))
    return Split(split.images[index], split.labels[index])
