"""The cache of decoded datasets: arrays that all trials on a machine map into memory."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moco.data.checks import DataError, check_labels
from moco.data.dataset import Dataset, Split
from moco.data.decoding import DecodedDataset
from moco.data.sources import Source, open_source

FORMAT_VERSION = 5  # of the cache


def prepare(place: str | Source, size: int, data_dir: Path, pretrain_split: str = "train") -> Path:
    """Decode a dataset into the cache unless it is there already, and return its cache folder.

    Args:
        place: the dataset, or its name as `open_source` takes it.
        size: pixels a side; 0: the dataset's own.
        data_dir: holds downloads and the cache.
        pretrain_split: `Config.pretrain_split`; the extra split is read only if it is named here.

    Raises:
        DataError: no such dataset, or its data is unusable.
    """
    source = open_source(place) if isinstance(place, str) else place
    extra = requested_extra_split(source, pretrain_split)
    size = size or source.size
    parts = (source.name, str(size), source.mark, extra)
    return fill_cache(
        data_dir.absolute() / "cache" / f"v{FORMAT_VERSION}-{'-'.join(filter(None, parts))}",
        {
            "name": source.name,
            "title": source.title,
            "bundled": source.bundled,
            "views": source.views,
            "extra_name": extra,
            **source.facts,
        },
        decode=partial(source.decode, data_dir, size, bool(extra)),
    )


def requested_extra_split(source: Source, pretrain_split: str) -> str:
    """The extra split of a dataset if `pretrain_split` requests it; empty: it does not.

    Raises:
        DataError: the dataset has no such split.
    """
    extra = source.extra
    allowed = ["train", *([extra, f"train+{extra}"] if extra else [])]
    if pretrain_split not in allowed:
        raise DataError(
            f"pretrain_split of {source.name} must be one of {', '.join(allowed)}; got "
            f"{pretrain_split!r}"
        )
    return extra if pretrain_split != "train" else ""


def fingerprint(classes: Sequence[str], arrays: Sequence[np.ndarray]) -> str:
    """SHA-256 of the class names and of every byte of images and labels."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def is_intact(cached: Path, name: str) -> bool:
    """Whether a cache folder holds the dataset of that name and matches its fingerprint.

    Otherwise the dataset is decoded again.
    """
    try:
        dataset = load_dataset(cached)
        if dataset.name != name:
            return False
        arrays = [array.numpy() for split in dataset.splits.values() for array in split]
        return fingerprint(dataset.classes, arrays) == dataset.fingerprint
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return False


def fill_cache(target: Path, facts: dict[str, Any], decode: Callable[[], DecodedDataset]) -> Path:
    """Decode, check and write a dataset unless its cache folder is intact; return that folder.

    Raises:
        DataError: a label is out of range, or a class has no images.
    """
    if not is_intact(target, facts["name"]):
        shutil.rmtree(target, ignore_errors=True)
        decoded = decode()
        labelled = {"train": decoded.train, "test": decoded.test, "validation": decoded.validation}
        for split, arrays in labelled.items() if decoded.classes else ():
            if arrays is not None:
                check_labels(split, arrays[1], decoded.classes)
        write_cache(target, facts, decoded)
        load_dataset.cache_clear()
    return target


def write_cache(target: Path, facts: dict[str, Any], decoded: DecodedDataset) -> None:
    """Write the arrays into a draft folder, then rename it to the target in one step.

    Args:
        facts: `name`, `title`, `bundled`, `views` and `extra_name` of the Dataset, and of a folder
            `layout` and `skipped`.
    """
    mean, std = channel_statistics(decoded.train[0])
    further = {"extra": decoded.extra, "validation": decoded.validation}
    splits = {"train": decoded.train, "test": decoded.test}
    splits |= {name: arrays for name, arrays in further.items() if arrays is not None}
    arrays = [array for split in splits.values() for array in split]
    facts = {
        **facts,
        "classes": decoded.classes,
        "mean": [round(float(x), 4) for x in mean],
        "std": [max(round(float(x), 4), 1e-4) for x in std],
        "modes": decoded.modes,
        "sizes": decoded.sizes,
        "turned": decoded.turned,
        "splits": list(splits),
        "fingerprint": fingerprint(decoded.classes, arrays),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for split, (images, labels) in splits.items():
            np.save(draft / f"{split}_images.npy", images)
            np.save(draft / f"{split}_labels.npy", labels)
        (draft / "dataset.json").write_text(json.dumps({**facts, "checksum": checksum(facts)}))
        draft.chmod(0o755)
        with suppress(OSError):  # another process has written the same dataset
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def checksum(facts: dict[str, Any]) -> str:
    """SHA-256 of everything else in dataset.json."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def channel_statistics(images_NCHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C,) of uint8 images, in [0, 1].

    Computed from a histogram of the 256 values, which needs no copy of the images as floats.
    """
    values = np.arange(256) / 255
    counts = [
        sum(
            np.bincount(part[:, c].ravel(), minlength=256)
            for part in np.array_split(images_NCHW, 64)
        )
        for c in range(images_NCHW.shape[1])
    ]
    shares = np.array(counts) / max(1, images_NCHW[:, 0].size)
    mean = shares @ values
    return mean, np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1))


@lru_cache(maxsize=2)
def load_dataset(cached: Path) -> Dataset:
    """The dataset of a cache folder; all processes of the machine share the pages of its images.

    Raises:
        OSError: a file is missing.
        ValueError: dataset.json does not match its checksum.
    """
    facts = json.loads((cached / "dataset.json").read_text())
    if facts.pop("checksum") != checksum(facts):
        raise ValueError(f"{cached} is damaged")
    splits = {name: load_split(cached, name) for name in facts.pop("splits")}
    facts |= {name: tuple(facts[name]) for name in ("classes", "mean", "std")}
    return Dataset(**{"extra": None, **facts, **splits})


def load_split(cached: Path, name: str) -> Split:
    """One split of a cache folder, its images mapped into memory."""
    # copy-on-write, since torch requires a writable array
    images = np.load(cached / f"{name}_images.npy", mmap_mode="c")
    labels = np.load(cached / f"{name}_labels.npy")
    return Split(torch.from_numpy(images), torch.from_numpy(labels))
