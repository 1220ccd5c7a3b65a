"""The InfoNCE loss against its formula, and its gradient against finite differences."""

import pytest
import torch
from torch.nn import functional as F

from moco.model.info_nce import info_nce


def unit(count, seed, dtype=torch.float64):
    return F.normalize(
        torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=1
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("temperature", [0.01, 0.2, 5.0])
def test_loss_and_gradient_are_those_of_cross_entropy_over_one_and_k_logits(temperature, share):
    query, key, queue = unit(6, 0).requires_grad_(), unit(6, 1), unit(9, 2)
    masked = torch.rand(6, 9, generator=torch.Generator().manual_seed(3)) < share
    found = info_nce(query, key, queue, temperature=temperature, masked_NK=masked)
    (gradient,) = torch.autograd.grad(found.loss * 3, query)
    logits = (
        torch.cat(
            [(query * key).sum(1, keepdim=True), (query @ queue.T).masked_fill(masked, -torch.inf)],
            1,
        )
        / temperature
    )
    expected = F.cross_entropy(logits, torch.zeros(6, dtype=torch.long))
    torch.testing.assert_close(found.loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected * 3, query)[0])
    torch.testing.assert_close(found.positive_N, logits[:, 0].detach())
    torch.testing.assert_close(found.hardest_N, logits[:, 1:].amax(1).detach())


def test_the_gradient_is_that_of_finite_differences():
    key, queue = unit(3, 1), unit(5, 2)
    assert torch.autograd.gradcheck(
        lambda query: info_nce(query, key, queue, temperature=0.5).loss, unit(3, 0).requires_grad_()
    )


def test_the_queue_may_change_before_the_backward_pass():
    query, key, queue = unit(3, 0).requires_grad_(), unit(3, 1), unit(5, 2)
    (expected,) = torch.autograd.grad(
        info_nce(query, key, queue.clone(), temperature=0.5).loss, query
    )
    found = info_nce(query, key, queue, temperature=0.5)
    queue.zero_()
    torch.testing.assert_close(torch.autograd.grad(found.loss, query)[0], expected)


def test_logits_far_beyond_the_range_of_exp_neither_overflow_nor_vanish():
    query, key, queue = (unit(4, seed, torch.float32) for seed in (0, 1, 2))
    found = info_nce(query, key, queue, temperature=1e-6)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T], 1) / 1e-6
    torch.testing.assert_close(
        found.loss, F.cross_entropy(logits, torch.zeros(4, dtype=torch.long))
    )


def test_a_masked_old_key_is_no_negative_and_others_stay():
    query, key, queue = (
        F.normalize(torch.randn(n, 4, generator=torch.Generator().manual_seed(n)), dim=1)
        for n in (2, 3, 5)
    )
    key = key[:2]
    masked = torch.zeros(2, 5, dtype=torch.bool)
    masked[1, 3] = True
    loss = info_nce(query, key, queue, temperature=0.5, masked_NK=masked).loss
    first = torch.cat([(query[0] @ key[0])[None], query[0] @ queue.T]) / 0.5
    second = torch.cat([(query[1] @ key[1])[None], query[1] @ queue[[0, 1, 2, 4]].T]) / 0.5
    torch.testing.assert_close(loss, -(first.log_softmax(0)[0] + second.log_softmax(0)[0]) / 2)


def test_chance_is_the_logarithm_of_the_queue_and_one():
    zero = torch.zeros(4, 8)
    torch.testing.assert_close(
        info_nce(zero, zero, torch.zeros(64, 8), temperature=0.2).loss, torch.tensor(65.0).log()
    )
