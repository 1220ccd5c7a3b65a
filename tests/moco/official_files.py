"""Small files in the formats of the datasets' publishers.

torchvision's checksums are replaced by those of these files.
"""

import hashlib
import pickle

import numpy as np
import scipy.io
import torchvision.datasets as official

PER_CLASS = 3


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(count, *shape):
    return np.random.default_rng(0).integers(0, 255, (count, *shape), dtype=np.uint8)


def write_cifar(root, monkeypatch, loader, *, parts, test_part, label_key, names_key, classes):
    """Pickled rows of 3072 bytes: red, green, blue, each 32 x 32 by rows."""
    base = root / loader.base_folder
    base.mkdir()
    for part in [*parts, test_part]:
        labels = [i % classes for i in range(classes * PER_CLASS)]
        (base / part).write_bytes(
            pickle.dumps({"data": pixels(len(labels), 3072), label_key: labels})
        )
    (base / loader.meta["filename"]).write_bytes(
        pickle.dumps({names_key: [f"class {i}" for i in range(classes)]})
    )
    monkeypatch.setattr(loader, "train_list", [[part, md5(base / part)] for part in parts])
    monkeypatch.setattr(loader, "test_list", [[test_part, md5(base / test_part)]])
    monkeypatch.setattr(loader, "meta", {**loader.meta, "md5": md5(base / loader.meta["filename"])})
    labels = [i % classes for i in range(classes * PER_CLASS)]
    return pixels(len(labels), 3072).reshape(-1, 3, 32, 32), labels


def write_cifar10(root, monkeypatch):
    parts = [f"data_batch_{i}" for i in range(1, 6)]
    return write_cifar(
        root,
        monkeypatch,
        official.CIFAR10,
        parts=parts,
        test_part="test_batch",
        label_key="labels",
        names_key="label_names",
        classes=10,
    )


def write_cifar100(root, monkeypatch):
    return write_cifar(
        root,
        monkeypatch,
        official.CIFAR100,
        parts=["train"],
        test_part="test",
        label_key="fine_labels",
        names_key="fine_label_names",
        classes=100,
    )


def write_stl10(root, monkeypatch, per_class=PER_CLASS, more=7):
    """Bytes of 3 x 96 x 96 by columns; labels from 1; names by line."""
    base = root / "stl10_binary"
    base.mkdir()
    labels = np.arange(10 * per_class) % 10
    images = pixels(len(labels), 3, 96, 96)
    for split, count in (("train", len(labels)), ("test", len(labels)), ("unlabeled", more)):
        images[:count].transpose(0, 1, 3, 2).tofile(base / f"{split}_X.bin")
        if split != "unlabeled":
            (labels + 1).astype(np.uint8).tofile(base / f"{split}_y.bin")
    (base / "class_names.txt").write_text("".join(f"class {i}\n" for i in range(10)))
    (base / "fold_indices.txt").write_text("")
    monkeypatch.setattr(
        official.STL10,
        "train_list",
        [[name, md5(base / name)] for name in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")],
    )
    monkeypatch.setattr(
        official.STL10,
        "test_list",
        [[name, md5(base / name)] for name in ("test_X.bin", "test_y.bin")],
    )
    return images, labels.tolist()


def write_svhn(root, monkeypatch, per_class=PER_CLASS, more=7):
    """MATLAB arrays: X of 32 x 32 x 3 x N, y of labels 1 to 10, where 10 is the digit 0."""
    labels = np.arange(10 * per_class) % 10
    images = pixels(len(labels), 3, 32, 32)
    lists = {}
    for split, count in (("train", len(labels)), ("test", len(labels)), ("extra", more)):
        file = root / f"{split}_32x32.mat"
        scipy.io.savemat(
            file,
            {
                "X": images[:count].transpose(2, 3, 1, 0),
                "y": np.where(labels == 0, 10, labels)[:count, None].astype(np.uint8),
            },
        )
        lists[split] = [official.SVHN.split_list[split][0], file.name, md5(file)]
    monkeypatch.setattr(official.SVHN, "split_list", lists)
    return images, labels.tolist()
