"""What a plan learns of a dataset and a config before anything trains."""

import numpy as np
import pytest

from moco.facts import facts_of, prepare


def test_facts_name_counts_classes_and_chance(tmp_path):
    wish = {"image_size": 8, "width": 0.125, "batch_size": 64, "queue_size": 128}
    facts = facts_of(prepare("digits", wish, tmp_path), wish)
    assert facts["counts"] == {"train": 1120, "validation": 280, "test": 397}
    assert facts["chance"]["loss"] == pytest.approx(np.log(129))
    with pytest.raises(ValueError, match="batch_size must not exceed the training split; got 2048 for 1120 images"):
        facts_of(prepare("digits", wish, tmp_path), {**wish, "batch_size": 2048})
