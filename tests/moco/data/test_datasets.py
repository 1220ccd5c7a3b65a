"""Named datasets, read by torchvision from small files in the official formats."""

from dataclasses import replace

import numpy as np
import pytest
import torchvision.datasets as official
from official_files import write_cifar10, write_cifar100, write_stl10, write_svhn

from moco.config import Config
from moco.data import cache
from moco.data.checks import DataError
from moco.data.datasets import DATASETS
from moco.data.splits import make_splits

WRITERS = {
    "cifar10": write_cifar10,
    "cifar100": write_cifar100,
    "stl10": write_stl10,
    "svhn": write_svhn,
}
OFFICIAL = [name for name, row in DATASETS.items() if not row.bundled]


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_files_give_their_images_and_labels(tmp_path, monkeypatch, name):
    images, labels = WRITERS[name](tmp_path, monkeypatch)
    size = images.shape[2]
    dataset = cache.load_dataset(cache.prepare(name, size, tmp_path))
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
    dataset = cache.load_dataset(cache.prepare(name, 24, tmp_path))
    assert dataset.train.images.shape[1:] == (3, 24, 24)


@pytest.mark.parametrize("name", [name for name, row in DATASETS.items() if row.extra])
def test_the_further_split_is_pretrained_on_by_its_name_and_read_only_then(
    tmp_path, monkeypatch, name
):
    WRITERS[name](tmp_path, monkeypatch)
    extra = DATASETS[name].extra
    dataset = cache.load_dataset(cache.prepare(name, 24, tmp_path, pretrain_split=extra))
    config = replace(Config(), validation_share=0.34)
    assert len(dataset.extra.images) == 7
    assert len(make_splits(dataset, replace(config, pretrain_split=extra)).pretrain) == 7
    both = make_splits(dataset, replace(config, pretrain_split=f"train+{extra}"))
    assert len(both.pretrain) == 7 + len(both.train.labels)
    assert make_splits(dataset, config).pretrain is not None
    allowed = f"train, {extra}, train\\+{extra}"
    with pytest.raises(
        DataError, match=f"pretrain_split of {name} must be one of {allowed}; got 'more'"
    ):
        cache.prepare(name, 24, tmp_path, pretrain_split="more")
    without_extra = cache.load_dataset(cache.prepare(name, 24, tmp_path))
    with pytest.raises(DataError, match="was not prepared"):
        make_splits(without_extra, replace(config, pretrain_split=extra))


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("cifar10", "cifar-10-batches-py"),
        ("cifar100", "cifar-100-python"),
        ("stl10", "stl10_binary"),
        ("svhn", "train_32x32.mat and test_32x32.mat"),
    ],
)
def test_what_cannot_be_downloaded_is_refused_with_what_to_put_where(
    tmp_path, monkeypatch, name, needed
):
    loader = {
        "cifar10": official.CIFAR10,
        "cifar100": official.CIFAR100,
        "stl10": official.STL10,
        "svhn": official.SVHN,
    }[name]
    monkeypatch.setattr(
        loader, "download", lambda self: (_ for _ in ()).throw(OSError("no network"))
    )
    with pytest.raises(
        DataError,
        match=rf"{name} is neither in .* nor could it be downloaded \(no network\); "
        rf"put .*{needed} into that folder",
    ):
        cache.prepare(name, 32, tmp_path)
