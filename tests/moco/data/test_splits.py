"""Splits by seed, and shuffled labels."""

from dataclasses import replace

import torch

from moco.config import Config
from moco.data import cache
from moco.data.checks import image_digest
from moco.data.dataset import Split
from moco.data.splits import make_splits, with_training_labels


def test_validation_is_split_evenly_by_seed_and_never_overlaps(tmp_path):
    dataset = cache.load_dataset(cache.prepare("digits", 8, tmp_path))
    splits = make_splits(dataset, Config())
    again = make_splits(dataset, Config(seed=5))
    assert torch.equal(splits.validation.images, again.validation.images)
    assert not torch.equal(
        splits.validation.images, make_splits(dataset, Config(split_seed=1)).validation.images
    )
    assert len(splits.train.labels) + len(splits.validation.labels) == 1400
    assert splits.validation.labels.bincount().min() >= 25
    assert len(make_splits(dataset, Config(train_images=100)).train.labels) == 100


def test_shuffled_labels_keep_their_counts_and_are_the_same_for_every_encoder(dataset, config):
    train = dataset.train
    assert with_training_labels(train, config) is train
    config = replace(config, labels="shuffled")
    one, other = (
        with_training_labels(train, config),
        with_training_labels(train, replace(config, optimizer="adam")),
    )
    assert torch.equal(one.labels, other.labels)
    assert not torch.equal(one.labels, train.labels)
    assert torch.equal(one.labels.bincount(), train.labels.bincount())
    assert not torch.equal(one.labels, with_training_labels(train, replace(config, seed=1)).labels)
    assert not torch.equal(one.labels, with_training_labels(train, config, part=1).labels)


def with_copies(dataset, copies):
    """The dataset with the images at some indices in the place of those at others."""
    images = dataset.train.images.clone()
    for source, target in copies:
        images[target] = images[source]
    return dataset._replace(train=dataset.train._replace(images=images))


def test_an_image_that_is_there_twice_is_never_on_both_sides(dataset, config):
    whole = make_splits(dataset, config)
    held = {image_digest(image) for image in whole.validation.images.numpy()}
    all_images = dataset.train.images.numpy()
    out = [i for i, image in enumerate(all_images) if image_digest(image) in held]
    kept = [i for i in range(len(all_images)) if i not in set(out)]
    copied = with_copies(dataset, [(out[0], kept[0]), (out[1], kept[1])])
    splits = make_splits(copied, config)
    validation = {image_digest(image) for image in splits.validation.images.numpy()}
    assert not validation & {image_digest(image) for image in splits.train.images.numpy()}
    assert len(splits.validation.labels) == len(whole.validation.labels)
    assert len(splits.train.labels) == len(whole.train.labels) - 2


def test_a_copy_in_a_validation_split_of_ones_own_is_not_trained_on(dataset, config):
    own = Split(dataset.train.images[:3], dataset.train.labels[:3])
    splits = make_splits(dataset._replace(validation=own), config)
    held = {image_digest(image) for image in own.images.numpy()}
    assert not held & {image_digest(image) for image in splits.train.images.numpy()}
    assert len(splits.train.labels) <= len(dataset.train.labels) - 3
