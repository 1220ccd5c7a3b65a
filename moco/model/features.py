"""Frozen features: what an encoder in evaluation mode computes from a split's images."""

from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from moco.config import Config
from moco.data.dataset import Dataset, Split, normalisation_statistics
from moco.data.preprocessing import input_size, to_encoder_input
from moco.device import autocast, pick_precision
from moco.model.encoder import Encoder, Pixels

BATCH_SIZE = 512  # images of one pass


class FrozenFeatures(NamedTuple):
    """Features and projections of N images, float32, on the encoder's device."""

    features_ND: Tensor  # of the backbone, or of the attention over its maps
    projections_NC: Tensor  # of the head on these features, not normalised


@torch.no_grad()
def extract_features(
    encoder: Encoder | Pixels, split: Split, dataset: Dataset, config: Config
) -> FrozenFeatures:
    """Features of a split's images without augmentation.

    Batch norm uses its running statistics. The encoder returns to the mode it was in.
    """
    device = next(chain(encoder.parameters(), encoder.buffers())).device
    was_training = encoder.training
    size = input_size(config, split.images)
    precision = pick_precision(config, device, size)
    mean, std = (x.to(device) for x in normalisation_statistics(dataset, config))
    features, projections = [], []
    encoder.eval()
    for images in split.images.split(BATCH_SIZE):
        pixels = to_encoder_input(images.to(device), size, mean, std=std)
        with autocast(device, precision):
            batch = encoder.features(pixels)
            projections.append(encoder.head(batch).float())
        features.append(batch.float())
    encoder.train(was_training)
    return FrozenFeatures(torch.cat(features), torch.cat(projections))
