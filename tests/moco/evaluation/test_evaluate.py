"""Probe and nearest neighbours against plain references; evaluation does not change the encoder."""

import hashlib
from dataclasses import replace

import pytest
import torch

from moco.config import Config
from moco.evaluation.evaluate import fit_probe
from moco.evaluation.knn import knn_accuracy
from moco.evaluation.linear_probe import (
    LabelledFeatures,
    fit_lbfgs_probe,
    fit_sgd_probe,
    learning_rate_grid,
    score_probe,
    standardise,
)
from moco.model.encoder import Encoder
from moco.model.features import extract_features
from moco.schedules import SCHEDULES, lr_factor, step_decay
from moco.seed import Source, make_generator
from moco.training.contrastive import Pretraining
from moco.training.loop import epoch_generators

RATES = learning_rate_grid(0.01, 100)


def test_the_rates_are_1_and_3_times_powers_of_ten_with_10_and_30():
    assert RATES == (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    assert learning_rate_grid(3e-4, 0.003) == (3e-4, 1e-3, 3e-3)
    assert {10.0, 30.0} <= set(learning_rate_grid(Config().probe_lr_low, Config().probe_lr_high))


def blobs(count, seed=0, scale=1.0):
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    centres = torch.eye(3, 6) * 2
    return LabelledFeatures(
        (centres[labels] + torch.randn(count, 6, generator=draws) * 0.8) * scale, labels
    )


def test_the_probe_trains_each_rate_as_torchs_sgd_would():
    train, validation = blobs(60), blobs(60, 1)
    probe = fit_sgd_probe(
        train,
        validation,
        validation,
        rates=RATES,
        epochs=10,
        batch_size=16,
        generator=torch.Generator().manual_seed(0),
    )
    best = {}
    for lr in RATES:
        layer = torch.nn.Linear(6, 3)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(layer.parameters(), lr=lr, momentum=0.9)
        draws = torch.Generator().manual_seed(0)
        for epoch in range(10):
            optimizer.param_groups[0]["lr"] = lr * step_decay(epoch / 10)
            for index in torch.randperm(60, generator=draws).split(16):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(
                    layer(train.values[index]), train.labels[index]
                ).backward()
                optimizer.step()
        best[lr] = (layer(validation.values).argmax(1) == validation.labels).double().mean().item()
    top = max(best.values())
    assert probe.validation_accuracy == pytest.approx(top, abs=1e-9)
    assert probe.setting == min(lr for lr, accuracy in best.items() if accuracy == top)


def test_the_rate_is_chosen_on_validation_and_the_score_is_of_the_other_split():
    train, validation = blobs(90), blobs(90, 1)
    flipped = LabelledFeatures(validation.values, (validation.labels + 1) % 3)
    probe = fit_sgd_probe(
        train,
        validation,
        flipped,
        rates=RATES,
        epochs=20,
        batch_size=32,
        generator=torch.Generator().manual_seed(0),
    )
    assert probe.validation_accuracy > 0.8
    assert probe.accuracy < 0.2


def test_each_rates_own_accuracy_is_that_of_a_probe_with_this_rate_alone():
    """By epoch, on the scored split; the schedule is that of the whole run."""
    train, validation, scored = blobs(60), blobs(60, 1), blobs(60, 2)
    config = Config(
        probe_each="on",
        probe_rates="raw",
        probe_lr_low=0.1,
        probe_lr_high=10.0,
        probe_epochs=5,
        probe_batch_size=16,
        probe_schedule="constant",
    )
    _, numbers = fit_probe(train, validation, scored, config=config)
    assert list(numbers["probe_curves"]) == ["0.1", "0.3", "1", "3", "10"]
    for lr in (0.1, 1.0, 10.0):
        for epochs in (1, 5):
            alone = fit_sgd_probe(
                train,
                validation,
                scored,
                rates=(lr,),
                epochs=epochs,
                batch_size=16,
                generator=make_generator(config.seed, Source.PROBE),
                schedule="constant",
            )
            assert numbers["probe_curves"][f"{lr:g}"][epochs - 1] == pytest.approx(
                alone.accuracy, abs=1e-6
            )
    assert numbers["probe_accuracy_lr_10"] == numbers["probe_curves"]["10"][-1]
    assert fit_probe(train, validation, scored, config=replace(config, probe_each="off"))[1] == {}


@pytest.mark.parametrize("scale", [100.0, 0.01, 1e-12])
def test_the_scale_of_the_features_has_no_effect_on_the_probe(scale):
    """Its rates are relative to 1 / mean squared norm; its weights are for the features as given."""
    splits = [blobs(90, seed) for seed in (0, 1, 2)]
    scaled = [blobs(90, seed, scale) for seed in (0, 1, 2)]
    first, second = (fit_probe(*parts, config=Config())[0] for parts in (splits, scaled))
    assert first.setting == second.setting
    assert second.validation_accuracy == pytest.approx(first.validation_accuracy, abs=0.005)
    assert second.accuracy == pytest.approx(first.accuracy, abs=0.005)
    torch.testing.assert_close(second.weight_EC[:-1] * scale, first.weight_EC[:-1])
    torch.testing.assert_close(second.weight_EC[-1], first.weight_EC[-1])
    for parts, probe in ((splits, first), (scaled, second)):
        scored = parts[2]
        logits = scored.values @ probe.weight_EC[:-1] + probe.weight_EC[-1]
        assert float((logits.argmax(1) == scored.labels).double().mean()) == probe.accuracy


def test_raw_rates_do_feel_the_scale():
    raw = Config(probe_rates="raw", probe_lr_low=0.01, probe_lr_high=1.0)
    parts = [blobs(90, seed, 1e-3) for seed in (0, 1, 2)]
    assert fit_probe(*parts, config=raw)[0].at_edge
    assert not fit_probe(*parts, config=Config())[0].at_edge


def test_standardised_features_have_mean_0_and_std_1_on_the_training_split():
    train, other = blobs(60), blobs(60, 1)
    constant = LabelledFeatures(torch.cat([train.values, torch.ones(60, 1)], 1), train.labels)
    ours, _ = standardise(
        constant,
        LabelledFeatures(torch.cat([other.values, torch.full((60, 1), 2.0)], 1), other.labels),
    )
    torch.testing.assert_close(ours.values[:, :6].mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        ours.values[:, :6].std(0, correction=0), torch.ones(6), atol=1e-5, rtol=0
    )
    assert not ours.values[:, 6].any()
    same = standardise(LabelledFeatures(train.values * 1e-3, train.labels))[0].values
    torch.testing.assert_close(same, standardise(train)[0].values, atol=1e-4, rtol=0)


def test_the_encoder_sees_images_at_the_size_that_is_asked_for(config, dataset):
    encoder = Encoder(config, 3)
    config = replace(config, input_size=12)
    small = extract_features(encoder, dataset.test, dataset, config=config).features_ND
    larger = torch.nn.functional.interpolate(
        dataset.test.images.float() / 255, (12, 12), mode="bilinear", antialias=True
    )
    mean, std = (torch.tensor(x)[:, None, None] for x in (dataset.mean, dataset.std))
    with torch.no_grad():
        torch.testing.assert_close(
            small, encoder.eval().backbone((larger.clamp(0, 1) - mean) / std), rtol=1e-4, atol=1e-5
        )
    batch = next(Pretraining(config, dataset, dataset.train.images).batches(epoch_generators(0, 1)))
    assert batch.views[0].shape[2:] == (12, 12)


def test_smaller_features_want_larger_rates():
    rates = [
        fit_sgd_probe(
            blobs(90, 0, s),
            blobs(90, 1, s),
            blobs(90, 1, s),
            rates=RATES,
            epochs=10,
            batch_size=32,
            generator=torch.Generator().manual_seed(0),
        ).setting
        for s in (0.03, 1.0)
    ]
    assert rates[0] > rates[1]


def test_knn_votes_by_weight_as_the_plain_loop_does():
    bank, query = blobs(50), blobs(20, 1)
    hits = 0
    for value, label in zip(query.values, query.labels, strict=True):
        cosine = torch.nn.functional.cosine_similarity(bank.values, value[None])
        votes = torch.zeros(3)
        for i in cosine.argsort(descending=True)[:7]:
            votes[bank.labels[i]] += (cosine[i] / 0.1).exp()
        hits += int(votes.argmax() == label)
    assert knn_accuracy(*bank, *query, neighbours=7, temperature=0.1) == pytest.approx(hits / 20)


def test_knn_takes_more_neighbours_than_there_are():
    assert 0 <= knn_accuracy(*blobs(5), *blobs(4, 1), neighbours=200, temperature=0.1) <= 1


def test_lbfgs_finds_scikit_learns_solution_at_each_penalty():
    from sklearn.linear_model import LogisticRegression

    train, validation = blobs(90), blobs(90, 1)
    scale = train.values.square().mean().sqrt()
    train, validation = (
        LabelledFeatures(part.values / scale, part.labels) for part in (train, validation)
    )
    for penalty in (0.1, 0.001):
        probe = fit_lbfgs_probe(train, validation, validation, penalties=(10.0, penalty))
        reference = LogisticRegression(C=1 / (penalty * 90), max_iter=1000, tol=1e-8).fit(
            train.values.numpy(), train.labels.numpy()
        )
        assert probe.validation_accuracy == pytest.approx(
            reference.score(validation.values.numpy(), validation.labels.numpy()), abs=0.012
        )


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1e3, 1e15])
def test_lbfgs_gives_the_same_probe_at_any_scale_of_the_features(scale):
    parts = [blobs(90), blobs(90, 1)]
    one = fit_lbfgs_probe(parts[0], parts[1], parts[1])
    other = fit_lbfgs_probe(
        *(
            LabelledFeatures(part.values * scale, part.labels)
            for part in (parts[0], parts[1], parts[1])
        )
    )
    assert other.setting == one.setting
    assert other.accuracy == pytest.approx(one.accuracy, abs=0.012)


def test_features_that_are_not_finite_give_a_probe_without_an_error():
    broken = LabelledFeatures(torch.full((9, 4), torch.nan), torch.arange(9) % 3)
    for probe in (
        fit_lbfgs_probe(broken, broken, broken),
        fit_sgd_probe(
            broken,
            broken,
            broken,
            rates=RATES,
            epochs=2,
            batch_size=4,
            generator=torch.Generator().manual_seed(0),
        ),
    ):
        assert 0 <= probe.accuracy <= 1


def test_a_probes_tables_agree_with_its_accuracy():
    train, validation = blobs(90), blobs(90, 1)
    for probe in (
        fit_sgd_probe(
            train,
            validation,
            validation,
            rates=RATES,
            epochs=10,
            batch_size=32,
            generator=torch.Generator().manual_seed(0),
        ),
        fit_lbfgs_probe(train, validation, validation),
    ):
        assert probe.confusion_CC.sum(1).tolist() == [30, 30, 30]
        assert probe.accuracy == pytest.approx(float(probe.confusion_CC.diagonal().sum()) / 90)
        assert probe.top5_accuracy == 1.0  # of three classes


def test_top_five_counts_labels_among_the_five_likeliest():
    features = LabelledFeatures(torch.eye(10), torch.arange(10))
    ranks = torch.zeros(11, 10)
    ranks[:10] = torch.arange(10.0)  # whatever the image, class 9 is likeliest, then 8 ..
    probe = score_probe(
        1.0, at_edge=False, validation_accuracy=0.0, scored=features, weight_EC=ranks
    )
    assert probe.top5_accuracy == 0.5
    assert probe.accuracy == 0.1


def test_a_rate_at_the_edge_of_the_grid_is_reported():
    train, validation = blobs(90, 0, 0.01), blobs(90, 1, 0.01)
    assert fit_sgd_probe(
        train,
        validation,
        validation,
        rates=(1e-4, 1e-3, 30.0),
        epochs=10,
        batch_size=32,
        generator=torch.Generator().manual_seed(0),
    ).at_edge


def test_extraction_leaves_every_parameter_buffer_and_mode_as_it_was(config, dataset):
    encoder = Encoder(config, 3, 2).train()

    def fingerprint():
        return hashlib.sha256(
            b"".join(value.numpy().tobytes() for value in encoder.state_dict().values())
        ).hexdigest()

    before = fingerprint()
    frozen = extract_features(encoder, dataset.test, dataset, config=config)
    assert frozen.features_ND.shape == (30, encoder.backbone.feature_size)
    torch.testing.assert_close(frozen.projections_NC, encoder.head(frozen.features_ND))
    assert fingerprint() == before
    assert encoder.training


def test_features_do_not_depend_on_the_other_images_of_a_batch(config, dataset):
    encoder = Encoder(config, 3, 2).train()
    part = dataset.test._replace(images=dataset.test.images[:3], labels=dataset.test.labels[:3])
    torch.testing.assert_close(
        extract_features(encoder, dataset.test, dataset, config=config).features_ND[:3],
        extract_features(encoder, part, dataset, config=config).features_ND,
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_begin_at_the_peak_never_reach_zero_and_warm_up(schedule):
    shares = [lr_factor(schedule, step, total_steps=100, warmup_steps=0) for step in range(100)]
    assert shares[0] == 1
    assert min(shares) > 0
    warm = [lr_factor(schedule, step, total_steps=100, warmup_steps=10) for step in range(100)]
    assert warm[:10] == pytest.approx([(k + 1) / 11 for k in range(10)])
    assert warm[10] == 1


def test_sources_of_chance_are_independent_of_each_other():
    draws = {
        source: torch.rand(4, generator=make_generator(0, source, 1)).tolist() for source in Source
    }
    assert len({tuple(values) for values in draws.values()}) == len(Source)
    assert (
        torch.rand(4, generator=make_generator(0, Source.VIEWS, 2)).tolist() != draws[Source.VIEWS]
    )
