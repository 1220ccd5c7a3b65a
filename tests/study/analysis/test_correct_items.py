"""The interval over repetitions and test items, and the bits that it is made of."""

import base64

import numpy as np
import pytest
import torch

from moco.evaluation.correct_items import pack_correct
from study.analysis.correct_items import crossed_interval, unpack_correct
from study.analysis.statistics import t_interval


def test_bits_come_back_as_they_were_packed():
    for count in (1, 7, 8, 9, 397):
        correct = torch.arange(count) % 3 == 0
        assert unpack_correct(pack_correct(correct)).tolist() == correct.float().tolist()


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        "9",
        "9" * 5000 + ":AA==",
        "9:",
        "9:!",
        "x:AA==",
        "-1:AA==",
        "9:AA==",
        "0:",
        "7:AAA=",
    ],
)
def test_what_is_no_such_text_counts_as_unknown(text):
    assert unpack_correct(text) is None


def test_the_first_item_is_the_highest_bit():
    text = f"10:{base64.b64encode(bytes([0b10000001, 0b01000000])).decode()}"
    assert unpack_correct(text).tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 0, 1]


def test_without_variance_between_items_it_is_the_t_interval():
    """Every item then has the repetition's mean, so nothing is left for the items."""
    means = np.array([0.5, 1.5, -0.25, 2.0, 1.0, 0.75])
    found = crossed_interval(np.repeat(means[:, None], 50, axis=1), 0.95)
    assert (found.low, found.high) == pytest.approx(t_interval(means))
    assert found.item_sd == pytest.approx(0, abs=1e-12)


def test_without_variance_between_repetitions_it_is_the_interval_over_items():
    items = np.random.default_rng(0).normal(size=400)
    found = crossed_interval(np.repeat(items[None], 6, axis=0), 0.95)
    assert (found.low, found.high) == pytest.approx(t_interval(items))
    assert found.item_sd == pytest.approx(items.std(ddof=1) / 20)


def test_no_variance_at_all_is_a_point():
    assert crossed_interval(np.full((6, 9), 2.0), 0.95) == (2.0, 2.0, 0.0)


def test_it_is_never_shorter_than_the_interval_over_repetitions():
    draws = np.random.default_rng(1)
    for _ in range(50):
        values = draws.normal(size=(6, 1)) + draws.normal(size=(6, 40))
        low, high = t_interval(values.mean(1))
        found = crossed_interval(values, 0.95)
        assert found.low <= low + 1e-12
        assert found.high >= high - 1e-12


@pytest.mark.parametrize("sd_items", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("repetitions", [6, 8, 12])
def test_it_covers_the_mean_of_both_populations(repetitions, sd_items):
    draws, covered, studies = np.random.default_rng(2), 0, 3000
    for _ in range(studies):
        own = draws.normal(size=(repetitions, 1))
        items = sd_items * draws.normal(size=(1, 60))
        found = crossed_interval(own + items + 2 * draws.normal(size=(repetitions, 60)), 0.95)
        covered += found.low <= 0 <= found.high
    # nine settings: three standard errors leave all of them a chance of 1 % to miss by luck
    assert covered / studies > 0.95 - 3 * (0.95 * 0.05 / studies) ** 0.5
    assert covered / studies < 0.99
