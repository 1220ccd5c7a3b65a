"""The data-parallel workers of one trial: any initialised torch.distributed process group, or just this process."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor


def count() -> int:
    """How many workers share a batch; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This worker's number, from 0."""
    return dist.get_rank() if count() > 1 else 0


def share(batch: Tensor) -> Tensor:
    """This worker's equal part of a batch that all workers know."""
    return batch.chunk(count())[rank()] if count() > 1 else batch


def gather(part: Tensor) -> Tensor:
    """All workers' equal parts in order of rank, without gradient."""
    if count() == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(count())]
    dist.all_gather(parts, part.contiguous())
    return torch.cat(parts)


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replaces every gradient by its mean over the workers, so that all take the same step."""
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= count()
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def mean(value: Tensor) -> Tensor:
    """The mean of a scalar over the workers."""
    return gather(value.reshape(1)).mean()
