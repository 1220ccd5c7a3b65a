"""Images for a training loop of one's own: the same splits as MoCo's, on any dataset."""

import pytest
import torch

from moco.data import cache
from moco.data.splits import make_splits
from moco.trainer.images import IMAGE_FIELDS, data_config, find_images, load_images
from study.design.trainer import Request


def request(dataset, data_dir, **shared):
    return Request(dataset, data_dir, {**IMAGE_FIELDS, **shared}, {}, {}, {})


def test_a_loop_trains_and_is_scored_on_the_splits_that_moco_has(tmp_path):
    found = find_images(request("digits", tmp_path, image_size=8, lr=0.1))
    assert found.fields == {"dataset": "digits"}
    assert found.data.counts == {"train": 1120, "validation": 280, "test": 397}
    cached = found.inputs["cached"]
    splits = make_splits(cache.load_dataset(cached), data_config(IMAGE_FIELDS))
    for name, split in (("validation", splits.validation), ("test", splits.test)):
        train, scored = load_images({"score_split": name, "lr": 0.1}, cached)
        assert torch.equal(train.images, splits.train.images)
        assert torch.equal(scored.images, split.images)
        assert train.images.shape == (1120, 1, 8, 8)
    assert len(load_images({"train_images": 100}, cached)[0].labels) == 100


def test_wrong_fields_and_data_are_sentences(tmp_path):
    with pytest.raises(ValueError, match="image_size must"):
        find_images(request("digits", tmp_path, image_size=-1))
    with pytest.raises(ValueError, match="dataset must be one of"):
        find_images(request("nowhere", tmp_path))
