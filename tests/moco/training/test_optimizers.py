"""Every optimizer: repeatable, towards the minimum, each parameter once, decay as documented."""

import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from moco.model.encoder import Encoder
from moco.training.optimizers import OPTIMIZERS, build_optimizer, decayed_parameters

LAYERWISE = ("lars", "lamb", "muon")


def linear(width=8):
    layer = nn.Linear(width, width)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1, width * width).view(width, width))
        layer.bias.zero_()
    return layer


def steps(config, count=20):
    layer = linear()
    optimizer = build_optimizer(config, layer)
    for _step in range(count):
        optimizer.zero_grad()
        ((layer.weight - 0.3) ** 2).sum().backward()
        layer.bias.grad = torch.zeros_like(layer.bias)
        optimizer.step()
    return layer.weight.detach(), optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_repeats_itself_and_nears_the_minimum(config, name):
    config = replace(config, optimizer=name, lr=0.05, weight_decay=0.0)
    (one, _), (two, _) = steps(config), steps(config)
    assert torch.equal(one, two)
    assert (one - 0.3).norm() < (linear().weight - 0.3).norm()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_gets_the_configs_rate_decay_and_momentum(config, name):
    _, optimizer = steps(
        replace(config, optimizer=name, lr=0.02, weight_decay=0.003, momentum=0.7), 1
    )
    weights, vectors = optimizer.param_groups
    assert (weights["lr"], vectors["lr"]) == (0.02, 0.02)
    assert weights["weight_decay"] == 0.003
    assert vectors["weight_decay"] == (0.0 if name in LAYERWISE else 0.003)
    if OPTIMIZERS[name].momentum.startswith("momentum"):
        assert weights["momentum"] == 0.7


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_default_rate_is_its_librarys_own(name):
    row = OPTIMIZERS[name]
    assert row.build([nn.Parameter(torch.zeros(2, 2))]).param_groups[0]["lr"] == row.default_lr


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_kind_of_weight_decay_is_as_the_table_says(config, name):
    """With a zero gradient, decoupled decay shrinks a weight by the share lr x decay a step."""
    layer = linear(1)
    optimizer = build_optimizer(
        replace(config, optimizer=name, lr=0.01, weight_decay=0.1, decay_on="all"), layer
    )
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(1.0)
    layer.weight.grad, layer.bias.grad = torch.zeros(1, 1), torch.zeros(1)
    for _step in range(10):
        optimizer.step()
    decoupled = layer.bias.item() == pytest.approx((1 - 0.01 * 0.1) ** 10, abs=1e-6)
    assert decoupled == (OPTIMIZERS[name].decay == "decoupled")


@pytest.mark.parametrize("wish", ["auto", "all", "weights"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_parameter_has_one_owner_and_which_ones_decay_is_explicit(config, name, wish):
    config = replace(config, optimizer=name, decay_on=wish, weight_decay=0.01, lr=1e-3)
    encoder = Encoder(config, 3)
    optimizer = build_optimizer(config, encoder)
    owned = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(owned) == sorted(id(parameter) for parameter in encoder.parameters())
    every = decayed_parameters(config) == "all"
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert (group["weight_decay"] > 0) == (every or parameter.ndim > 1)
    before = [parameter.detach().clone() for parameter in encoder.parameters()]
    encoder(
        torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ).square().sum().backward()
    optimizer.step()
    assert all(
        not torch.equal(old, new) for old, new in zip(before, encoder.parameters(), strict=True)
    )


def test_lars_is_you_et_al(config):
    """You et al. 2017, Algorithm 1: v ← m v + lr 0.001 |w| / (|g| + d |w|) (g + d w).

    Vectors take SGD's step.
    """
    layer, draws = linear(4), torch.Generator().manual_seed(0)
    optimizer = build_optimizer(
        replace(config, optimizer="lars", lr=2.0, weight_decay=0.1, momentum=0.9), layer
    )
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    velocity, bias_velocity = torch.zeros_like(weight), torch.zeros_like(bias)
    for _step in range(5):
        layer.weight.grad, layer.bias.grad = (
            torch.randn(4, 4, generator=draws),
            torch.randn(4, generator=draws),
        )
        trust = 0.001 * weight.norm() / (layer.weight.grad.norm() + 0.1 * weight.norm())
        velocity = 0.9 * velocity + trust * (layer.weight.grad + 0.1 * weight)
        bias_velocity = 0.9 * bias_velocity + layer.bias.grad
        weight, bias = weight - 2.0 * velocity, bias - 2.0 * bias_velocity
        optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), weight)
    torch.testing.assert_close(layer.bias.detach(), bias)


def test_lamb_is_you_et_al(config):
    """You et al. 2020, Algorithm 2, with the gradient clipped to norm 1 and the decay decoupled."""
    layer, draws = linear(4), torch.Generator().manual_seed(0)
    optimizer = build_optimizer(replace(config, optimizer="lamb", lr=0.01, weight_decay=0.1), layer)
    weight = layer.weight.detach().clone()
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    for step in range(1, 6):
        layer.weight.grad, layer.bias.grad = torch.randn(4, 4, generator=draws), torch.zeros(4)
        gradient = layer.weight.grad / layer.weight.grad.norm().clamp(min=1.0)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        update = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-6)
        weight = weight * (1 - 0.01 * 0.1)
        weight = weight - 0.01 * weight.norm() / update.norm() * update
        optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), weight, rtol=2e-3, atol=1e-5)


def test_lion_is_chen_et_al(config):
    """Chen et al. 2023, Algorithm 2: sign(0.9 m + 0.1 g), decoupled decay, m ← 0.99 m + 0.01 g."""
    layer, draws = linear(4), torch.Generator().manual_seed(0)
    optimizer = build_optimizer(replace(config, optimizer="lion", lr=0.01, weight_decay=0.1), layer)
    weight, momentum = layer.weight.detach().clone(), torch.zeros(4, 4)
    for _step in range(5):
        layer.weight.grad, layer.bias.grad = torch.randn(4, 4, generator=draws), torch.zeros(4)
        weight = weight - 0.01 * ((0.9 * momentum + 0.1 * layer.weight.grad).sign() + 0.1 * weight)
        momentum = 0.99 * momentum + 0.01 * layer.weight.grad
        optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), weight, rtol=1e-4, atol=1e-6)


def test_muon_makes_a_convolutions_update_nearly_orthogonal_as_one_matrix(config):
    """Jordan 2024: the update, as a matrix out x (in · kernel), has singular values near one.

    torch's own Muon refuses convolutions.
    """
    convolution = nn.Conv2d(8, 16, 3, bias=False)
    before = convolution.weight.detach().clone()
    optimizer = build_optimizer(
        replace(config, optimizer="muon", lr=1.0, weight_decay=0.0), convolution
    )
    convolution.weight.grad = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    update = (before - convolution.weight.detach()).flatten(1)
    scale = 0.2 * 72**0.5  # to the size of AdamW's update (Liu et al. 2025)
    singular = torch.linalg.svdvals(update) / scale
    assert singular.min() > 0.5
    assert singular.max() < 1.5


def test_an_optimizer_whose_library_is_absent_is_refused_in_a_sentence(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm.optim", None)
    with pytest.raises(
        ValueError, match="optimizer lars needs timm, which is not installed here: pip install timm"
    ):
        build_optimizer(replace(config, optimizer="lars"), linear())


def test_an_unknown_optimizer_is_refused_by_name(config):
    with pytest.raises(ValueError, match=r"optimizer must be one of sgd, .*; got 'newton'"):
        build_optimizer(replace(config, optimizer="newton"), linear())
