"""Training in float16 with loss scaling, on a CPU as far as that goes; no such GPU was at hand."""

import io
from dataclasses import replace

import pytest
import torch

from moco.training.contrastive import Pretraining, pretrain
from moco.training.supervised import build_supervised_training


@pytest.fixture
def half(config):
    return replace(config, precision="float16")


def weights(training):
    return [parameter.detach().clone() for parameter in training.parameters]


def with_scale(training, scale):
    training.scaler.load_state_dict({**training.scaler.state_dict(), "scale": scale})
    return training


def test_it_learns_as_float32_does_and_its_gradients_are_not_scaled(config, half, dataset):
    images = dataset.train.images
    exact = [result.metrics for result in pretrain(config, dataset, images)]
    training = with_scale(Pretraining(half, dataset, images), 256.0)  # no step overflows
    rough = [result.metrics for result in training.epochs()]
    for a, b in zip(exact, rough, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=0.02)
        assert 0.5 < b.gradient_norm / a.gradient_norm < 2  # of the last step, not times 256


def test_labels_are_learned_too(half, dataset):
    training = build_supervised_training(replace(half, method="supervised"), dataset, dataset.train)
    losses = [result.metrics.loss for result in training.epochs()]
    assert training.scaler.is_enabled()
    assert losses[-1] < losses[0]


def test_a_killed_run_continues_with_its_scale_bit_for_bit(half, dataset):
    images = dataset.train.images
    whole = with_scale(Pretraining(half, dataset, images), 1024.0)
    results = whole.epochs()
    state = next(results).state
    saved = torch.load(as_file(state), weights_only=True)
    assert saved["scaler"]["scale"] == 1024.0  # a new one would begin at 65,536
    assert saved["scaler"]["_growth_tracker"] == whole.step
    for _ in results:
        pass
    again = Pretraining(half, dataset, images)
    again.load_state_dict(saved)
    for _ in again.epochs():
        pass
    assert again.scaler.state_dict() == whole.scaler.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(again), strict=True))


def test_a_step_whose_gradients_overflow_is_left_out_and_the_scale_halved(half, dataset):
    training = with_scale(Pretraining(half, dataset, dataset.train.images), 2.0**120)
    before = weights(training)
    first = next(training.epochs()).metrics
    assert training.scaler.get_scale() == 2.0 ** (120 - first.step)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(training), strict=True))
    assert first.loss == first.loss  # the loss itself is a number


def test_other_precisions_scale_nothing(config, dataset):
    training = Pretraining(config, dataset, dataset.train.images)
    assert not training.scaler.is_enabled()
    assert training.state_dict()["scaler"] == {}
    old = {name: value for name, value in training.state_dict().items() if name != "scaler"}
    training.load_state_dict(old)


def as_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_the_step_after_one_that_was_left_out_is_an_ordinary_first_step(half, dataset):
    training = with_scale(Pretraining(half, dataset, dataset.train.images), 2.0**120)
    next(training.epochs())
    with_scale(training, 256.0)
    next(training.epochs())
    assert all(weight.isfinite().all() for weight in weights(training))
