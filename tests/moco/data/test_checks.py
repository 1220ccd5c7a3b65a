"""Problems of the data are reported."""

import numpy as np
import pytest

from moco.data import checks


def test_duplicates_and_own_keys_in_the_queue_are_reported():
    train = np.arange(40, dtype=np.uint8).reshape(10, 1, 2, 2)
    assert checks.count_duplicates(train, train[:3]) == 3
    assert checks.own_key_probability(4096, 50_000) == pytest.approx(0.0034, abs=1e-4)
    assert checks.own_key_probability(65_536, 50_000) == pytest.approx(0.76, abs=0.01)
    warnings = checks.data_warnings(train, train[:3], queue_size=8, images=10, modes={"RGB": 3})
    assert len(warnings) == 2
    assert warnings[0].startswith("3 of 3 test images are also training images")
    assert "36%" in warnings[1]
    assert checks.data_warnings(train[:5], train[5:], queue_size=1, images=10, modes={}) == []


@pytest.mark.parametrize(
    ("queue", "batch", "images"), [(128, 64, 307), (64, 16, 70), (160, 16, 100)]
)
def test_the_chance_of_meeting_ones_own_key_is_that_of_whole_batches(queue, batch, images):
    draws, steps = np.random.default_rng(0), images // batch
    met = []
    for _ in range(400):
        before, now = (draws.permutation(images)[: steps * batch] for _ in range(2))
        step_of = {image: place // batch for place, image in enumerate(before)}
        met += [
            image in step_of and steps - step_of[image] + place // batch <= queue // batch
            for place, image in enumerate(now)
        ]
    found = checks.own_key_probability(queue, images, batch)
    assert found == pytest.approx(np.mean(met), abs=0.01)
