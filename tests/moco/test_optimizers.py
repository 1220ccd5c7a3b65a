"""Every row of the table: it is torch's, repeats itself, and moves against the gradient."""

from dataclasses import replace

import pytest
import torch

from moco.optimizers import OPTIMIZERS, build_optimizer


def steps(config, count=20):
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 8))
    optimizer = build_optimizer(config, [weight])
    for _step in range(count):
        optimizer.zero_grad()
        ((weight - 0.3) ** 2).sum().backward()
        optimizer.step()
    return weight.detach(), optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_repeats_itself_and_nears_the_minimum(config, name):
    config = replace(config, optimizer=name, lr=0.05, weight_decay=0.0)
    (one, _), (two, _) = steps(config), steps(config)
    assert torch.equal(one, two)
    assert (one - 0.3).abs().mean() < (torch.linspace(-1, 1, 8) - 0.3).abs().mean()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_gets_the_configs_rate_decay_and_momentum(config, name):
    _, optimizer = steps(replace(config, optimizer=name, lr=0.02, weight_decay=0.003, momentum=0.7), 1)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.02, 0.003)
    if OPTIMIZERS[name].momentum == "momentum":
        assert group["momentum"] == 0.7


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_default_rate_is_torchs_own(name):
    row = OPTIMIZERS[name]
    assert row.build([torch.nn.Parameter(torch.zeros(1))]).param_groups[0]["lr"] == row.default_lr


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_kind_of_weight_decay_is_as_the_table_says(config, name):
    """With a zero gradient, decoupled decay shrinks a weight by lr x decay; L2 gives an adaptive method a full step."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = build_optimizer(replace(config, optimizer=name, lr=0.01, weight_decay=0.1), [weight])
    weight.grad = torch.zeros(1)
    optimizer.step()
    decoupled = weight.item() == pytest.approx(1 - 0.01 * 0.1, abs=1e-7)
    assert decoupled == (OPTIMIZERS[name].decay == "decoupled" or name == "sgd")


def test_an_unknown_optimizer_is_refused_by_name(config):
    with pytest.raises(ValueError, match=r"optimizer must be one of sgd, .*; got 'lars'"):
        build_optimizer(replace(config, optimizer="lars"), [])
