"""Training on labels learns them; fine-tuning does not change the encoder that it starts from."""

from dataclasses import replace

import pytest
import torch

from moco.data.dataset import Split
from moco.data.splits import make_splits
from moco.evaluation.evaluate import state_hash
from moco.model.encoder import build_encoder
from moco.training.loop import epoch_generators
from moco.training.supervised import (
    build_finetuning,
    build_supervised_training,
    classify_correctly,
    with_plain_batch_norm,
)


@pytest.fixture
def config(config):
    return replace(config, method="supervised", epochs=8, lr=0.05)


def accuracy(run, dataset, config):
    correct = classify_correctly(run.classifier, dataset.test, dataset, config=config)
    return float(correct.double().mean())


def test_a_step_is_that_of_cross_entropy_in_plain_pytorch(config, dataset):
    run = build_supervised_training(config, dataset, dataset.train)
    generators = epoch_generators(seed=3, epoch=1)
    batch = run.make_batch(torch.arange(16), generators)
    encoder = build_encoder(with_plain_batch_norm(config), 3)
    layer = torch.nn.Linear(encoder.backbone.feature_size, 3)
    layer.load_state_dict(run.classifier.linear.state_dict())
    optimizer = torch.optim.SGD(
        [*encoder.backbone.parameters(), *layer.parameters()],
        lr=config.lr,
        momentum=0.9,
        weight_decay=config.weight_decay,
    )
    torch.nn.functional.cross_entropy(
        layer(encoder.backbone(batch.views[0])), dataset.train.labels[:16]
    ).backward()
    optimizer.step()
    run.set_lr()
    run.train_step(batch, generators)
    torch.testing.assert_close(run.classifier.linear.weight, layer.weight)
    torch.testing.assert_close(run.encoder.backbone.conv1.weight, encoder.backbone.conv1.weight)


def test_it_learns_labels_that_can_be_learned_and_not_shuffled_ones(config, dataset):
    scores = {}
    for name, labels in (
        ("true", dataset.train.labels),
        (
            "shuffled",
            dataset.train.labels[torch.randperm(96, generator=torch.Generator().manual_seed(0))],
        ),
    ):
        run = build_supervised_training(config, dataset, Split(dataset.train.images, labels))
        list(run.epochs())
        scores[name] = accuracy(run, dataset, config)
    assert scores["true"] > 0.8
    assert scores["shuffled"] < 0.7


def test_fine_tuning_starts_at_the_encoder_and_leaves_it_alone(config, dataset):
    config = replace(config, method="moco", finetune_epochs=6, finetune_lr=0.05)
    encoder = build_encoder(config, 3)
    before = state_hash(encoder)
    run = build_finetuning(config, dataset, make_splits(dataset, config).train, encoder=encoder)
    torch.testing.assert_close(run.encoder.state_dict(), encoder.state_dict())
    assert run.optimizer.param_groups[0]["lr"] == 0.05
    list(run.epochs())
    assert state_hash(encoder) == before
    assert not torch.equal(run.encoder.backbone.conv1.weight, encoder.backbone.conv1.weight)
    assert torch.equal(run.encoder.head[0].weight, encoder.head[0].weight)
    assert accuracy(run, dataset, config) > 0.6


def test_every_image_is_normalised_in_the_whole_batch(config, dataset):
    run = build_supervised_training(
        replace(config, batch_norm="shuffle", batch_norm_splits=4), dataset, dataset.train
    )
    assert run.encoder.backbone.bn1.splits == 1


def test_views_are_made_in_float32_under_bfloat16(config, dataset, monkeypatch):
    run = build_supervised_training(
        replace(config, precision="bfloat16", views="moco_cifar"), dataset, dataset.train
    )
    seen = []
    monkeypatch.setattr(
        run.classifier,
        "forward",
        lambda view: seen.append(view.dtype) or torch.zeros(len(view), 3, requires_grad=True),
    )
    generators = epoch_generators(seed=3, epoch=1)
    run.forward(run.make_batch(torch.arange(16), generators), generators)
    assert seen == [torch.float32]
