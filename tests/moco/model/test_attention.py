"""Attention over a ResNet's maps: the paper's loop, copies and compilation, a bright object."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision

from moco.config import LAYERS, Config
from moco.data import cache
from moco.data.dataset import Dataset, Split
from moco.evaluation.attention_maps import attend, class_balanced_indices, evidence_maps
from moco.evaluation.linear_probe import LabelledFeatures, fit_sgd_probe
from moco.model.attention import SCORES, Attention, heat_map
from moco.model.encoder import Encoder
from moco.model.moco import MoCo
from moco.seed import Source, make_generator
from moco.trainer import trial
from moco.training.supervised import build_supervised_training


def resnet_with_attention(score, layers=("layer2", "layer3"), keeps_global=False, name="resnet18"):
    """One of torchvision's own ResNets with attention hooked into it."""
    torch.manual_seed(0)
    resnet = torchvision.models.get_model(name, weights=None)
    resnet.fc = torch.nn.Identity()
    return resnet.eval(), Attention(resnet, layers, score, keeps_global=keeps_global)


def maps_of(resnet, images, layers):
    """The stages' maps, taken by running torchvision's modules one after the other."""
    x, found = images, {}
    for name, module in resnet.named_children():
        if name == "avgpool":
            break
        x = module(x)
        found[name] = x
    return [found[layer] for layer in layers]


@torch.no_grad()
@pytest.mark.parametrize("keeps_global", [False, True])
@pytest.mark.parametrize("score", SCORES)
def test_it_is_the_papers_loop_over_one_position_at_a_time(score, keeps_global):
    layers = ("layer2", "layer3", "layer4")
    resnet, attention = resnet_with_attention(score, layers, keeps_global)
    images = torch.randn(2, 3, 64, 64)
    features = attention(resnet(images))
    for n in range(2):
        g = resnet(images)[n]
        for hook in attention.hooks:
            hook.pop()
        expected = [g] if keeps_global else []
        for s, maps in enumerate(maps_of(resnet, images, layers)):
            vectors = []
            for i in range(maps.shape[2]):
                for j in range(maps.shape[3]):
                    local = maps[n, :, i, j]
                    projection = attention.projections[s]
                    vectors.append(
                        projection.weight[:, :, 0, 0] @ local
                        if isinstance(projection, torch.nn.Conv2d)
                        else local
                    )
            scores = [
                {
                    "dot": vector @ g,
                    "parametrised": (vector + g) @ attention.u_SD[s]
                    if attention.u_SD is not None
                    else None,
                    "uniform": torch.tensor(0.0),
                }[score]
                for vector in vectors
            ]
            total = sum(torch.exp(c - max(scores)) for c in scores)
            expected.append(
                sum(
                    torch.exp(c - max(scores)) / total * vector
                    for c, vector in zip(scores, vectors, strict=True)
                )
            )
        torch.testing.assert_close(features[n], torch.cat(expected), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_with_one_position_the_attended_feature_is_its_vector():
    resnet, attention = resnet_with_attention("dot", ("layer4",))
    images = torch.randn(3, 3, 32, 32)  # one position after the last stage
    global_ND = resnet(images)
    (attended,) = attention.attend(global_ND)
    assert attended.weight_NHW.shape == (3, 1, 1)
    torch.testing.assert_close(attended.sum_ND, attended.local_NDP[:, :, 0])
    torch.testing.assert_close(attended.sum_ND, global_ND)


@torch.no_grad()
def test_the_learned_score_does_not_depend_on_the_global_vector():
    resnet, attention = resnet_with_attention("parametrised")
    images = torch.randn(2, 3, 64, 64)
    g = resnet(images)
    taken = [hook.pop() for hook in attention.hooks]

    def weights(g):
        for hook, output in zip(attention.hooks, taken, strict=True):
            hook.output = output
        return [part.weight_NHW for part in attention.attend(g)]

    for ours, other in zip(weights(g), weights(torch.randn_like(g)), strict=True):
        torch.testing.assert_close(ours, other)


@pytest.mark.parametrize("score", SCORES)
def test_gradients_are_those_of_finite_differences(score):
    torch.manual_seed(0)
    _, attention = resnet_with_attention(score, ("layer3", "layer4"), keeps_global=True)
    attention.double()
    maps = [
        torch.randn(2, 256, 2, 2, dtype=torch.float64, requires_grad=True),
        torch.randn(2, 512, 1, 2, dtype=torch.float64, requires_grad=True),
    ]
    g = (0.1 * torch.randn(2, 512, dtype=torch.float64)).requires_grad_()
    attention.projections[0].weight.requires_grad_(False)
    mix = torch.randn(3 * 512, 3, dtype=torch.float64)

    def features(*tensors):
        for hook, output in zip(attention.hooks, tensors[:2], strict=True):
            hook.output = output * 0.1
        return attention(tensors[2]) @ mix

    assert torch.autograd.gradcheck(features, (*maps, g), fast_mode=True)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2"])
def test_it_hooks_into_any_resnet_of_torchvision_at_every_stage(name):
    resnet, attention = resnet_with_attention("dot", LAYERS, name=name)
    features = attention(resnet(torch.randn(1, 3, 64, 64)))
    assert features.shape == (1, 4 * resnet.layer4[-1].conv1.in_channels)
    assert features.isfinite().all()


def attended(config, **changes):
    return replace(config, image_size=16, width=0.125, attention="layer2+layer3", **changes)


def test_the_control_has_as_many_parameters(config):
    sizes = [
        sum(p.numel() for p in Encoder(attended(config, attention_score=score), 3).parameters())
        for score in ("dot", "uniform")
    ]
    assert (
        sizes[0]
        == sizes[1]
        > sum(
            p.numel() for p in Encoder(replace(attended(config), attention="none"), 3).parameters()
        )
    )


def test_without_attention_an_encoder_is_what_it_was(config):
    torch.manual_seed(0)
    encoder = Encoder(config, 3)
    assert not any("attention" in name for name in encoder.state_dict())
    assert encoder.feature_size == encoder.backbone.feature_size


def test_independent_heads_project_each_stage_alone_and_average(config):
    torch.manual_seed(0)
    encoder = Encoder(attended(config, attention_heads="independent"), 3).eval()
    images = torch.randn(2, 3, 16, 16)
    parts = encoder.features(images).chunk(2, 1)
    expected = (encoder.head.heads[0](parts[0]) + encoder.head.heads[1](parts[1])) / 2
    torch.testing.assert_close(encoder(images), expected)


def test_the_key_encoder_attends_to_its_own_maps(config):
    config = attended(config)
    torch.manual_seed(0)
    moco = MoCo(config, Encoder(config, 3, 2), make_generator(0, Source.QUEUE))
    assert moco.key_encoder.attention.hooks[0] is not moco.query_encoder.attention.hooks[0]
    views = torch.randn(16, 3, 16, 16)
    contrast = moco(views, views, torch.arange(16), generator=make_generator(0, Source.SHUFFLE))
    contrast.loss.backward()
    assert moco.query_encoder.attention.projections[0].weight.grad.abs().sum() > 0
    with torch.no_grad():
        for parameter in moco.query_encoder.parameters():
            parameter.add_(0.1)
        before = moco.key_encoder.attention.projections[0].weight.clone()
        moco.update_key_encoder()
    torch.testing.assert_close(
        moco.key_encoder.attention.projections[0].weight, before + 0.1 * (1 - moco.key_momentum)
    )


def test_copies_and_saved_states_give_the_same_features(config, tmp_path):
    torch.manual_seed(0)
    encoder = Encoder(attended(config), 3).eval()
    images = torch.randn(2, 3, 16, 16)
    expected = encoder(images)
    torch.save(encoder.state_dict(), tmp_path / "state.pt")
    other = Encoder(attended(config), 3).eval()
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    for again in (copy.deepcopy(encoder), other):
        torch.testing.assert_close(again(images), expected)


def test_it_can_be_compiled(config):
    torch.manual_seed(0)
    encoder = Encoder(attended(config), 3, 2)
    images = torch.randn(4, 3, 16, 16)
    expected = copy.deepcopy(encoder)(images)
    encoder.compile(backend="aot_eager", dynamic=False)
    compiled = encoder(images)
    torch.testing.assert_close(compiled, expected)
    compiled.sum().backward()
    assert encoder.attention.projections[0].weight.grad is not None


def test_a_heat_map_covers_the_image_and_sums_to_one():
    weights = torch.tensor([[[0.7, 0.1], [0.1, 0.1]]])
    over = heat_map(weights, 12, 8)
    assert over.shape == (1, 12, 8)
    assert float(over.sum()) == pytest.approx(1)
    assert over.flatten().argmax() == 0


@pytest.mark.parametrize("wish", ["layer5", "layer2+layer2", "layer2,layer3", "", "2"])
def test_unknown_placements_are_refused(wish):
    with pytest.raises(
        ValueError,
        match="attention must be none, or some of layer1, layer2, layer3, layer4 "
        r"joined by \+; got",
    ):
        Config.of({"attention": wish})


def bright_objects(count, seed):
    """Dark, noisy images with one bright square of 6 px, and its centre; classes filled, hollow."""
    draws = np.random.default_rng(seed)
    images, centres = draws.integers(0, 50, (count, 3, 16, 16)), draws.integers(4, 12, (count, 2))
    labels = np.arange(count) % 2
    for image, label, (y, x) in zip(images, labels, centres, strict=True):
        image[:, y - 3 : y + 3, x - 3 : x + 3] = 255
        if label:
            image[:, y - 1 : y + 1, x - 1 : x + 1] = 0
    split = Split(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels))
    return split, torch.from_numpy(centres)


def bright_dataset():
    train, test = bright_objects(256, 0)[0], bright_objects(64, 1)[0]
    return Dataset(
        name="made",
        title="made up",
        bundled=False,
        views="crop",
        classes=("filled", "hollow"),
        train=train,
        test=test,
        extra=None,
        extra_name="",
        mean=(0.3,) * 3,
        std=(0.3,) * 3,
        modes={},
        sizes={},
        fingerprint="f" * 64,
    )


@pytest.mark.parametrize("score", ["dot", "parametrised"])
def test_after_training_on_labels_the_heat_map_peaks_on_the_one_bright_object(config, score):
    dataset = bright_dataset()
    config = replace(
        config,
        method="supervised",
        attention="layer2",
        attention_score=score,
        width=0.125,
        image_size=16,
        batch_size=32,
        views="crop",
        lr=0.05,
        epochs=8,
    )
    *_, last = build_supervised_training(config, dataset, dataset.train).epochs()
    assert last.metrics.training_accuracy > 0.9
    split, centres = bright_objects(64, 1)
    (stage,), _ = attend(last.encoder, split.images, dataset, config=config)
    peaks = heat_map(stage.weight_NHW, 16, 16).flatten(1).argmax(1)
    rows, columns = peaks // 16, peaks % 16
    distance = torch.stack([rows, columns], 1) - centres
    inside = (distance.abs() <= 4).all(1)  # 81 of 256 pixels; a position of the map is 2 px
    assert inside.float().mean() > 0.9


def test_the_evidence_of_all_positions_is_the_probes_score(config):
    """A probe's score of a weighted sum is the sum over positions; the positive parts are kept."""
    torch.manual_seed(0)
    dataset, config = bright_dataset(), attended(config, attention_output="join")
    encoder = Encoder(config, 3)
    _, features = attend(encoder, dataset.test.images, dataset, config=config)
    part = LabelledFeatures(features, dataset.test.labels)
    probe = fit_sgd_probe(
        part,
        part,
        part,
        rates=(0.1, 1.0),
        epochs=20,
        batch_size=16,
        generator=make_generator(0, Source.PROBE),
    )
    one, _ = attend(encoder, dataset.test.images[:1], dataset, config=config)
    _, w_2, _ = (probe.weight_EC[:-1, 1] - probe.weight_EC[:-1].mean(1)).chunk(3)
    score = float(features[0].chunk(3)[1] @ w_2)
    parts = [
        float(one[0].local_NDP[0, :, p] @ w_2) * float(one[0].weight_NHW.flatten()[p])
        for p in range(64)
    ]
    assert sum(parts) == pytest.approx(score, abs=1e-4)
    kept = evidence_maps(encoder, one, probe, answer=1)["probe's answer from layer2"].flatten()
    expected = torch.tensor(parts).clamp(min=0)
    torch.testing.assert_close(kept, expected / expected.sum(), rtol=1e-3, atol=1e-5)


def result_of(run):
    """A trial's result."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


def test_a_trial_leaves_its_pictures_and_its_attention(config, tmp_path, monkeypatch):
    dataset = bright_dataset()
    monkeypatch.setattr(cache, "load_dataset", lambda cached: dataset)
    config = attended(config, pictures=5, epochs=1, probe_epochs=2, validation_share=0.25)
    assert result_of(trial.run_config(config.to_dict(), tmp_path, tmp_path))["feature_size"] == 128
    pictures = json.loads((tmp_path / "pictures.json").read_text())
    labels = [picture["label"] for picture in pictures]
    assert labels == ["filled", "hollow", "filled", "hollow", "filled"]
    for picture in pictures:
        assert {"attention after layer2", "attention after layer3"} <= picture["maps"].keys()
        for grid in picture["maps"].values():
            assert sum(map(sum, grid)) == pytest.approx(1, abs=1e-3)
    assert set(torch.load(tmp_path / "attention.pt")) == {
        "projections.0.weight",
        "projections.1.weight",
    }


def test_pictures_take_every_class_in_turn():
    assert class_balanced_indices(torch.tensor([0, 0, 0, 1, 2, 1]), 5) == [0, 3, 4, 1, 5]
    assert len(class_balanced_indices(torch.tensor([0, 1]), 10)) == 2


def test_pictures_need_a_probe_that_reads_the_features_as_they_are(config):
    with pytest.raises(
        ValueError, match="pictures need probe_optimizer=sgd and probe_features=raw"
    ):
        replace(config, pictures=3, probe_features="standardised")
    with pytest.raises(ValueError, match="pictures and attention_heads=independent need attention"):
        replace(config, pictures=3)
