"""Diagnostics: numbers against plain references, sentences against faulty runs."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from moco.model.encoder import build_encoder
from moco.training.contrastive import pretrain
from moco.training.diagnostics import (
    chance_loss,
    effective_rank,
    feature_std,
    key_encoder_drift,
    remarks,
    uniformity,
)


def units(count=200, features=16, seed=0):
    return F.normalize(
        torch.randn(count, features, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def test_uniformity_is_wang_and_isolas_over_all_pairs():
    x = units(12, 4)
    energies = [
        math.exp(-2 * float((x[i] - x[j]).square().sum()))
        for i in range(12)
        for j in range(12)
        if i != j
    ]
    assert uniformity(x) == pytest.approx(math.log(sum(energies) / len(energies)), abs=1e-5)
    assert uniformity(x[:1].expand(12, -1)) == pytest.approx(0, abs=1e-5)


def test_feature_std_is_one_for_uniform_vectors_and_zero_for_one_vector():
    assert feature_std(units()) == pytest.approx(1, abs=0.05)
    assert feature_std(units()[:1].expand(200, -1)) == pytest.approx(0, abs=1e-5)


def test_effective_rank_counts_equal_directions_and_is_no_number_without_numbers():
    assert effective_rank(torch.eye(5).repeat(4, 1)) == pytest.approx(5, abs=1e-3)
    assert effective_rank(torch.ones(10, 5)) == pytest.approx(1, abs=1e-3)
    assert math.isnan(effective_rank(torch.full((3, 3), torch.nan)))


def test_drift_is_the_distance_of_the_weights_as_a_share(config):
    one, two = build_encoder(config, 3), build_encoder(config, 3)
    assert key_encoder_drift(one, two) == 0
    with torch.no_grad():
        for parameter in two.parameters():
            parameter.mul_(1.1)
    assert key_encoder_drift(one, two) == pytest.approx(0.1, rel=1e-4)


def test_an_epoch_reports_queue_keys_and_gradient(config, dataset):
    first, second, _ = (
        epoch.metrics
        for epoch in pretrain(replace(config, queue_size=128), dataset, dataset.train.images)
    )
    assert (first.queue_fill, second.queue_fill) == (0.75, 1.0)  # 96 keys an epoch
    assert (first.queue_age, second.queue_age) == (6, 8)
    assert first.chance_loss == chance_loss(128) == math.log(129)
    assert 0 <= second.alignment <= 4
    assert 0 < second.key_drift < 1
    assert second.gradient_norm > 0
    assert 1 <= second.projection_rank <= config.batch_size
    *_, symmetric = pretrain(
        replace(config, queue_size=128, loss="symmetric_mean", key_momentum_schedule="cosine"),
        dataset,
        dataset.train.images,
    )
    assert symmetric.metrics.queue_age == 4
    assert config.key_momentum < symmetric.metrics.key_momentum < 1


HEALTHY = {
    "epoch": 3,
    "loss": 3.0,
    "chance_loss": 5.0,
    "projection_std": 0.9,
    "queue_fill": 1.0,
    "contrastive_accuracy": 0.4,
}
GOOD = {"effective_rank": 20.0, "knn_accuracy": 0.8}


@pytest.mark.parametrize(
    ("row", "result", "sentence"),
    [
        ({}, {}, None),
        ({"projection_std": 0.01}, {}, None),  # of the projections: the features are what counts
        ({}, {"effective_rank": math.nan}, "Diverged"),
        ({}, {"effective_rank": 1.2}, "Collapse"),
        ({"loss": 4.95}, {}, None),  # keys are found
        (
            {"loss": 4.95, "contrastive_accuracy": 0.01},
            {},
            "still that of guessing, ln(1 + K) = 5.00",
        ),
        ({"queue_fill": 0.5, "loss": 0.1}, {}, "The queue holds 50% real keys"),
        (
            {"contrastive_accuracy": 0.97},
            {"knn_accuracy": 0.15},
            "A leak is suspected: 97% of the keys are found, yet kNN reaches 15%",
        ),
        ({"loss": math.nan}, {}, "Diverged"),
    ],
)
def test_each_plain_fault_has_one_remark_and_a_healthy_run_none(config, row, result, sentence):
    found = remarks([{**HEALTHY, **row}], {**GOOD, **result}, 10, config=config)
    assert len(found) == (sentence is not None)
    assert sentence is None or sentence in found[0]


def test_a_suspected_leak_names_batch_norm_or_a_shortcut(config):
    row, result = {**HEALTHY, "contrastive_accuracy": 0.97}, {**GOOD, "knn_accuracy": 0.15}
    plain = replace(config, batch_norm="plain")
    assert "batch norm may tell" in remarks([row], result, 10, config=plain)[0]
    assert "shortcut" in remarks([row], result, 10, config=config)[0]


def test_a_collapsed_run_has_a_remark(config, dataset):
    """A key encoder that is the query encoder, a huge rate: the paper's m = 0 fails."""
    config = replace(config, key_momentum=0.0, lr=30.0, epochs=4, temperature=1.0)
    *_, last = pretrain(config, dataset, dataset.train.images)
    row = last.metrics._asdict()
    result = {"effective_rank": row["projection_rank"], "knn_accuracy": 0.33}
    assert remarks([row], result, 3, config=config)[0].startswith(("Collapse", "Diverged"))
