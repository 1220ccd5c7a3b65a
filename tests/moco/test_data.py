"""Datasets and the guard: what is decoded, cached, split, refused and said."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from moco import data, guard
from moco.config import Config
from moco.datasets import fit, folder
from moco.facts import complete, facts_of, prepare
from moco.guard import DataError


def make_folder(root, classes=("cat", "dog"), count=12, mode="RGB", size=(20, 24)):
    draws = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(draws.integers(0, 255, (*size, 3), dtype=np.uint8)).convert(mode).save(root / split / name / f"{i}.png")
    return root


def test_digits_are_bundled_split_once_and_cached(tmp_path):
    cached = data.prepare("digits", 16, tmp_path)
    dataset = data.load(cached)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (1400, 397)
    assert dataset.train.images.shape[1:] == (1, 16, 16)
    assert data.prepare("digits", 16, tmp_path) == cached
    assert dataset.fingerprint == data.load(data.prepare("digits", 16, tmp_path / "other")).fingerprint
    assert dataset.fingerprint != data.load(data.prepare("digits", 8, tmp_path)).fingerprint


def test_validation_is_carved_evenly_by_seed_and_never_overlaps(tmp_path):
    dataset = data.load(data.prepare("digits", 8, tmp_path))
    splits = data.carve(dataset, Config())
    again = data.carve(dataset, Config(seed=5))
    assert torch.equal(splits.validation.images, again.validation.images)
    assert not torch.equal(splits.validation.images, data.carve(dataset, Config(split_seed=1)).validation.images)
    assert len(splits.train.labels) + len(splits.validation.labels) == 1400
    assert splits.validation.labels.bincount().min() >= 25
    assert len(data.carve(dataset, Config(train_images=100)).train.labels) == 100


def test_a_folder_of_images_of_any_mode_and_size_becomes_square_rgb(tmp_path):
    make_folder(tmp_path / "photos", mode="L")
    raw = folder(tmp_path / "photos", 16)
    assert raw.classes == ("cat", "dog")
    assert raw.train[0].shape == (24, 3, 16, 16)
    assert raw.test[1].tolist() == [0] * 12 + [1] * 12


def test_sixteen_bits_a_pixel_keep_their_shades(tmp_path):
    make_folder(tmp_path / "photos")
    ramp = np.linspace(0, 65535, 20 * 20).reshape(20, 20).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "photos" / "train" / "cat" / "0.png")
    image = folder(tmp_path / "photos", 20).train[0][0, 0]
    assert np.abs(image - ramp / 257).max() <= 1


def test_what_is_transparent_becomes_white_and_real_numbers_are_refused(tmp_path):
    root = make_folder(tmp_path / "photos")
    Image.new("RGBA", (20, 20), (200, 0, 0, 0)).save(root / "train" / "cat" / "0.png")
    assert folder(root, 20).train[0][0].min() == 255
    Image.fromarray(np.random.default_rng(0).random((20, 20), dtype=np.float32)).save(root / "train" / "cat" / "real.tif")
    with pytest.raises(DataError, match=r"cat/real\.tif is not \(its pixels are real numbers of an unknown range\)"):
        folder(root, 20)


def test_hidden_files_and_folders_are_no_data(tmp_path):
    root = make_folder(tmp_path / "photos")
    for hidden in (root / "train" / ".ipynb_checkpoints", root / "train" / "cat" / ".trash"):
        hidden.mkdir()
        Image.new("RGB", (20, 20)).save(hidden / "0.png")
    (root / "test" / "dog" / "._0.png").write_bytes(b"mac")
    raw = folder(root, 20)
    assert (raw.classes, len(raw.train[1]), len(raw.test[1])) == (("cat", "dog"), 24, 24)


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "dataset.json"])
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-40] + bytes(40)])
def test_a_damaged_cache_is_decoded_again_never_trusted(tmp_path, file, damage):
    cached = data.prepare("digits", 8, tmp_path)
    whole = data.load(cached).fingerprint
    path = cached / file
    path.write_bytes(damage(path.read_bytes()))
    data.load.cache_clear()
    assert data.load(data.prepare("digits", 8, tmp_path)).fingerprint == whole
    assert data.is_whole(cached)


def test_a_folder_named_like_a_dataset_is_still_a_folder(tmp_path):
    root = make_folder(tmp_path / "digits", count=40)
    dataset = data.load(data.prepare(str(root), 16, tmp_path / "data"))
    assert (dataset.title, dataset.bundled, dataset.classes) == ("folder digits", False, ("cat", "dog"))


def test_a_changed_folder_is_decoded_again(tmp_path):
    root = make_folder(tmp_path / "photos")
    first = data.prepare(str(root), 16, tmp_path / "data")
    assert data.prepare(str(root), 16, tmp_path / "data") == first
    Image.new("RGB", (20, 20)).save(root / "train" / "cat" / "new.png")
    second = data.prepare(str(root), 16, tmp_path / "data")
    assert data.load(second).fingerprint != data.load(first).fingerprint


def test_images_are_resized_by_the_shorter_side_and_cut_in_the_middle():
    wide = Image.new("RGB", (40, 20))
    wide.paste((255, 0, 0), (10, 0, 30, 20))
    assert np.asarray(fit(wide, 20)).min(axis=(0, 1)).tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "train").rename(root / "training"), "must hold train/<class>/\\* and test/<class>/\\*; .* has no train/"),
        (lambda root: [(root / split / "dog").rename(root / f"{split}-dog") for split in ("train", "test")], "at least two classes.*only 'cat'"),
        (
            lambda root: (root / "test" / "dog").rename(root / "test" / "wolf"),
            "same class folders; .* has 'dog' only in train/ and 'wolf' only in test/",
        ),
        (lambda root: (root / "test" / "dog" / "3.png").write_bytes(b"no image"), r"test/dog/3\.png is not \(cannot identify"),
        (lambda root: [path.unlink() for path in (root / "train" / "dog").iterdir()], "every class needs images in train; 'dog' has none"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_sentence(tmp_path, spoil, sentence):
    root = make_folder(tmp_path / "photos")
    spoil(root)
    with pytest.raises(DataError, match=sentence):
        data.prepare(str(root), 16, tmp_path / "data")


def test_an_unknown_dataset_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"dataset must be one of digits, cifar10, or a folder .* got 'imagenet'"):
        data.prepare("imagenet", 16, tmp_path)


def test_cifar10_is_read_from_the_official_files(tmp_path, monkeypatch):
    import hashlib

    from torchvision.datasets import CIFAR10

    base = tmp_path / "cifar-10-batches-py"
    base.mkdir()
    draws = np.random.default_rng(0)
    checks = {}
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        content = pickle.dumps({"data": draws.integers(0, 255, (20, 3072), dtype=np.uint8), "labels": [i % 10 for i in range(20)]})
        (base / name).write_bytes(content)
        checks[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    (base / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", checks[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checks["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": hashlib.md5(meta).hexdigest()})
    dataset = data.load(data.prepare("cifar10", 32, tmp_path))
    assert dataset.train.images.shape == (100, 3, 32, 32)
    assert dataset.classes == tuple("abcdefghij")


def test_cifar10_that_cannot_be_downloaded_is_refused_with_the_folder_to_fill(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "download", lambda self: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(DataError, match=r"neither in .* nor could it be downloaded \(no network\); put the folder cifar-10-batches-py"):
        data.prepare("cifar10", 32, tmp_path)


def test_duplicates_and_own_keys_in_the_queue_are_said():
    train = np.arange(40, dtype=np.uint8).reshape(10, 1, 2, 2)
    assert guard.duplicates(train, train[:3]) == 3
    assert guard.own_key_chance(4096, 50_000) == pytest.approx(0.0034, abs=1e-4)
    assert guard.own_key_chance(65_536, 50_000) == pytest.approx(0.76, abs=0.01)
    said = guard.warnings(train, train[:3], queue_size=8, images=10)
    assert len(said) == 2
    assert said[0].startswith("3 of 3 test images are also training images")
    assert "32%" in said[1]
    assert guard.warnings(train[:5], train[5:], queue_size=1, images=10) == []


def test_facts_name_counts_classes_and_chance(tmp_path):
    wish = {"image_size": 8, "width": 0.125, "batch_size": 64, "queue_size": 128}
    facts = facts_of(prepare("digits", wish, tmp_path), wish)
    assert facts["counts"] == {"train": 1120, "validation": 280, "test": 397}
    assert facts["chance"]["loss"] == pytest.approx(np.log(129))
    with pytest.raises(ValueError, match="batch_size must not exceed the training split; got 2048 for 1120 images"):
        facts_of(prepare("digits", wish, tmp_path), {**wish, "batch_size": 2048})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nonsense": 3}, "nonsense is no field of a trial; the fields are dataset, image_size"),
        ({"epochs": "many"}, "epochs must be a whole number; got 'many'"),
        ({"epochs": 2.5}, "epochs must be a whole number; got 2.5"),
        ({"lr": True}, "lr must be a number; got True"),
        ({"epochs": 0}, "epochs must be above 0; got 0"),
        ({"key_momentum": 1.5}, r"key_momentum must lie in \[0, 1\]; got 1.5"),
        ({"stem": "large"}, "stem must be one of small, imagenet; got 'large'"),
        ({"batch_size": 10, "batch_norm_splits": 4}, "multiple of batch_norm_splits"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd"),
    ],
)
def test_a_wrong_field_is_refused_with_what_is_allowed(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        complete(values, "digits")


def test_a_config_is_the_same_after_a_trip_through_json():
    import json

    values = complete({"lr": 3, "seed": 4}, "digits")
    assert json.loads(json.dumps(values)) == values
    assert Config.of(json.loads(json.dumps(values))).to_dict() == values
    assert values["lr"] == 3.0
