"""Momentum Contrast (He et al. 2020, Algorithm 1; MLP head and views of Chen et al. 2020, MoCo v2).

Letters: N images of this worker's batch, C features of a projection, K keys in the queue.
Keys, logits and loss are float32, or float64 where the model is.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moco import distributed
from moco.config import Config
from moco.device import in_full, passes, send
from moco.model.encoder import Encoder
from moco.model.info_nce import info_nce


class Queue(nn.Module):
    """A first-in-first-out dictionary of the last K keys, unit vectors; random ones until real keys replace them."""

    keys_KC: Tensor
    images_K: Tensor  # which training image a key is of; -1: none
    position: Tensor  # the slot of the oldest key
    filled: Tensor  # how many keys are real

    def __init__(self, size: int, features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer(
            "keys_KC", F.normalize(torch.randn(size, features, generator=generator), dim=1)
        )
        self.register_buffer("images_K", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys_NC: Tensor, images_N: Tensor) -> None:
        """Replaces the oldest N keys, around the end where N does not divide K; of more than K keys the last K stay."""
        size = len(self.keys_KC)
        keys_NC, images_N = keys_NC[-size:], images_N[-size:]
        slots = (self.position + torch.arange(len(keys_NC), device=keys_NC.device)) % size
        self.keys_KC.index_copy_(0, slots, keys_NC.to(self.keys_KC.dtype))
        self.images_K.index_copy_(0, slots, images_N)
        self.position.add_(len(keys_NC)).remainder_(size)
        self.filled.add_(len(keys_NC)).clamp_(max=size)


class Contrast(NamedTuple):
    """What one batch of query and key views gives."""

    loss: Tensor  # scalar, nats; carries the gradient
    accuracy: Tensor  # share of queries whose own key is the nearest of K + 1; NaN until every key in the queue is real
    alignment: (
        Tensor  # mean |query - key|² of the same image (Wang & Isola 2020, equation 1), 0 to 4
    )
    own_keys: Tensor  # share of queries of whose image an older key was in the queue, masked or not
    query_NC: Tensor  # unit vectors, without gradient
    key_NC: Tensor


class MoCo(nn.Module):
    """Query encoder, key encoder and queue.

    With batch norm in `batch_norm_splits` groups over all workers, as many as MoCo has devices, the keys are shuffled between them.
    Key weights stay float32 whatever the precision of the passes.

    Raises:
        ValueError: the groups do not divide over the workers.
    """

    def __init__(
        self,
        config: Config,
        query_encoder: Encoder,
        generator: torch.Generator,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.precision = precision  # of the encoders' passes
        self.temperature, self.key_momentum = config.temperature, config.key_momentum
        self.loss, self.masks = config.loss, config.own_keys == "mask"
        self.shuffles = config.batch_norm == "shuffle" and config.splits > 1
        self.query_encoder = query_encoder
        self.key_encoder = copy.deepcopy(query_encoder).requires_grad_(False)
        self.queue = Queue(config.queue_size, config.projection_size, generator)

    def forward(
        self, query_view: Tensor, key_view: Tensor, images_N: Tensor, generator: torch.Generator
    ) -> Contrast:
        """One step of Algorithm 1: loss, then the keys into the queue.

        The symmetric loss has each view as query of the other, both against the queue as it was before (FAIR's CIFAR-10 demo).

        Args:
            query_view: images (N, channels, H, W); `key_view` are other views of the same.
            images_N: which training image each is; keys of it can then be masked.
            generator: in the same state on all workers; it shuffles.
        """
        with torch.no_grad():
            self.update_key_encoder()
        pairs = (
            [(query_view, key_view)]
            if self.loss == "asymmetric"
            else [(query_view, key_view), (key_view, query_view)]
        )
        contrasts = [self.contrast(*pair, images_N, generator) for pair in pairs]
        for contrast in reversed(
            contrasts
        ):  # the demo's order: the first view's keys, then the second's
            self.queue.enqueue(distributed.gather(contrast.key_NC), distributed.gather(images_N))
        loss = torch.stack([contrast.loss for contrast in contrasts])
        accuracy = torch.stack([contrast.accuracy for contrast in contrasts]).mean()
        return contrasts[0]._replace(
            loss=loss.sum() if self.loss == "symmetric_sum" else loss.mean(), accuracy=accuracy
        )

    def contrast(
        self, query_view: Tensor, key_view: Tensor, images_N: Tensor, generator: torch.Generator
    ) -> Contrast:
        """One view's queries against the other's keys and the queue, which stays as it is."""
        query_NC = F.normalize(self.encode(self.query_encoder, query_view), dim=1)
        key_NC = self.encode_keys(key_view, generator)
        own_NK = self.queue.images_K == images_N[:, None]
        masked_NK = own_NK if self.masks else None
        loss, positive_N, hardest_N = info_nce(
            query_NC, key_NC, self.queue.keys_KC, self.temperature, masked_NK
        )
        with torch.no_grad():
            hits = torch.where(
                positive_N.isfinite(), (positive_N >= hardest_N).to(loss.dtype), torch.nan
            ).mean()
            accuracy = torch.where(self.queue.filled == len(self.queue.keys_KC), hits, torch.nan)
            own_keys = own_NK.any(1).to(loss.dtype).mean()
            alignment = 2 - 2 * self.temperature * positive_N.mean()
        return Contrast(loss, accuracy, alignment, own_keys, query_NC.detach(), key_NC)

    @torch.no_grad()
    def update_key_encoder(self) -> None:
        """θ_k ← m θ_k + (1 − m) θ_q (He et al. 2020, equation 2); batch norm's buffers are the key encoder's own."""
        keys: list[Tensor] = list(self.key_encoder.parameters())
        queries: list[Tensor] = list(self.query_encoder.parameters())
        torch._foreach_lerp_(keys, queries, 1 - self.key_momentum)

    def encode(self, encoder: Encoder, view: Tensor) -> Tensor:
        """Projections (N, C), at least float32; only the pass itself runs in the model's precision."""
        with passes(view.device, self.precision):
            return in_full(encoder(view))

    @torch.no_grad()
    def encode_keys(self, key_view: Tensor, generator: torch.Generator) -> Tensor:
        """Keys (N, C) of unit length, encoded in a shuffled order so that no batch-norm group is the query's own."""
        if not self.shuffles:
            return F.normalize(self.encode(self.key_encoder, key_view), dim=1)
        views = distributed.gather(key_view)
        order = send(torch.randperm(len(views), generator=generator), views.device)
        shuffled_NC = distributed.gather(
            self.encode(self.key_encoder, views[distributed.share(order)])
        )
        keys_NC = torch.empty_like(shuffled_NC).index_copy_(0, order, shuffled_NC)
        return F.normalize(distributed.share(keys_NC), dim=1)
