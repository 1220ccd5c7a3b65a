"""Images as an encoder sees them outside training: resized and normalised, not augmented."""

import torch
from torch import Tensor
from torch.nn import functional as F

from moco.config import Config


def input_size(config: Config, images: Tensor) -> int:
    """Pixels a side of the encoder's input; `images` are (N, C, H, W)."""
    return config.input_size or images.shape[2]


def resize(pixels: Tensor, size: int) -> Tensor:
    """Images (N, C, H, W) in [0, 1] at size x size pixels: bilinear, antialiased."""
    if pixels.shape[2] == size:
        return pixels
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True).clamp_(0, 1)


def to_encoder_input(images: Tensor, size: int, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 images (N, C, H, W) as encoder input (N, C, size, size), in channels-last memory."""
    pixels = (resize(images.float() / 255, size) - mean) / std
    return pixels.contiguous(memory_format=torch.channels_last)
