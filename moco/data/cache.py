"""A dataset as arrays: decoded once, kept in a cache that all trials on a node map into memory."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
import numpy as np
import torch
from torch import Tensor
from moco.config import Config
from moco.data.datasets import DATASETS, FOLDER_SIZE, FOLDER_VIEWS
from moco.data.image_folder import Raw, class_names, folder, image_files
from moco.data.dataset import Dataset, Split
from moco.data.checks import DataError, check_labels

FORMAT = 4  # of the cache


def prepare(name: str, size: int, data_dir: Path, pretrain_split: str = "train") -> Path:
    """Decodes the dataset unless the cache holds it already; the folder of its arrays.

    Args:
        name: a name of DATASETS, or the path of a folder of images.
        size: pixels a side; 0: the dataset's own.
        data_dir: holds downloads and the cache.
        pretrain_split: `Config.pretrain_split`; a further split is read only where it is asked for.

    Raises:
        DataError: no such dataset, or it is not fit for use.
    """
    found, root = DATASETS.get(name), Path(name)
    if not found and not root.is_dir():
        raise DataError(f"dataset must be one of {', '.join(DATASETS)}, or a folder of train/<class>/* and test/<class>/*; got {name!r}")
    further = found.extra if found else ""
    allowed = ["train", *([further, f"train+{further}"] if further else [])]
    if pretrain_split not in allowed:
        raise DataError(f"pretrain_split of {name} must be one of {', '.join(allowed)}; got {pretrain_split!r}")
    extra = further if pretrain_split != "train" else ""
    size = size or (found.size if found else FOLDER_SIZE)
    key = "-".join([name, str(size), *([extra] if extra else [])]) if found else f"{root.absolute().name}-{size}-{listing(root)}"
    target = data_dir / "cache" / f"v{FORMAT}-{key}"
    if not is_whole(target):
        shutil.rmtree(target, ignore_errors=True)
        raw = found.load(data_dir, size, bool(extra)) if found else folder(root, size)
        for split, (_, labels) in (("train", raw.train), ("test", raw.test)):
            check_labels(split, labels, raw.classes)
        about = {"name": name, "title": found.title, "bundled": found.bundled, "views": found.views} if found else of_folder(root)
        write_cache(target, {**about, "extra_name": extra}, raw)
        load.cache_clear()
    return target


def of_folder(root: Path) -> dict[str, Any]:
    """What the row of a named dataset says, for a folder."""
    return {"name": root.absolute().name, "title": f"folder {root.absolute().name}", "bundled": False, "views": FOLDER_VIEWS}


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
        arrays = [part.numpy() for split in (dataset.train, dataset.test, dataset.extra) if split for part in split]
        return fingerprint(dataset.classes, arrays) == dataset.fingerprint
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return False


def listing(root: Path) -> str:
    """A short hash of path, size and time of every image file below a folder: it changes when the folder does."""
    digest = hashlib.sha256(str(root.resolve()).encode())
    for split in ("train", "test"):
        names = class_names(root / split) if (root / split).is_dir() else []
        digest.update(repr(names).encode(errors="surrogateescape"))
        for path in (path for name in names for path in image_files(root / split / name)):
            state = path.stat()
            digest.update(f"{path.relative_to(root)} {state.st_size} {state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def write_cache(target: Path, about: dict[str, Any], raw: Raw) -> None:
    """Writes the arrays beside their target and moves them there in one step."""
    mean, std = channel_statistics(raw.train[0])
    splits = {"train": raw.train, "test": raw.test, **({"extra": raw.extra} if raw.extra else {})}
    facts = {
        **about,
        "classes": raw.classes,
        "mean": [round(float(x), 4) for x in mean],
        "std": [max(round(float(x), 4), 1e-4) for x in std],
        "modes": raw.modes,
        "sizes": raw.sizes,
        "fingerprint": fingerprint(raw.classes, [array for split in splits.values() for array in split]),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for split, (images, labels) in splits.items():
            np.save(draft / f"{split}_images.npy", images)
            np.save(draft / f"{split}_labels.npy", labels)
        (draft / "dataset.json").write_text(json.dumps({**facts, "checksum": checksum(facts)}))
        draft.chmod(0o755)
        with suppress(OSError):  # another process was first
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def checksum(facts: dict[str, Any]) -> str:
    """SHA-256 of what dataset.json says besides."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def channel_statistics(images_NCHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel in [0, 1], from counts of the 256 values: no copy of the images is made."""
    shades = np.arange(256) / 255
    counts = [sum(np.bincount(part[:, c].ravel(), minlength=256) for part in np.array_split(images_NCHW, 64)) for c in range(images_NCHW.shape[1])]
    shares = np.array(counts) / max(1, images_NCHW[:, 0].size)
    mean = shares @ shades
    return mean, np.sqrt((shares * (shades - mean[:, None]) ** 2).sum(1))


@lru_cache(maxsize=2)
def load(cached: Path) -> Dataset:
    """The dataset of a cache folder; its images are pages that all processes of the machine share."""
    facts = json.loads((cached / "dataset.json").read_text())
    if facts.pop("checksum") != checksum(facts):
        raise ValueError(f"{cached} is damaged")
    arrays = {split: read_arrays(cached, split) for split in ("train", "test", *(["extra"] if facts["extra_name"] else []))}
    facts |= {name: tuple(facts[name]) for name in ("classes", "mean", "std")}
    return Dataset(**facts, train=arrays["train"], test=arrays["test"], extra=arrays.get("extra"))


def read_arrays(cached: Path, split: str) -> Split:
    """One split of a cache folder, mapped into memory."""
    images = np.load(cached / f"{split}_images.npy", mmap_mode="c")  # copy-on-write: torch wants a writable array
    return Split(torch.from_numpy(images), torch.from_numpy(np.load(cached / f"{split}_labels.npy")))
