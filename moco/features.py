"""Frozen features of an encoder, and what they say of themselves."""

import torch
from torch import Tensor

from moco.config import Config
from moco.data import Dataset, Split
from moco.device import pick_precision
from moco.encoder import Encoder

BATCH = 512


@torch.no_grad()
def extract(encoder: Encoder, split: Split, dataset: Dataset, config: Config) -> Tensor:
    """Backbone features (N, D), float32, of the images as they are; the encoder is left in the mode it came in."""
    was_training, device = encoder.training, next(encoder.parameters()).device
    dtype = pick_precision(config, device)
    mean, std = (torch.tensor(x, device=device)[:, None, None] for x in (dataset.mean, dataset.std))
    parts = []
    encoder.eval()
    for images in split.images.split(BATCH):
        pixels = ((images.to(device).float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            parts.append(encoder.backbone(pixels).float())
    encoder.train(was_training)
    return torch.cat(parts)


def effective_rank(features_ND: Tensor) -> float:
    """RankMe (Garrido et al. 2023, equation 1): the exponential of the entropy of the normalised singular values; 1 to D.

    The features are not centred; NaN where they are not finite.
    """
    if not features_ND.isfinite().all():
        return float("nan")
    singular = torch.linalg.svdvals(features_ND.cpu().double())
    p = singular / singular.sum().clamp(min=1e-12) + 1e-12
    return float(torch.exp(-(p * p.log()).sum()))
