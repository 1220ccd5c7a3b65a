"""Frozen features of an encoder."""

from typing import NamedTuple

import torch
from torch import Tensor

from moco.config import Config
from moco.data.dataset import Dataset, Split, statistics
from moco.data.preprocessing import seen_size, shown
from moco.device import passes, pick_precision
from moco.model.encoder import Encoder

BATCH = 512


class Frozen(NamedTuple):
    """What an encoder makes of N images, float32."""

    features_ND: Tensor  # of the backbone, or of the attention over its maps
    projections_NC: Tensor  # of the head on top of it, not normalised


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
