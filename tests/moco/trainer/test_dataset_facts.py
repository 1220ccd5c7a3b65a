"""What a plan learns of a dataset and a config before anything trains."""

import numpy as np
import pytest

from moco.data.sources import open_source
from moco.trainer.cost import estimate_seconds
from moco.trainer.dataset_facts import complete_config, dataset_facts, prepare_dataset


def test_facts_name_counts_classes_and_chance(tmp_path):
    wish = {"image_size": 8, "width": 0.125, "batch_size": 64, "queue_size": 128}
    facts = dataset_facts(prepare_dataset(open_source("digits"), wish, tmp_path, {}), wish)
    assert facts.counts == {"train": 1120, "validation": 280, "test": 397}
    assert facts.classes == tuple("0123456789")
    assert facts.chance["loss"] == pytest.approx(np.log(129))
    assert facts.chance["probe_accuracy"] == facts.chance["knn_accuracy"] == 0.1
    with pytest.raises(
        ValueError, match="batch_size must not exceed the training split; got 2048 for 1120 images"
    ):
        dataset_facts(
            prepare_dataset(open_source("digits"), wish, tmp_path, {}), {**wish, "batch_size": 2048}
        )


@pytest.mark.parametrize("method", ["moco", "supervised", "frozen"])
def test_every_kind_of_trial_has_a_cost(tmp_path, method):
    values = {
        "dataset": "digits",
        "image_size": 8,
        "width": 0.0625,
        "batch_size": 16,
        "queue_size": 32,
        "method": method,
        "epochs": 2,
        "train_images": 100,
        "device": "cpu",
    }
    cached = prepare_dataset(open_source("digits"), values, tmp_path, {})
    seconds = estimate_seconds(complete_config(values), cached)
    assert 0 < seconds < 60
    assert estimate_seconds(complete_config({**values, "finetune_epochs": 500}), cached) > seconds


def test_a_symmetric_loss_fills_the_queue_twice_as_fast(tmp_path):
    wish = {"image_size": 8, "width": 0.0625, "batch_size": 16, "queue_size": 200}
    cached = prepare_dataset(open_source("digits"), wish, tmp_path, {})
    said = {
        loss: dataset_facts(cached, {**wish, "loss": loss}).warnings
        for loss in ("asymmetric", "symmetric_mean")
    }
    assert "own key" in said["asymmetric"][0]
    assert said["symmetric_mean"] == ()
