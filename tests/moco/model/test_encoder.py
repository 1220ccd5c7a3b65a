"""Encoders are torchvision's: the same names, shapes and outputs at full width."""

from dataclasses import replace
from functools import partial

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from moco.model.batch_norm import SplitBatchNorm2d
from moco.model.encoder import ENCODERS, Backbone, Encoder


def resnet10(weights):
    """torchvision's blocks, one a stage: it has no ResNet of ten layers itself."""
    return ResNet(BasicBlock, [1, 1, 1, 1])


@pytest.mark.parametrize("name", ENCODERS)
def test_full_width_with_the_imagenet_stem_has_torchvisions_parameters(name):
    with torch.device("meta"):
        build = getattr(torchvision.models, name, resnet10)
        theirs = build(weights=None).state_dict()
        ours = Backbone(
            ENCODERS[name], width=1.0, channels=3, stem="imagenet", norm_layer=nn.BatchNorm2d
        ).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {
        key: value.shape for key, value in theirs.items() if not key.startswith("fc.")
    }


def test_it_computes_what_torchvision_computes():
    theirs = torchvision.models.resnet18(weights=None).eval()
    ours = Backbone(
        ENCODERS["resnet18"],
        width=1.0,
        channels=3,
        stem="imagenet",
        norm_layer=partial(SplitBatchNorm2d, splits=4),
    ).eval()
    ours.load_state_dict(
        {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")}
    )
    theirs.fc = torch.nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("encoder", "width", "features"),
    [("resnet18", 0.125, 64), ("resnet34", 0.5, 256), ("resnet50", 0.25, 512)],
)
def test_width_scales_every_layer(config, encoder, width, features):
    built = Encoder(replace(config, encoder=encoder, width=width), 3, 1)
    assert built.backbone.feature_size == features
    assert built(torch.randn(2, 3, 16, 16)).shape == (2, config.projection_size)


def test_the_heads_are_those_of_v1_and_v2(config):
    assert isinstance(Encoder(replace(config, head="linear"), 3, 1).head, torch.nn.Linear)
    kinds = [type(layer).__name__ for layer in Encoder(replace(config, head="mlp"), 3, 1).head]
    assert kinds == ["Linear", "ReLU", "Linear"]


def test_the_small_stem_keeps_the_image_size(config):
    backbone = Encoder(config, 1, 1).backbone
    x = backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(torch.zeros(2, 1, 32, 32)))))
    assert x.shape[2:] == (32, 32)


def test_unknown_encoders_and_impossible_widths_are_refused(config):
    with pytest.raises(ValueError, match=r"encoder must be one of resnet10, resnet18.*; got 'vgg'"):
        Encoder(replace(config, encoder="vgg"), 3, 1)
    with pytest.raises(ValueError, match="leaves resnext50_32x4d no channels"):
        Encoder(replace(config, encoder="resnext50_32x4d", width=0.1), 3, 1)
