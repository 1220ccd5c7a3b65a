"""The encoders' passes as CUDA graphs: one launch in place of some thousand.

A ResNet-18 on images of 32 px is so small for a GPU that the program launches its kernels more
slowly than they run: on an NVIDIA H200 (torch 2.11, batch 512, 8 groups of batch norm) a step takes
57 ms launched kernel by kernel and 19 ms recorded. They are the same kernels on the same numbers.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from moco import distributed
from moco.config import Config
from moco.device import at_least_float32, autocast
from moco.model.encoder import Encoder
from moco.model.moco import MoCo
from moco.model.own_encoder import is_further


class EncoderPass(nn.Module):
    """One pass of an encoder: images (N, channels, H, W) to projections (N, C)."""

    def __init__(self, encoder: Encoder, precision: torch.dtype) -> None:
        super().__init__()
        self.encoder, self.precision = encoder, precision

    def forward(self, view: Tensor) -> Tensor:
        # a graph cannot rely on weights that autocast has cast before
        with autocast(view.device, self.precision, cache=False):
            return at_least_float32(self.encoder(view))


def can_record(config: Config, device: torch.device) -> bool:
    """Whether a step runs each encoder once, on one GPU, by torch's own kernels.

    An encoder of one's own may decide in Python, or draw, in each pass; a graph would not.

    A graph has one place for its activations. In the symmetric loss a second pass would overwrite
    those of the first before the backward pass has read them.
    """
    return (
        device.type == "cuda"
        and config.loss == "asymmetric"
        and config.compile == "off"
        and not is_further(config.encoder)
        and distributed.world_size() == 1
    )


def record_passes(moco: MoCo, view: Tensor) -> None:
    """Record the passes of both encoders, which `MoCo.encode` replays from now on.

    Args:
        moco: on the GPU, in training mode.
        view: a batch; all later ones must have its shape and memory format.
    """
    encoders = (moco.query_encoder, moco.key_encoder)
    buffers = [buffer for encoder in encoders for buffer in encoder.buffers()]
    before = [buffer.clone() for buffer in buffers]
    passes = tuple(EncoderPass(encoder, moco.precision) for encoder in encoders)
    samples = tuple((torch.empty_like(view).copy_(view),) for _ in encoders)
    # the recorded backward pass keeps the parameters' autograd nodes, on its own stream on purpose
    warnings.filterwarnings("ignore", message="The AccumulateGrad node's stream does not match")
    torch.cuda.make_graphed_callables(passes, samples, allow_unused_input=True)
    moco.graphed_passes = {one.encoder: detach_forward(one) for one in passes}
    for buffer, value in zip(buffers, before, strict=True):  # the trial passes moved the statistics
        buffer.copy_(value)


def detach_forward(recorded: EncoderPass) -> Callable[[Tensor], Tensor]:
    """The recorded forward pass, which is the module's attribute and refers to the module.

    Without this circle the activations are freed as soon as the training is.
    """
    forward: Callable[[Tensor], Tensor] = recorded.forward
    del recorded.forward
    return forward
