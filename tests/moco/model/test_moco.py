"""MoCo against Algorithm 1 of He et al. 2020, written as a plain loop.

Common mistakes of implementations are in test_known_mistakes.py.
"""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from moco.model.encoder import build_encoder
from moco.model.moco import MoCo
from moco.schedules import current_key_momentum
from moco.seed import Source, make_generator

EXACT = {"rtol": 0, "atol": 1e-9}


def build(config, channels=3):
    return MoCo(
        config, build_encoder(config, channels), make_generator(config.seed, Source.QUEUE)
    ).train()


def images(config, step=0):
    return torch.arange(config.batch_size) + step * config.batch_size


def views(config, seed=0, dtype=torch.float32):
    draws = torch.Generator().manual_seed(seed)
    return [torch.rand(config.batch_size, 3, 8, 8, generator=draws, dtype=dtype) for _ in range(2)]


class Paper:
    """Algorithm 1 with one sample at a time in the loss; plain batch norm, so no shuffling."""

    def __init__(self, model, config):
        self.f_q, self.f_k = copy.deepcopy(model.query_encoder), copy.deepcopy(model.key_encoder)
        self.queue = [key.clone() for key in model.queue.keys_KC]
        self.pointer, self.m, self.t = 0, config.key_momentum, config.temperature

    def update_keys(self):
        with torch.no_grad():
            for k_weight, q_weight in zip(
                self.f_k.parameters(), self.f_q.parameters(), strict=True
            ):
                k_weight.copy_(self.m * k_weight + (1 - self.m) * q_weight)

    def half(self, x_q, x_k):
        """The loss of one view's queries, and the other view's keys."""
        q = self.f_q(x_q)
        q = q / q.norm(dim=1, keepdim=True)
        with torch.no_grad():
            k = self.f_k(x_k)
            k = k / k.norm(dim=1, keepdim=True)
        loss = 0.0
        for one_q, one_k in zip(q, k, strict=True):
            scores = [(one_q * one_k).sum() / self.t] + [
                (one_q * old).sum() / self.t for old in self.queue
            ]
            loss = loss - (scores[0] - torch.stack(scores).exp().sum().log()) / len(q)
        return loss, k

    def enqueue(self, keys):
        for key in keys:
            self.queue[self.pointer] = key
            self.pointer = (self.pointer + 1) % len(self.queue)

    def step(self, x_1, x_2, loss):
        self.update_keys()
        loss_12, k_2 = self.half(x_1, x_2)
        if loss == "asymmetric":
            self.enqueue(k_2)
            return loss_12
        loss_21, k_1 = self.half(x_2, x_1)
        self.enqueue(k_1)
        self.enqueue(k_2)
        return loss_12 + loss_21 if loss == "symmetric_sum" else (loss_12 + loss_21) / 2


@pytest.mark.parametrize("loss", ["asymmetric", "symmetric_mean", "symmetric_sum"])
def test_a_step_is_the_papers_in_loss_gradients_keys_queue_and_pointer(config, loss):
    """Six steps in float64, past the end of a queue that the batch does not divide."""
    config = replace(config, batch_norm="plain", loss=loss)
    model = build(config).double()
    paper = Paper(model, config)
    ours = torch.optim.SGD(model.query_encoder.parameters(), lr=0.01)
    theirs = torch.optim.SGD(paper.f_q.parameters(), lr=0.01)
    for step in range(6):
        x_1, x_2 = views(config, step, torch.float64)
        contrast = model(x_1, x_2, images(config, step), generator=torch.Generator())
        expected = paper.step(x_1, x_2, loss)
        torch.testing.assert_close(contrast.loss, expected, **EXACT)
        for optimizer, value in ((ours, contrast.loss), (theirs, expected)):
            optimizer.zero_grad()
            value.backward()
        for weight, other in zip(
            model.query_encoder.parameters(), paper.f_q.parameters(), strict=True
        ):
            torch.testing.assert_close(weight.grad, other.grad, **EXACT)
        torch.testing.assert_close(model.queue.keys_KC, torch.stack(paper.queue), **EXACT)
        assert int(model.queue.position) == paper.pointer
        for weight, other in zip(
            model.key_encoder.parameters(), paper.f_k.parameters(), strict=True
        ):
            torch.testing.assert_close(weight, other, **EXACT)
        for optimizer in (ours, theirs):
            optimizer.step()


def test_twenty_float32_steps_stay_near_the_papers(config):
    config = replace(config, batch_norm="plain")
    model = build(config)
    paper = Paper(model, config)
    ours = torch.optim.SGD(
        model.query_encoder.parameters(), lr=0.003
    )  # small: a unit that changes sides would amplify rounding
    theirs = torch.optim.SGD(paper.f_q.parameters(), lr=0.003)
    for step in range(20):
        contrast = model(*views(config, step), images(config, step), torch.Generator())
        expected = paper.step(*views(config, step), "asymmetric")
        torch.testing.assert_close(contrast.loss, expected, rtol=1e-4, atol=1e-5)
        for optimizer, value in ((ours, contrast.loss), (theirs, expected)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    torch.testing.assert_close(model.queue.keys_KC, torch.stack(paper.queue), rtol=1e-3, atol=1e-4)


def test_shuffled_keys_come_back_in_the_order_of_their_images(config):
    model = build(config)
    view = views(config)[0]
    model.key_encoder.eval()  # running statistics: the order of a batch cannot change a key
    keys = model.encode_keys(view, torch.Generator().manual_seed(3))
    torch.testing.assert_close(keys, F.normalize(model.key_encoder(view), dim=1))


def test_shuffling_changes_the_keys_only_through_the_groups_of_batch_norm(config):
    plain = build(replace(config, batch_norm="plain"))
    plain.shuffle_keys = True
    one, two = (
        plain.encode_keys(views(config)[0], torch.Generator().manual_seed(seed)) for seed in (0, 1)
    )
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_norm", ["shuffle", "split", "plain", "sync"])
@pytest.mark.parametrize("loss", ["asymmetric", "symmetric_mean"])
def test_every_kind_of_batch_norm_goes_with_every_loss(config, batch_norm, loss):
    config = replace(config, batch_norm=batch_norm, loss=loss)
    contrast = build(config)(*views(config), images(config), torch.Generator().manual_seed(0))
    contrast.loss.backward()
    assert contrast.loss.isfinite()
    assert 0 <= contrast.alignment <= 4


def test_key_momentum_is_constant_or_rises_by_half_a_cosine_to_one():
    assert current_key_momentum("constant", 0.99, 0.7) == 0.99
    assert current_key_momentum("cosine", 0.99, 0.0) == pytest.approx(0.99)
    assert current_key_momentum("cosine", 0.99, 0.5) == pytest.approx(0.995)
    assert current_key_momentum("cosine", 0.99, 1.0) == 1.0
