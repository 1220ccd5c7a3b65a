"""What a plan learns of a dataset and a config before anything trains."""

import numpy as np
import pytest

from moco.trainer.cost import seconds_of
from moco.trainer.dataset_facts import complete, facts_of, prepare


def test_facts_name_counts_classes_and_chance(tmp_path):
    wish = {"image_size": 8, "width": 0.125, "batch_size": 64, "queue_size": 128}
    facts = facts_of(prepare("digits", wish, tmp_path), wish)
    assert facts["counts"] == {"train": 1120, "validation": 280, "test": 397}
    assert facts["chance"]["loss"] == pytest.approx(np.log(129))
    with pytest.raises(
        ValueError, match="batch_size must not exceed the training split; got 2048 for 1120 images"
    ):
        facts_of(prepare("digits", wish, tmp_path), {**wish, "batch_size": 2048})


@pytest.mark.parametrize("method", ["moco", "supervised", "frozen"])
def test_every_kind_of_trial_has_a_cost(tmp_path, method):
    values = {
        "image_size": 8,
        "width": 0.0625,
        "batch_size": 16,
        "queue_size": 32,
        "method": method,
        "epochs": 2,
        "train_images": 100,
        "device": "cpu",
    }
    cached = prepare("digits", values, tmp_path)
    assert 0 < seconds_of(complete(values, "digits"), cached) < 60
    assert seconds_of(complete({**values, "finetune_epochs": 500}, "digits"), cached) > seconds_of(
        complete(values, "digits"), cached
    )


def test_a_symmetric_loss_fills_the_queue_twice_as_fast(tmp_path):
    wish = {"image_size": 8, "width": 0.0625, "batch_size": 16, "queue_size": 200}
    said = {
        loss: facts_of(prepare("digits", wish, tmp_path), {**wish, "loss": loss})["warnings"]
        for loss in ("asymmetric", "symmetric_mean")
    }
    assert "own key" in said["asymmetric"][0]
    assert said["symmetric_mean"] == []
