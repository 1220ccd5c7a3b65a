"""How many trials share a device is measured, and what is too much for it ends the measuring."""

import pytest

from moco.data import cache
from moco.trainer.gpu_sharing import fewest_fast_enough, images_per_second


@pytest.mark.parametrize(
    ("speeds", "best"),
    [
        ([100, 180, 300, 310], 4),  # eight bring a thirtieth more
        ([100, 105, 300, 900], 1),
        ([100, 190, 0, 900], 2),  # four do not fit
        ([0, 0, 0, 0], 1),
        ([100, 200, 400, 800], 8),
    ],
)
def test_the_last_doubling_that_brought_a_tenth_counts(speeds, best):
    assert fewest_fast_enough(zip((1, 2, 4, 8), speeds, strict=True)) == best


@pytest.mark.slow
def test_two_trials_at_once_are_timed_together_and_one_that_fails_counts_as_nothing(
    config, tmp_path
):
    cached = cache.prepare("digits", 8, tmp_path)
    values = {**config.to_dict(), "dataset": "digits"}
    assert images_per_second(values, cached, 2, seconds=0.2) > 0
    assert images_per_second({**values, "optimizer": "none such"}, cached, 2, seconds=0.2) == 0
