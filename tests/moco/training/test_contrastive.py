"""The pretraining loop: learns, repeats bit for bit, and resumes as if it had not been stopped."""

import io
import math
from dataclasses import replace

import pytest
import torch

from moco.training.contrastive import pretrain
from moco.training.optimizers import OPTIMIZERS

# of four epochs, 24 steps; the changelog names every change that moves them
GOLDEN_LOSSES = [3.2283, 3.8593, 3.7735, 3.8484]


def test_losses_are_those_of_the_golden_run(config, dataset):
    # at some learning rates near this one, noise of 1e-6 grows to 1e-1 within these steps
    config = replace(config, epochs=4, lr=0.002)
    losses = [epoch.metrics.loss for epoch in pretrain(config, dataset, dataset.train.images)]
    assert losses == pytest.approx(GOLDEN_LOSSES, abs=2e-3)


def test_the_same_trial_gives_the_same_numbers_bit_for_bit(config, dataset):
    first, second = (
        [epoch.metrics.loss for epoch in pretrain(config, dataset, dataset.train.images)]
        for _ in range(2)
    )
    assert first == second
    other = [
        epoch.metrics.loss
        for epoch in pretrain(replace(config, seed=1), dataset, dataset.train.images)
    ]
    assert other != first


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_that_was_killed_and_resumed_gives_the_same_weights_bit_for_bit(
    config, dataset, optimizer
):
    config = replace(config, optimizer=optimizer, lr=0.01, schedule="cosine")
    epochs = pretrain(config, dataset, dataset.train.images)
    file = io.BytesIO()
    torch.save(next(epochs).state, file)
    whole = [epoch.metrics.loss for epoch in epochs]
    *_, last = pretrain(config, dataset, dataset.train.images)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = pretrain(config, dataset, dataset.train.images, state=state)
    again = list(resumed)
    assert [epoch.metrics.loss for epoch in again] == whole
    for name, value in last.state["model"].items():
        assert torch.equal(value, again[-1].state["model"][name]), name


def test_no_step_has_a_rate_of_zero_and_the_schedule_ends_near_it(config, dataset):
    rates = [
        epoch.metrics.lr
        for epoch in pretrain(replace(config, schedule="cosine"), dataset, dataset.train.images)
    ]
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.02 * config.lr


def test_a_loss_beyond_numbers_is_reported_not_raised(config, dataset):
    epoch = next(pretrain(replace(config, lr=1e30), dataset, dataset.train.images))
    assert not math.isfinite(epoch.metrics.loss)


def test_a_batch_larger_than_the_training_split_is_refused(config, dataset):
    with pytest.raises(
        ValueError, match="batch_size must not exceed the training split; got 128 for 96 images"
    ):
        next(pretrain(replace(config, batch_size=128), dataset, dataset.train.images))
