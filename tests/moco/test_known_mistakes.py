"""What implementers of MoCo get wrong, each as a test that fails when the mistake is made.

The numbers follow a survey of public implementations and their discussions: 1 key initialisation, 2 order of a step, 3 enqueue before the
logits, 4 leak of the symmetric loss, 5 its scale, 6 the queue, 7 queue against dataset, 8 age against momentum, 9 shuffling without
groups, 10 split batch norm, 11 the key encoder's statistics, 12 the moving average, 13 normalisation, 14 gradients, 15 learning-rate
scaling, 16 weight decay, 17 the last epoch's rate, 18 precision of the loss, 19 the probe, 20 selection on the test split, 21 what kNN
is measured on, 22 names in checkpoints, 23 accuracy, 24 crops and blur, 25 randomness of views, 26 identity of a trial.
"""

import copy
import io
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from moco.config import Config
from moco.data import checks
from moco.data.augmentation import BLUR_SIGMA, apply, sample_parameters
from moco.data.recipes import RECIPES
from moco.data.splits import make_splits
from moco.evaluation.evaluate import evaluate, knn_accuracies, state_hash
from moco.model.batch_norm import SplitBatchNorm2d
from moco.model.encoder import build_encoder
from moco.model.features import FrozenFeatures, extract_features
from moco.model.info_nce import info_nce
from moco.model.moco import MoCo, Queue
from moco.model.weights import load_backbone
from moco.schedules import SCHEDULES, lr_factor
from moco.seed import Source, make_generator
from moco.training.contrastive import Pretraining, pretrain
from moco.training.diagnostics import key_age_warning
from moco.training.loop import EpochGenerators
from moco.training.optimizers import build_optimizer


@pytest.fixture
def plain(config):
    """One group of batch norm: no shuffling between a reference and us."""
    return replace(config, batch_norm="plain")


def build(config, precision=torch.float32):
    return MoCo(
        config,
        build_encoder(config, 3),
        make_generator(config.seed, Source.QUEUE),
        precision=precision,
    ).train()


def pair(config, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return [torch.rand(config.batch_size, 3, 8, 8, generator=draws) for _ in range(2)]


def images(config):
    return torch.arange(config.batch_size)


def encoded(encoder, view):
    """As in training, by a copy: the statistics of the original stay."""
    with torch.no_grad():
        return F.normalize(copy.deepcopy(encoder)(view), dim=1)


def step(model, config, seed=0):
    return model(*pair(config, seed), images(config), torch.Generator().manual_seed(seed))


def moved(model, amount=0.1):
    """The query encoder as if an optimizer had moved it."""
    with torch.no_grad():
        for parameter in model.query_encoder.parameters():
            parameter.add_(
                amount * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
            )
    return model


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_01_the_key_encoder_begins_as_the_query_encoder_heads_and_loaded_weights_included(
    config, tmp_path, head
):
    config = replace(config, head=head)
    torch.save(
        build_encoder(replace(config, seed=9), 3).backbone.state_dict(), tmp_path / "weights.pt"
    )
    model = build(replace(config, weights=str(tmp_path / "weights.pt")))
    for (name, query), key in zip(
        model.query_encoder.state_dict().items(),
        model.key_encoder.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(query, key), name
    assert not torch.equal(
        model.query_encoder.backbone.conv1.weight, build(config).query_encoder.backbone.conv1.weight
    )


def test_02_the_key_encoder_moves_before_it_encodes_once_a_step_and_towards_the_query_before_its_step(
    plain,
):
    model = moved(build(plain))
    query_view, key_view = pair(plain)
    expected = copy.deepcopy(model.key_encoder)
    with torch.no_grad():
        for key, query in zip(expected.parameters(), model.query_encoder.parameters(), strict=True):
            key.copy_(plain.key_momentum * key + (1 - plain.key_momentum) * query)
    keys = encoded(expected, key_view)
    contrast = model(query_view, key_view, images(plain), generator=torch.Generator())
    torch.testing.assert_close(contrast.key_NC, keys)
    for key, once in zip(model.key_encoder.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(key, once)


def test_03_keys_enter_the_queue_after_the_logits(plain):
    """With the positive in the denominator twice, the loss could not fall below ln 2."""
    key_NC = F.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    assert info_nce(key_NC, key_NC, -key_NC, temperature=0.05).loss < 0.1 < math.log(2)
    model = build(replace(plain, queue_size=plain.batch_size))
    before, (query_view, key_view) = model.queue.keys_KC.clone(), pair(plain)
    expected = info_nce(
        encoded(model.query_encoder, query_view),
        encoded(model.key_encoder, key_view),
        before,
        temperature=plain.temperature,
    ).loss.detach()
    contrast = model(query_view, key_view, images(plain), generator=torch.Generator())
    torch.testing.assert_close(contrast.loss.detach(), expected)
    torch.testing.assert_close(model.queue.keys_KC, contrast.key_NC)


@pytest.mark.parametrize("loss", ["symmetric_mean", "symmetric_sum"])
def test_04_no_half_of_the_symmetric_loss_sees_keys_of_the_other(plain, loss):
    config = replace(plain, loss=loss, queue_size=2 * plain.batch_size)
    model = build(config)
    queue, (one, two) = model.queue.keys_KC.clone(), pair(config)
    q1, q2 = (encoded(model.query_encoder, view) for view in (one, two))
    k1, k2 = (encoded(model.key_encoder, view) for view in (one, two))
    halves = [
        info_nce(q1, k2, queue, temperature=config.temperature).loss,
        info_nce(q2, k1, queue, temperature=config.temperature).loss,
    ]
    contrast = model(one, two, images(config), generator=torch.Generator())
    torch.testing.assert_close(
        contrast.loss.detach(),
        sum(halves).detach() / (2 if loss == "symmetric_mean" else 1),
        rtol=1e-4,
        atol=1e-4,
    )
    torch.testing.assert_close(model.queue.keys_KC, torch.cat([k1, k2]), rtol=1e-3, atol=1e-4)


def test_05_sum_and_mean_of_the_symmetric_loss_have_names_and_the_curve_compares_with_chance(
    config, dataset
):
    gradients, losses = {}, {}
    for loss in ("symmetric_mean", "symmetric_sum"):
        model = build(replace(config, loss=loss))
        step(model, config).loss.backward()
        gradients[loss] = model.query_encoder.head[0].weight.grad
        losses[loss] = next(
            pretrain(replace(config, loss=loss, lr=1e-9), dataset, dataset.train.images)
        ).metrics.loss
    torch.testing.assert_close(gradients["symmetric_sum"], 2 * gradients["symmetric_mean"])
    assert losses["symmetric_sum"] == pytest.approx(losses["symmetric_mean"], rel=1e-5)


@pytest.mark.parametrize(("size", "batch"), [(10, 4), (8, 4), (3, 5), (16, 16)])
def test_06_the_queue_wraps_without_gap_or_loss(size, batch):
    queue = Queue(size, 1, torch.Generator().manual_seed(0))
    for start in range(0, 30 * batch, batch):
        queue.enqueue(
            torch.arange(start, start + batch).float()[:, None], torch.arange(start, start + batch)
        )
        newest = start + batch
        held = sorted(value for value in queue.images_K.tolist() if value >= 0)
        assert held == list(range(max(0, newest - size), newest))
        assert int(queue.filled) == len(held)
    assert queue.keys_KC[:, 0].tolist() == queue.images_K.tolist()


def test_06_enqueuing_does_not_disturb_the_gradient_and_metrics_wait_for_real_keys(plain, dataset):
    model = build(plain)
    contrast = step(model, plain)
    contrast.loss.backward()  # raises where the keys of the logits were overwritten in place
    accuracies = [step(model, plain, seed).accuracy.item() for seed in range(3)]
    assert [math.isnan(value) for value in accuracies] == [
        True,
        True,
        False,
    ]  # 40 keys, 16 a step, the first step above
    assert math.isnan(
        next(
            pretrain(replace(plain, queue_size=200), dataset, dataset.train.images)
        ).metrics.contrastive_accuracy
    )


def test_06_queue_and_pointer_are_in_the_checkpoint(config, dataset):
    epoch = next(pretrain(config, dataset, dataset.train.images))
    file = io.BytesIO()
    torch.save(epoch.state, file)
    file.seek(0)
    run = Pretraining(config, dataset, dataset.train.images)
    run.load_state_dict(torch.load(file, weights_only=True))
    for name in ("keys_KC", "images_K", "position", "filled"):
        assert torch.equal(getattr(run.moco.queue, name), epoch.state["model"][f"queue.{name}"])
    assert int(run.moco.queue.position) == 96 % 40


def test_07_an_images_older_key_in_the_queue_is_said_above_one_percent_and_can_be_masked(plain):
    share = {
        (4096, 50_000): 0.0034,
        (8192, 50_000): 0.013,
        (32_768, 50_000): 0.21,
        (65_536, 50_000): 0.76,
        (4096, 5000): 0.34,
    }
    for (queue, count), chance in share.items():
        assert checks.own_key_probability(queue, count) == pytest.approx(chance, rel=0.05)
    few = np.zeros((0, 3, 8, 8), np.uint8)
    assert checks.data_warnings(few, few, 4096, images=50_000, modes={}) == []
    assert "own key" in checks.data_warnings(few, few, 8192, images=50_000, modes={})[0]
    keys = F.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    found = info_nce(
        keys[:2],
        keys[:2],
        keys,
        temperature=0.2,
        masked_NK=torch.tensor([[True, False, False, False, False], [False] * 5]),
    )
    torch.testing.assert_close(
        found.hardest_N, torch.stack([(keys[0] @ keys[1:].T).max(), keys[1] @ keys[1]]) / 0.2
    )
    losses = {}
    for own in ("keep", "mask"):
        model = build(replace(plain, own_keys=own, queue_size=plain.batch_size))
        step(model, plain)
        losses[own] = step(model, plain)  # the same images: each finds its own old key, or not
    assert losses["mask"].loss < losses["keep"].loss


@pytest.mark.parametrize("queue", [48, 120])
def test_07_the_share_of_queries_that_meet_their_images_older_key_is_what_is_derived(
    config, dataset, queue
):
    config = replace(config, queue_size=queue, epochs=24, lr=1e-4, batch_size=8)
    shares = [epoch.metrics.own_keys for epoch in pretrain(config, dataset, dataset.train.images)]
    assert shares[0] == 0  # no image has a key yet
    mean = sum(shares[2:]) / len(shares[2:])
    assert mean == pytest.approx(
        checks.own_key_probability(queue, 96), abs=0.05
    )  # derived for keys that enter one by one, here eight at once


def test_08_a_queue_older_than_the_key_encoders_memory_is_said(config):
    assert (
        key_age_warning(replace(config, queue_size=4096, batch_size=512, key_momentum=0.99), 50_000)
        == ""
    )
    assert (
        key_age_warning(
            replace(config, queue_size=65_536, batch_size=256, key_momentum=0.999), 1_281_167
        )
        == ""
    )
    assert "256 steps" in key_age_warning(
        replace(config, queue_size=65_536, batch_size=256, key_momentum=0.9), 1_281_167
    )
    assert "never follows" in key_age_warning(replace(config, key_momentum=1.0), 50_000)
    assert "10 epochs" in key_age_warning(
        replace(config, queue_size=4096, batch_size=512, key_momentum=0.999), 50_000
    )


def test_09_shuffling_needs_groups_and_then_no_query_shares_its_group_with_its_key(config):
    view = pair(config)[0]
    model = build(config)
    one, two = (model.encode_keys(view, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert not torch.allclose(one, two, atol=1e-3)
    alone = build(replace(config, batch_norm="shuffle", batch_norm_splits=1))
    assert not alone.shuffle_keys  # it would change nothing
    groups = build(replace(config, batch_norm="split"))
    same, again = (groups.encode_keys(view, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(same, again)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_10_split_batch_norm_is_that_of_separate_devices_in_any_layout_and_compiled(layout):
    x = (
        torch.randn(8, 4, 5, 5, generator=torch.Generator().manual_seed(0))
        .contiguous(memory_format=layout)
        .requires_grad_()
    )
    split, device = SplitBatchNorm2d(4, 2), torch.nn.BatchNorm2d(4)
    expected = torch.cat([device(group) for group in x.detach().chunk(2)])
    compiled = torch.compile(copy.deepcopy(split), backend="aot_eager", fullgraph=True)
    for norm in (split, compiled):
        result = norm(x)
        torch.testing.assert_close(result, expected)
        result.square().sum().backward()
    torch.testing.assert_close(compiled.running_mean, split.running_mean)
    assert (
        split.state_dict().keys() == device.state_dict().keys()
    )  # a checkpoint fits an ordinary ResNet
    device.load_state_dict(split.state_dict())
    torch.testing.assert_close(split.eval()(x), device.eval()(x))
    with pytest.raises(ValueError, match="equal groups; got 7 images"):
        split.train()(x[:7])


def test_11_the_key_encoder_normalises_by_its_own_batch_and_its_statistics_are_not_averaged(plain):
    model = moved(build(plain))
    with torch.no_grad():
        for name, buffer in model.key_encoder.named_buffers():
            if "running" in name:
                buffer.fill_(7.0)
    queries = {name: buffer.clone() for name, buffer in model.query_encoder.named_buffers()}
    keys = step(model, plain).key_NC
    assert model.key_encoder.training
    again = encoded(model.key_encoder, pair(plain)[1])
    torch.testing.assert_close(keys, again)  # running statistics had no part in it
    momentum = 0.1
    statistics = dict(model.key_encoder.named_buffers())
    batch_mean = F.conv2d(pair(plain)[1], model.key_encoder.backbone.conv1.weight, padding=1).mean(
        (0, 2, 3)
    )
    torch.testing.assert_close(
        statistics["backbone.bn1.running_mean"], (1 - momentum) * 7.0 + momentum * batch_mean
    )
    assert not torch.equal(
        statistics["backbone.bn1.running_mean"], queries["backbone.bn1.running_mean"]
    )


def test_12_the_moving_average_works_in_place_in_float32_and_does_not_stall(config):
    model = build(replace(config, key_momentum=0.999), torch.bfloat16)
    with torch.no_grad():
        for parameter in model.query_encoder.parameters():
            parameter.fill_(1.0)
        for parameter in model.key_encoder.parameters():
            parameter.zero_()
    places = [parameter.data_ptr() for parameter in model.key_encoder.parameters()]
    for _ in range(10_000):
        model.update_key_encoder()
    for parameter, place in zip(model.key_encoder.parameters(), places, strict=True):
        assert parameter.data_ptr() == place
        assert parameter.dtype == torch.float32
        assert parameter.min() > 0.9999  # bfloat16 stalls at 0.50


def test_13_queries_keys_and_queue_have_unit_length_but_the_probes_features_do_not(config, dataset):
    model = build(config)
    contrast = step(model, config)
    for vectors in (contrast.query_NC, contrast.key_NC, model.queue.keys_KC):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    lengths = extract_features(
        model.query_encoder, dataset.test, dataset, config=config
    ).features_ND.norm(dim=1)
    assert (lengths - 1).abs().max() > 0.01


@pytest.mark.parametrize("loss", ["asymmetric", "symmetric_mean"])
def test_14_only_the_query_encoder_learns_and_only_it_is_the_optimizers(config, dataset, loss):
    run = Pretraining(replace(config, loss=loss), dataset, dataset.train.images)
    owned = {id(parameter) for group in run.optimizer.param_groups for parameter in group["params"]}
    assert owned == {id(parameter) for parameter in run.moco.query_encoder.parameters()}
    chance = EpochGenerators(*(torch.Generator().manual_seed(0) for _ in range(2)))
    run.train_step(run.make_batch(torch.arange(config.batch_size), chance), chance)
    assert all(parameter.grad is not None for parameter in run.moco.query_encoder.parameters())
    assert not any(
        parameter.requires_grad or parameter.grad is not None
        for parameter in run.moco.key_encoder.parameters()
    )


@pytest.mark.parametrize("batch_size", [16, 32])
def test_15_the_learning_rate_is_what_the_config_says_at_any_batch_size(
    config, dataset, batch_size
):
    run = Pretraining(
        replace(config, batch_size=batch_size, lr=0.06), dataset, dataset.train.images
    )
    assert run.set_lr() == 0.06
    assert {group["lr"] for group in run.optimizer.param_groups} == {0.06}


def test_16_biases_and_norms_decay_only_where_the_config_says(config):
    encoder = build_encoder(config, 3)
    for wish, vectors_decay in (("all", True), ("weights", False), ("auto", True)):
        weights, vectors = build_optimizer(
            replace(config, decay_on=wish, weight_decay=0.1), encoder
        ).param_groups
        assert all(parameter.ndim > 1 for parameter in weights["params"])
        assert (weights["weight_decay"], vectors["weight_decay"]) == (
            0.1,
            0.1 if vectors_decay else 0.0,
        )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_17_no_epoch_trains_at_rate_zero(schedule):
    assert min(lr_factor(schedule, step, 97 * 20, warmup_steps=0) for step in range(97 * 20)) > 0
    assert lr_factor(schedule, 0, 97 * 20, warmup_steps=0) == 1


def test_18_logits_and_loss_are_float32_under_bfloat16(config):
    query, key, queue = (
        F.normalize(
            torch.randn(n, 16, generator=torch.Generator().manual_seed(n)), dim=1
        ).bfloat16()
        for n in (4, 4, 9)
    )
    loss, positive_N, hardest_N = info_nce(query, key, queue, temperature=0.07)
    assert (loss.dtype, positive_N.dtype, hardest_N.dtype) == (torch.float32,) * 3
    torch.testing.assert_close(
        hardest_N, (query.float() @ queue.float().T / 0.07).amax(1), rtol=1e-6, atol=1e-5
    )
    contrast = step(build(config, torch.bfloat16), config)
    assert (contrast.loss.dtype, contrast.key_NC.dtype) == (torch.float32, torch.float32)


def test_19_evaluation_leaves_every_parameter_and_buffer_as_it_was(config, dataset):
    encoder = build_encoder(config, 3).train()
    before = state_hash(encoder)
    found = evaluate(encoder, make_splits(dataset, config), dataset, config=config)
    assert state_hash(encoder) == before == found.numbers["encoder_sha256"]
    with torch.no_grad():
        encoder.backbone.bn1.running_mean.add_(1e-3)
    assert state_hash(encoder) != before  # a buffer is seen too


def test_20_choices_are_made_on_validation_and_the_test_split_decides_nothing(config, dataset):
    scrambled = dataset._replace(test=dataset.test._replace(labels=(dataset.test.labels + 1) % 3))
    runs = [
        evaluate(
            build_encoder(config, 3),
            make_splits(d, config),
            d,
            config=replace(config, score_split="test"),
        ).numbers
        for d in (dataset, scrambled)
    ]
    for name in ("probe_lr", "probe_validation_accuracy", "encoder_sha256", "effective_rank"):
        assert runs[0][name] == runs[1][name]
    assert runs[0]["probe_accuracy"] != runs[1]["probe_accuracy"]


def test_21_neighbours_are_of_the_backbone_and_of_the_projection_apart_with_k_and_temperature_in_the_config(
    config,
):
    labels = torch.arange(3)
    good, bad = torch.eye(3), torch.eye(3).roll(1, 0)
    found = knn_accuracies(
        FrozenFeatures(torch.eye(3), torch.eye(3)),
        labels,
        FrozenFeatures(good, bad),
        query_labels=labels,
        config=replace(config, knn_neighbours=1),
    )
    assert found == {"knn_accuracy": 1.0, "knn_projection_accuracy": 0.0}
    assert {"knn_neighbours", "knn_temperature"} <= {field.name for field in fields(Config)}


def test_22_a_checkpoint_that_does_not_give_every_tensor_is_refused(config, tmp_path):
    backbone = build_encoder(config, 3).backbone
    state = backbone.state_dict()
    state.pop("layer3.1.bn2.running_var")
    torch.save(
        {"state_dict": {f"module.encoder_q.{name}": tensor for name, tensor in state.items()}},
        tmp_path / "part.pt",
    )
    with pytest.raises(ValueError, match=r"1 of 100 are missing \(layer3\.1\.bn2\.running_var\)"):
        load_backbone(backbone, tmp_path / "part.pt")


def test_23_accuracy_is_the_share_of_queries_nearest_to_their_own_key(config):
    model = build(replace(config, queue_size=16, batch_norm="plain"))
    step(model, config)
    queue, (one, two) = model.queue.keys_KC.clone(), pair(config, 1)
    for key_view in (one, two, torch.cat([one[:8], two[8:]])):
        keys = queue.clone()
        model.queue.keys_KC.copy_(queue)
        contrast = model(one, key_view, images(config), generator=torch.Generator())
        own, others = (
            (contrast.query_NC * contrast.key_NC).sum(1),
            (contrast.query_NC @ keys.T).amax(1),
        )
        assert contrast.accuracy.item() == (own > others).float().mean().item()
    model.queue.keys_KC.copy_(queue)
    assert model(one, one, images(config), generator=torch.Generator()).accuracy == 1


def test_24_recipes_are_the_published_ones(config):
    assert RECIPES["moco_cifar"].crop_scale == (0.08, 1.0)
    assert RECIPES["moco_cifar"].blur == 0
    assert RECIPES["moco_v2"].crop_scale == RECIPES["moco_v1"].crop_scale == (0.2, 1.0)
    assert (RECIPES["moco_v2"].blur, BLUR_SIGMA) == (0.5, (0.1, 2.0))
    assert RECIPES["svhn"].flip == RECIPES["digits"].flip == 0


def test_25_two_views_differ_images_differ_and_workers_share_one_draw():
    draws = torch.Generator().manual_seed(0)
    same = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=draws).expand(
        8, -1, -1, -1
    )
    views = [
        apply(same, sample_parameters(RECIPES["moco_v2"], 8, 16, width=16, generator=draws), 16)
        for _ in range(2)
    ]
    assert len(torch.unique(torch.cat(views).flatten(1), dim=0)) == 16
    first, second = (
        sample_parameters(
            RECIPES["moco_v2"], 8, 16, width=16, generator=make_generator(3, Source.VIEWS, 1)
        )
        for _ in range(2)
    )
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    assert not torch.equal(
        first.box_N4,
        sample_parameters(
            RECIPES["moco_v2"], 8, 16, width=16, generator=make_generator(3, Source.VIEWS, 2)
        ).box_N4,
    )


def test_26_every_number_that_changes_a_run_is_a_field(config):
    """A trial's identity is the hash of its fields, the data's fingerprint and the seed: what is no field would collide."""
    assert config.to_dict().keys() == {field.name for field in fields(Config)}
    assert {
        "momentum",
        "temperature",
        "weights_sha256",
        "split_seed",
        "precision",
        "probe_lr_low",
    } <= config.to_dict().keys()
