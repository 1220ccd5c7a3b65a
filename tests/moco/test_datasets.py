"""Each named dataset is read by torchvision's loader from small files in the official binary format, written here."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.io
import torchvision.datasets as official

from moco import data
from moco.config import Config
from moco.datasets import DATASETS
from moco.guard import DataError
from moco.splits import carve

PER_CLASS = 3


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(count, *shape):
    return np.random.default_rng(0).integers(0, 255, (count, *shape), dtype=np.uint8)


def write_cifar(root, monkeypatch, loader, parts, test_part, label_key, names_key, classes):
    """Pickled rows of 3072 bytes: red, green, blue, each 32 x 32 by rows."""
    base = root / loader.base_folder
    base.mkdir()
    for part in [*parts, test_part]:
        labels = [i % classes for i in range(classes * PER_CLASS)]
        (base / part).write_bytes(pickle.dumps({"data": pixels(len(labels), 3072), label_key: labels}))
    (base / loader.meta["filename"]).write_bytes(pickle.dumps({names_key: [f"class {i}" for i in range(classes)]}))
    monkeypatch.setattr(loader, "train_list", [[part, md5(base / part)] for part in parts])
    monkeypatch.setattr(loader, "test_list", [[test_part, md5(base / test_part)]])
    monkeypatch.setattr(loader, "meta", {**loader.meta, "md5": md5(base / loader.meta["filename"])})
    return pixels(classes * PER_CLASS, 3072).reshape(-1, 3, 32, 32), [i % classes for i in range(classes * PER_CLASS)]


def write_cifar10(root, monkeypatch):
    parts = [f"data_batch_{i}" for i in range(1, 6)]
    return write_cifar(root, monkeypatch, official.CIFAR10, parts, "test_batch", "labels", "label_names", 10)


def write_cifar100(root, monkeypatch):
    return write_cifar(root, monkeypatch, official.CIFAR100, ["train"], "test", "fine_labels", "fine_label_names", 100)


def write_stl10(root, monkeypatch):
    """Bytes of 3 x 96 x 96 by columns; labels from 1; names by line."""
    base = root / "stl10_binary"
    base.mkdir()
    labels = np.arange(10 * PER_CLASS) % 10
    images = pixels(len(labels), 3, 96, 96)
    for split, count in (("train", len(labels)), ("test", len(labels)), ("unlabeled", 7)):
        images[:count].transpose(0, 1, 3, 2).tofile(base / f"{split}_X.bin")
        if split != "unlabeled":
            (labels + 1).astype(np.uint8).tofile(base / f"{split}_y.bin")
    (base / "class_names.txt").write_text("".join(f"class {i}\n" for i in range(10)))
    (base / "fold_indices.txt").write_text("")
    monkeypatch.setattr(official.STL10, "train_list", [[name, md5(base / name)] for name in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")])
    monkeypatch.setattr(official.STL10, "test_list", [[name, md5(base / name)] for name in ("test_X.bin", "test_y.bin")])
    return images, labels.tolist()


def write_svhn(root, monkeypatch):
    """MATLAB arrays: X of 32 x 32 x 3 x N, y of labels 1 to 10, where 10 is the digit 0."""
    labels = np.arange(10 * PER_CLASS) % 10
    images = pixels(len(labels), 3, 32, 32)
    lists = {}
    for split, count in (("train", len(labels)), ("test", len(labels)), ("extra", 7)):
        file = root / f"{split}_32x32.mat"
        scipy.io.savemat(file, {"X": images[:count].transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:count, None].astype(np.uint8)})
        lists[split] = [official.SVHN.split_list[split][0], file.name, md5(file)]
    monkeypatch.setattr(official.SVHN, "split_list", lists)
    return images, labels.tolist()


WRITERS = {"cifar10": write_cifar10, "cifar100": write_cifar100, "stl10": write_stl10, "svhn": write_svhn}
OFFICIAL = [name for name, row in DATASETS.items() if not row.bundled]


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_files_give_their_images_and_labels(tmp_path, monkeypatch, name):
    images, labels = WRITERS[name](tmp_path, monkeypatch)
    size = images.shape[2]
    dataset = data.load(data.prepare(name, size, tmp_path))
    repeats = len(dataset.train.labels) // len(labels)
    assert dataset.train.labels.tolist() == labels * repeats
    assert dataset.test.labels.tolist() == labels
    np.testing.assert_array_equal(dataset.test.images.numpy(), images)
    np.testing.assert_array_equal(dataset.train.images[: len(images)].numpy(), images)
    assert len(dataset.classes) == len(set(labels))
    assert dataset.extra is None


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_field_resizes_them(tmp_path, monkeypatch, name):
    WRITERS[name](tmp_path, monkeypatch)
    assert data.load(data.prepare(name, 24, tmp_path)).train.images.shape[1:] == (3, 24, 24)


@pytest.mark.parametrize("name", [name for name, row in DATASETS.items() if row.extra])
def test_the_further_split_is_pretrained_on_by_its_name_and_read_only_then(tmp_path, monkeypatch, name):
    WRITERS[name](tmp_path, monkeypatch)
    extra = DATASETS[name].extra
    dataset = data.load(data.prepare(name, 24, tmp_path, extra))
    config = replace(Config(), validation_share=0.34)
    assert len(dataset.extra.images) == 7
    assert len(carve(dataset, replace(config, pretrain_split=extra)).pretrain) == 7
    both = carve(dataset, replace(config, pretrain_split=f"train+{extra}"))
    assert len(both.pretrain) == 7 + len(both.train.labels)
    assert carve(dataset, config).pretrain is not None
    with pytest.raises(DataError, match=f"pretrain_split of {name} must be one of train, {extra}, train\\+{extra}; got 'more'"):
        data.prepare(name, 24, tmp_path, "more")
    with pytest.raises(DataError, match="was not prepared"):
        carve(data.load(data.prepare(name, 24, tmp_path)), replace(config, pretrain_split=extra))


@pytest.mark.parametrize(("name", "needed"), [("cifar10", "cifar-10-batches-py"), ("cifar100", "cifar-100-python"), ("stl10", "stl10_binary"), ("svhn", "train_32x32.mat and test_32x32.mat")])  # fmt: skip
def test_what_cannot_be_downloaded_is_refused_with_what_to_put_where(tmp_path, monkeypatch, name, needed):
    loader = {"cifar10": official.CIFAR10, "cifar100": official.CIFAR100, "stl10": official.STL10, "svhn": official.SVHN}[name]
    monkeypatch.setattr(loader, "download", lambda self: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(DataError, match=rf"{name} is neither in .* nor could it be downloaded \(no network\); put .*{needed} into that folder"):
        data.prepare(name, 32, tmp_path)
