"""Frozen features of an encoder."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from moco.config import Config
from moco.data import Dataset, Split, statistics
from moco.device import passes, pick_precision
from moco.encoder import Encoder

BATCH = 512


class Frozen(NamedTuple):
    """What an encoder makes of N images, float32."""

    features_ND: Tensor  # of the backbone, or of the attention over its maps
    projections_NC: Tensor  # of the head on top of it, not normalised


def seen_size(config: Config, images: Tensor) -> int:
    """Pixels a side that the encoder sees of these images."""
    return config.input_size or images.shape[2]


def resized(pixels: Tensor, size: int) -> Tensor:
    """Images (N, C, H, W) in [0, 1] at size x size pixels: bilinear, antialiased."""
    if pixels.shape[2] == size:
        return pixels
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True).clamp_(0, 1)


def shown(images: Tensor, size: int, mean: Tensor, std: Tensor) -> Tensor:
    """What an encoder is shown of uint8 images (N, C, H, W) outside training: resized, normalised, channels last."""
    return ((resized(images.float() / 255, size) - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def extract(encoder: Encoder, split: Split, dataset: Dataset, config: Config) -> Frozen:
    """Features and projections of the images as they are, batch norm by its running statistics; the encoder is left in the mode it came in."""
    was_training, device = encoder.training, next(encoder.parameters()).device
    size = seen_size(config, split.images)
    dtype = pick_precision(config, device, size)
    mean, std = (x.to(device) for x in statistics(dataset, config))
    features, projections = [], []
    encoder.eval()
    for images in split.images.split(BATCH):
        pixels = shown(images.to(device), size, mean, std)
        with passes(device, dtype):
            part = encoder.features(pixels)
            projections.append(encoder.head(part).float())
        features.append(part.float())
    encoder.train(was_training)
    return Frozen(torch.cat(features), torch.cat(projections))
