"""The cache of decoded datasets, and the fingerprint."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from moco.config import Config
from moco.data import cache
from moco.data.checks import DataError
from moco.data.dataset import normalisation_statistics


def test_digits_are_bundled_split_once_and_cached(tmp_path):
    cached = cache.prepare("digits", 16, tmp_path)
    dataset = cache.load_dataset(cached)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (1400, 397)
    assert dataset.train.images.shape[1:] == (1, 16, 16)
    assert cache.prepare("digits", 16, tmp_path) == cached
    same = cache.load_dataset(cache.prepare("digits", 16, tmp_path / "other"))
    smaller = cache.load_dataset(cache.prepare("digits", 8, tmp_path))
    assert dataset.fingerprint == same.fingerprint != smaller.fingerprint


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "dataset.json"])
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-40] + bytes(40)])
def test_a_damaged_cache_is_decoded_again_never_trusted(tmp_path, file, damage):
    cached = cache.prepare("digits", 8, tmp_path)
    whole = cache.load_dataset(cached).fingerprint
    path = cached / file
    path.write_bytes(damage(path.read_bytes()))
    cache.load_dataset.cache_clear()
    assert cache.load_dataset(cache.prepare("digits", 8, tmp_path)).fingerprint == whole
    assert cache.is_intact(cached, "digits")
    assert not cache.is_intact(cached, "shapes")


def test_a_folder_named_like_a_dataset_is_still_a_folder(tmp_path, make_folder):
    root = make_folder(tmp_path / "digits", count=40)
    dataset = cache.load_dataset(cache.prepare(str(root), 16, tmp_path / "data"))
    assert (dataset.title, dataset.bundled) == ("folder digits", False)
    assert dataset.classes == ("cat", "dog")


def test_a_changed_folder_is_decoded_again(tmp_path, make_folder):
    root = make_folder(tmp_path / "photos")
    first = cache.prepare(str(root), 16, tmp_path / "data")
    assert cache.prepare(str(root), 16, tmp_path / "data") == first
    Image.new("RGB", (20, 20)).save(root / "train" / "cat" / "new.png")
    second = cache.prepare(str(root), 16, tmp_path / "data")
    assert cache.load_dataset(second).fingerprint != cache.load_dataset(first).fingerprint


def test_an_unknown_dataset_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(
        DataError,
        match=r"dataset must be one of digits, shapes, cifar10, .* a folder .* an .npz file of arrays, or a function .*; got 'imagenet'",
    ):
        cache.prepare("imagenet", 16, tmp_path)


def test_what_dataset_json_says_is_not_trusted_when_it_was_changed(tmp_path):
    cached = cache.prepare("digits", 8, tmp_path)
    mean = cache.load_dataset(cached).mean
    facts = json.loads((cached / "dataset.json").read_text())
    (cached / "dataset.json").write_text(json.dumps({**facts, "mean": [99.0]}))
    cache.load_dataset.cache_clear()
    assert cache.load_dataset(cache.prepare("digits", 8, tmp_path)).mean == mean


def test_a_changed_class_folder_behind_a_link_is_decoded_again(tmp_path, make_folder):
    root = make_folder(tmp_path / "photos")
    (root / "train" / "cat").rename(tmp_path / "cat")
    (root / "train" / "cat").symlink_to(tmp_path / "cat")
    first = cache.prepare(str(root), 16, tmp_path / "data")
    (tmp_path / "cat" / "0.png").unlink()
    second = cache.prepare(str(root), 16, tmp_path / "data")
    before, after = (len(cache.load_dataset(c).train.labels) for c in (first, second))
    assert after == before - 1


def test_channels_have_the_mean_and_deviation_that_numpy_finds():
    images = np.random.default_rng(0).integers(0, 256, (70, 3, 5, 5), dtype=np.uint8)
    mean, std = cache.channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean((0, 2, 3)))
    np.testing.assert_allclose(std, (images / 255).std((0, 2, 3)))


def test_pixels_are_normalised_by_their_own_statistics_or_imagenets(dataset):
    config = Config(normalisation="imagenet")
    own_mean, _ = normalisation_statistics(dataset, Config())
    assert own_mean.flatten().tolist() == pytest.approx(dataset.mean)
    imagenet_mean, _ = normalisation_statistics(dataset, config)
    assert imagenet_mean.flatten().tolist() == pytest.approx((0.485, 0.456, 0.406))
    with pytest.raises(
        DataError, match="normalisation imagenet needs images of three channels; made has 1"
    ):
        normalisation_statistics(dataset._replace(mean=(0.5,), std=(0.2,)), config)


@pytest.mark.parametrize(("name", "size"), [("digits", 16), ("photos", 32)])
def test_a_dataset_has_a_size_of_its_own_where_no_field_says_otherwise(
    tmp_path, make_folder, name, size
):
    where = name if name == "digits" else str(make_folder(tmp_path / name))
    dataset = cache.load_dataset(cache.prepare(where, 0, tmp_path / "data"))
    assert dataset.train.images.shape[2] == size


def test_another_dataset_s_cache_in_the_place_of_one_is_decoded_again(tmp_path):
    digits, shapes = (cache.prepare(name, 16, tmp_path) for name in ("digits", "shapes"))
    whole = cache.load_dataset(digits).fingerprint
    shutil.rmtree(digits)
    shutil.copytree(shapes, digits)
    cache.load_dataset.cache_clear()
    assert cache.load_dataset(cache.prepare("digits", 16, tmp_path)).fingerprint == whole
