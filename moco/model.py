"""Momentum Contrast (He et al. 2020, Algorithm 1; MLP head and views of Chen et al. 2020, MoCo v2).

Letters: N images of this worker's batch, C features of a projection, K keys in the queue.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moco import workers
from moco.config import Config
from moco.encoder import Encoder


class Queue(nn.Module):
    """A first-in-first-out dictionary of the last K keys, float32 unit vectors; random ones until real keys replace them."""

    keys_KC: Tensor
    position: Tensor  # the slot of the oldest key
    filled: Tensor  # how many keys are real

    def __init__(self, size: int, features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("keys_KC", F.normalize(torch.randn(size, features, generator=generator), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys_NC: Tensor) -> None:
        """Replaces the oldest N keys, around the end where N does not divide K; of more than K keys the last K stay."""
        size = len(self.keys_KC)
        keys_NC = keys_NC[-size:]
        slots = (self.position + torch.arange(len(keys_NC), device=keys_NC.device)) % size
        self.keys_KC.index_copy_(0, slots, keys_NC.float())
        self.position.add_(len(keys_NC)).remainder_(size)
        self.filled.add_(len(keys_NC)).clamp_(max=size)


class Contrast(NamedTuple):
    """What one batch of query and key views gives."""

    loss: Tensor  # scalar, nats; carries the gradient
    accuracy: Tensor  # share of queries whose own key is the nearest of K + 1; NaN until every key in the queue is real


def info_nce(query_NC: Tensor, key_NC: Tensor, queue_KC: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The InfoNCE loss (van den Oord et al. 2018, equation 4; He et al. 2020, equation 1), averaged over queries, and the logits (N, 1 + K).

    The first column belongs to the query's own key. Everything is float32; chance is ln(1 + K).
    """
    query_NC, key_NC, queue_KC = query_NC.float(), key_NC.float(), queue_KC.float()
    positive_N1 = (query_NC * key_NC).sum(1, keepdim=True)
    negative_NK = query_NC @ queue_KC.T
    logits = torch.cat([positive_N1, negative_NK], dim=1) / temperature
    labels = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    return F.cross_entropy(logits, labels), logits


class MoCo(nn.Module):
    """Query encoder, key encoder and queue.

    Batch norm is split and the keys are shuffled between the splits, over all workers: `batch_norm_splits` groups in all, as many as
    MoCo has devices. Key weights stay float32 whatever the precision of the passes.
    """

    def __init__(self, config: Config, channels: int, generator: torch.Generator, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.precision = precision  # of the encoders' passes
        self.temperature, self.key_momentum = config.temperature, config.key_momentum
        self.shuffles = config.batch_norm_splits > 1
        if config.batch_norm_splits % workers.count():
            raise ValueError(f"batch_norm_splits must be a multiple of the workers; got {config.batch_norm_splits} for {workers.count()}")
        self.query_encoder = Encoder(config, channels, splits=config.batch_norm_splits // workers.count())
        self.key_encoder = copy.deepcopy(self.query_encoder).requires_grad_(False)
        self.queue = Queue(config.queue_size, config.projection_size, generator)

    def forward(self, query_view: Tensor, key_view: Tensor, generator: torch.Generator) -> Contrast:
        """One step of Algorithm 1 up to the loss. The generator must be in the same state on all workers."""
        query_NC = F.normalize(self.encode(self.query_encoder, query_view), dim=1)
        with torch.no_grad():
            self.update_key_encoder()
            key_NC = self.encode_keys(key_view, generator)
        loss, logits = info_nce(query_NC, key_NC, self.queue.keys_KC.clone(), self.temperature)
        with torch.no_grad():
            hits = (logits.argmax(1) == 0).float().mean()
            accuracy = torch.where(self.queue.filled == len(self.queue.keys_KC), hits, torch.nan)
            self.queue.enqueue(workers.gather(key_NC))
        return Contrast(loss, accuracy)

    @torch.no_grad()
    def update_key_encoder(self) -> None:
        """θ_k ← m θ_k + (1 − m) θ_q (He et al. 2020, equation 2); batch norm's buffers are the key encoder's own."""
        keys: list[Tensor] = list(self.key_encoder.parameters())
        queries: list[Tensor] = list(self.query_encoder.parameters())
        torch._foreach_lerp_(keys, queries, 1 - self.key_momentum)

    def encode(self, encoder: Encoder, view: Tensor) -> Tensor:
        """Projections (N, C) in float32; only the pass itself runs in the model's precision."""
        with torch.autocast(view.device.type, self.precision, enabled=self.precision != torch.float32):
            return encoder(view).float()

    @torch.no_grad()
    def encode_keys(self, key_view: Tensor, generator: torch.Generator) -> Tensor:
        """Keys (N, C) of unit length, encoded in a shuffled order so that no batch-norm group is the query's own."""
        if not self.shuffles:
            return F.normalize(self.encode(self.key_encoder, key_view), dim=1)
        views = workers.gather(key_view)
        order = torch.randperm(len(views), generator=generator).to(views.device)
        shuffled_NC = workers.gather(self.encode(self.key_encoder, views[workers.share(order)]))
        keys_NC = torch.empty_like(shuffled_NC).index_copy_(0, order, shuffled_NC)
        return F.normalize(workers.share(keys_NC), dim=1)
