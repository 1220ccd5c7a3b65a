"""Split batch norm: each group is normalised as a device of its own would."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from moco.model.batch_norm import SplitBatchNorm2d
from moco.model.encoder import build_encoder


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_group_is_normalised_by_its_own_statistics(layout):
    x = (torch.randn(12, 5, 4, 4) * torch.linspace(1, 9, 12)[:, None, None, None]).contiguous(
        memory_format=layout
    )
    norm = SplitBatchNorm2d(5, 3).train()
    expected = torch.cat([nn.BatchNorm2d(5).train()(group) for group in x.chunk(3)])
    torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradients_are_those_of_finite_differences(layout):
    norm = SplitBatchNorm2d(3, 2).double().train()
    x = (
        torch.randn(6, 3, 2, 2, dtype=torch.float64)
        .contiguous(memory_format=layout)
        .requires_grad_()
    )
    weight, bias = (
        torch.randn(3, dtype=torch.float64).requires_grad_(),
        torch.randn(3, dtype=torch.float64).requires_grad_(),
    )
    assert torch.autograd.gradcheck(
        lambda *inputs: torch.func.functional_call(
            norm, {"weight": inputs[1], "bias": inputs[2]}, inputs[0]
        ),
        (x, weight, bias),
    )


def test_running_statistics_follow_the_mean_of_the_groups():
    x = torch.randn(12, 5, 4, 4)
    norm = SplitBatchNorm2d(5, 3).train()
    norm(x)
    groups = [nn.BatchNorm2d(5).train() for _ in range(3)]
    for group, part in zip(groups, x.chunk(3), strict=True):
        group(part)
    torch.testing.assert_close(
        norm.running_mean, torch.stack([group.running_mean for group in groups]).mean(0)
    )
    torch.testing.assert_close(
        norm.running_var, torch.stack([group.running_var for group in groups]).mean(0)
    )


def test_evaluation_and_state_are_those_of_ordinary_batch_norm():
    split, plain = SplitBatchNorm2d(5, 3), nn.BatchNorm2d(5)
    split.train()(torch.randn(12, 5, 4, 4))
    plain.load_state_dict(split.state_dict())
    x = torch.randn(7, 5, 4, 4)
    torch.testing.assert_close(split.eval()(x), plain.eval()(x))


def test_shuffling_with_one_group_would_do_nothing_and_with_two_does():
    x = torch.randn(8, 3, 4, 4)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    for splits, same in ((1, True), (2, False)):
        norm = SplitBatchNorm2d(3, splits).train()
        assert torch.allclose(norm(x)[order], norm(x[order]), atol=1e-5) == same


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="3 equal groups; got 8 images"):
        SplitBatchNorm2d(2, 3).train()(torch.randn(8, 2, 2, 2))


@pytest.mark.parametrize("kind", ["shuffle", "plain"])
def test_an_encoder_gives_the_same_when_compiled(config, kind):
    images = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    encoders = [build_encoder(replace(config, batch_norm=kind), 3) for _ in range(2)]
    encoders[1].compile(backend="aot_eager", dynamic=False, fullgraph=True)
    found = []
    for encoder in encoders:
        (encoder(images) ** 2).mean().backward()
        found.append((encoder.state_dict(), [parameter.grad for parameter in encoder.parameters()]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)
    torch._dynamo.reset()
