"""MoCo against Algorithm 1 of He et al. 2020 written as a plain loop, and what implementers get wrong."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from moco.model import MoCo, Queue, info_nce
from moco.seed import Source, generator, seed_weights


def build(config, channels=3):
    seed_weights(config.seed)
    return MoCo(config, channels, generator(config.seed, Source.QUEUE)).train()


def views(config, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return [torch.rand(config.batch_size, 3, 8, 8, generator=draws) for _ in range(2)]


def test_twenty_steps_equal_the_papers_pseudocode_written_plainly(config):
    """The paper's loop, one sample at a time in the loss; plain batch norm, so that no shuffling is needed."""
    config = replace(config, batch_norm_splits=1)
    model = build(config)
    f_q, f_k = copy.deepcopy(model.query_encoder), copy.deepcopy(model.key_encoder)
    queue = [key.clone() for key in model.queue.keys_KC]
    ours = torch.optim.SGD(model.query_encoder.parameters(), lr=0.003)  # small: a unit that changes sides would amplify rounding
    theirs = torch.optim.SGD(f_q.parameters(), lr=0.003)
    for step in range(20):
        x_q, x_k = views(config, step)
        contrast = model(x_q, x_k, torch.Generator())
        q = F.normalize(f_q(x_q), dim=1)
        with torch.no_grad():
            for k_weight, q_weight in zip(f_k.parameters(), f_q.parameters(), strict=True):
                k_weight.copy_(config.key_momentum * k_weight + (1 - config.key_momentum) * q_weight)
            k = F.normalize(f_k(x_k), dim=1)
        loss = 0.0
        for one_q, one_k in zip(q, k, strict=True):
            scores = torch.stack([one_q @ one_k, *(one_q @ old for old in queue)]) / config.temperature
            loss = loss - torch.log_softmax(scores, 0)[0] / len(q)
        torch.testing.assert_close(contrast.loss, loss, rtol=1e-4, atol=1e-5)
        for optimizer, value in ((ours, contrast.loss), (theirs, loss)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        slots = [(step * len(k) + i) % len(queue) for i in range(len(k))]
        for slot, key in zip(slots, k, strict=True):
            queue[slot] = key
        torch.testing.assert_close(model.queue.keys_KC, torch.stack(queue), rtol=1e-3, atol=1e-4)


def test_the_key_encoder_begins_as_the_query_encoder_heads_included(config):
    model = build(config)
    for (name, query), key in zip(model.query_encoder.state_dict().items(), model.key_encoder.state_dict().values(), strict=True):
        assert torch.equal(query, key), name


def test_only_the_query_encoder_receives_a_gradient(config):
    model = build(config)
    model(*views(config), torch.Generator().manual_seed(0)).loss.backward()
    assert all(parameter.grad is not None for parameter in model.query_encoder.parameters())
    assert all(parameter.grad is None for parameter in model.key_encoder.parameters())


def test_keys_enter_the_queue_after_the_logits_so_none_is_its_own_negative(config):
    """With the positive in the denominator twice, the loss could not fall below ln 2."""
    key_NC = F.normalize(torch.randn(8, 16), dim=1)
    loss, logits = info_nce(key_NC, key_NC, -key_NC, temperature=0.05)
    assert logits.shape == (8, 9)
    assert loss < 0.1
    model = build(replace(config, queue_size=config.batch_size, batch_norm_splits=1))  # a queue that one batch fills
    before, (query_view, key_view) = model.queue.keys_KC.clone(), views(config)
    query_NC, key_NC = (F.normalize(copy.deepcopy(model.query_encoder)(view), dim=1) for view in (query_view, key_view))
    expected, _ = info_nce(query_NC, key_NC, before, config.temperature)
    torch.testing.assert_close(model(query_view, key_view, torch.Generator()).loss, expected)
    torch.testing.assert_close(model.queue.keys_KC, key_NC.detach())


def test_shuffled_keys_come_back_in_the_order_of_their_images(config):
    model = build(config)
    view = views(config)[0]
    model.key_encoder.eval()  # running statistics: the order of a batch cannot change a key
    keys = model.encode_keys(view, torch.Generator().manual_seed(3))
    torch.testing.assert_close(keys, F.normalize(model.key_encoder(view), dim=1))


def test_shuffling_changes_the_keys_only_through_the_groups_of_batch_norm(config):
    model = build(config)
    view = views(config)[0]
    shuffled, straight = (model.encode_keys(view, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert not torch.allclose(shuffled, straight)
    plain = build(replace(config, batch_norm_splits=1))
    plain.shuffles = True
    one, two = (plain.encode_keys(view, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "batch", "steps"), [(8, 4, 5), (10, 4, 6), (3, 5, 2), (7, 7, 3)])
def test_the_queue_holds_the_last_keys_whatever_its_size_and_the_batch(size, batch, steps):
    queue = Queue(size, 2, torch.Generator().manual_seed(0))
    keys = torch.arange(steps * batch, dtype=torch.float32)[:, None].expand(-1, 2)
    for part in keys.split(batch):
        queue.enqueue(part)
    assert sorted(queue.keys_KC[:, 0].tolist()) == [float(i) for i in range(steps * batch - size, steps * batch)]
    assert int(queue.filled) == size


def test_contrastive_accuracy_is_not_a_number_until_all_keys_are_real(config):
    model = build(config)  # 40 keys, 16 a step
    accuracies = [model(*views(config, step), torch.Generator().manual_seed(step)).accuracy for step in range(4)]
    assert [bool(accuracy.isnan()) for accuracy in accuracies] == [True, True, True, False]


def test_key_weights_stay_float32_and_move_at_high_momentum_under_bfloat16(config):
    config = replace(config, key_momentum=0.999)
    seed_weights(0)
    model = MoCo(config, 3, torch.Generator().manual_seed(0), torch.bfloat16)
    with torch.no_grad():
        for parameter in model.query_encoder.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in model.key_encoder.parameters()]
    for _ in range(1000):
        model.update_key_encoder()
    for old, new in zip(before, model.key_encoder.parameters(), strict=True):
        assert new.dtype == torch.float32
        torch.testing.assert_close(new - old, torch.full_like(old, 1 - 0.999**1000), rtol=1e-3, atol=1e-3)
    assert model(*views(config), torch.Generator().manual_seed(0)).loss.dtype == torch.float32
    assert model.queue.keys_KC.dtype == torch.float32


def test_chance_is_the_logarithm_of_the_queue_and_one():
    zero = torch.zeros(4, 8)
    loss, _ = info_nce(zero, zero, torch.zeros(64, 8), 0.2)
    torch.testing.assert_close(loss, torch.tensor(65.0).log())
