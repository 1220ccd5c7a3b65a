"""Splits by seed, and shuffled labels."""

from dataclasses import replace

import torch

from moco.config import Config
from moco.data import cache
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
