"""A convolution of few pixels gives torch's numbers and gradients."""

from itertools import product

import pytest
import torch
from torch import nn

from moco.config import Config
from moco.model.convolution import (
    MAX_PIXELS,
    MIN_WEIGHTS_PER_PIXEL,
    Axis,
    SmallMapConv2d,
    SmallMapConvolution,
)
from moco.model.encoder import Encoder

SHAPES = [
    (taps, stride, padding, height, width)
    for taps, stride, padding, height, width in product(
        (1, 2, 3, 5, 7), (1, 2, 3), (0, 1, 2, 3), (1, 2, 3, 4, 5, 8), (1, 2, 5)
    )
    if padding < taps <= min(height, width) + 2 * padding
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_equals_torchs_convolution(shape):
    taps, stride, padding, height, width = shape
    draws = torch.Generator().manual_seed(0)
    x, weight = (
        torch.randn(*size, dtype=torch.float64, generator=draws, requires_grad=True)
        for size in ((2, 3, height, width), (4, 3, taps, taps))
    )
    expected = torch.conv2d(x, weight, None, stride, padding)
    found = SmallMapConvolution.apply(
        x, weight, Axis(taps, stride, padding), Axis(taps, stride, padding)
    )
    torch.testing.assert_close(found, expected)
    gradient = torch.randn(expected.shape, dtype=torch.float64, generator=draws)
    for ours, theirs in zip(
        *(torch.autograd.grad(y, (x, weight), gradient) for y in (found, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_in_bfloat16_it_is_as_near_to_the_truth_as_torchs():
    draws = torch.Generator().manual_seed(0)
    weight = torch.randn(256, 256, 3, 3, generator=draws) / 48
    x, gradient = (torch.randn(64, 256, 2, 2, generator=draws) for _ in range(2))
    errors = {}
    truth = ()
    for kind, dtype in (
        (nn.Conv2d, torch.float64),
        (nn.Conv2d, torch.float32),
        (SmallMapConv2d, torch.float32),
    ):
        layer = kind(256, 256, 3, padding=1, bias=False).to(dtype)
        layer.weight.data = weight.to(dtype)
        leaf = x.to(dtype, copy=True).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
            y = layer(leaf)
        y.backward(gradient.to(y.dtype))
        assert layer.weight.grad.dtype == dtype
        found = (y.detach(), leaf.grad, layer.weight.grad)
        truth = truth or found
        errors[kind, dtype] = [
            float((a.double() - b).abs().max()) for a, b in zip(found, truth, strict=True)
        ]
    for ours, theirs in zip(
        errors[SmallMapConv2d, torch.float32], errors[nn.Conv2d, torch.float32], strict=True
    ):
        assert 0 < ours < 1.5 * theirs


@pytest.mark.parametrize(
    ("channels", "size", "few"),
    [(256, 4, False), (256, 2, True), (128, 2, False), (128, 1, True), (64, 1, False)],
)
def test_it_serves_only_few_pixels_of_many_weights(channels, size, few, monkeypatch):
    layer = SmallMapConv2d(channels, channels, 3, padding=1, bias=False)
    used = []
    monkeypatch.setattr(SmallMapConvolution, "apply", lambda *inputs: used.append(inputs))
    layer(torch.zeros(2, channels, size, size))
    assert (
        bool(used)
        == few
        == (size**2 <= MAX_PIXELS and 9 * channels**2 >= MIN_WEIGHTS_PER_PIXEL * size**2)
    )


def test_every_convolution_of_an_encoder_is_one_and_keeps_torchvisions_names():
    backbone = Encoder(Config(encoder="resnet50", width=0.0625), 3).backbone
    assert all(
        isinstance(module, SmallMapConv2d)
        for module in backbone.modules()
        if isinstance(module, nn.Conv2d)
    )
    assert "layer4.2.conv3.weight" in backbone.state_dict()


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": "valid"},
        {"padding": 1, "padding_mode": "circular"},
        {"padding": 1, "padding_mode": "reflect"},
    ],
    ids=str,
)
def test_other_kinds_of_padding_are_torchs(options):
    torch.manual_seed(0)
    theirs = nn.Conv2d(512, 512, 3, bias=False, **options)
    ours = SmallMapConv2d(512, 512, 3, bias=False, **options)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 512, 3, 3)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("groups", [1, 64])
def test_a_strided_convolution_of_one_pixel_has_its_gradient_in_bfloat16(groups):
    """torch's own is uninitialised memory there."""
    torch.manual_seed(0)
    layer = SmallMapConv2d(64, 64, 5, stride=2, padding=2, groups=groups, bias=False)
    x, gradients = torch.randn(32, 64, 1, 1), []
    for enabled in (True, False):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            layer(x).float().square().sum().backward()
        gradients.append(layer.weight.grad.clone())
    difference = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    assert difference < 0.02
