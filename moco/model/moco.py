"""Momentum Contrast (He et al. 2020, Algorithm 1; MLP head and views of Chen et al. 2020, MoCo v2).

    f_k.params = f_q.params                                  MoCo.__init__
    for x in loader:
        x_q, x_k = aug(x), aug(x)                            moco.data.augmentation
        f_k.params = m * f_k.params + (1 - m) * f_q.params   MoCo.update_key_encoder
        q = normalize(f_q(x_q))                              MoCo.encode_queries
        k = normalize(f_k(x_k)).detach()                     MoCo.encode_keys
        loss = InfoNCE(q, k, queue, T)                       moco.model.info_nce
        enqueue(queue, k), dequeue(queue)                    Queue.enqueue
        loss.backward(), update(f_q.params)                  moco.training.loop

The momentum update comes before the keys, as in the authors' code. Algorithm 1 has it after the
optimizer's step; the keys are the same, since the encoders are equal in the first step.

Letters: N images of this worker's batch, C features of a projection, K keys in the queue.
Keys, logits and loss are float32, or float64 where the model is.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moco import distributed
from moco.config import Config
from moco.device import at_least_float32, autocast, to_device
from moco.model.encoder import Encoder
from moco.model.info_nce import info_nce


class Queue(nn.Module):
    """The dictionary: the last K keys, first in, first out; random until real keys replace them."""

    keys_KC: Tensor  # unit vectors
    images_K: Tensor  # index of the training image of each key; -1: none
    position: Tensor  # slot of the oldest key
    filled: Tensor  # number of real keys

    def __init__(self, size: int, features: int, generator: torch.Generator) -> None:
        super().__init__()
        keys_KC = F.normalize(torch.randn(size, features, generator=generator), dim=1)
        self.register_buffer("keys_KC", keys_KC)
        self.register_buffer("images_K", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("position", torch.zeros((), dtype=torch.long))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys_NC: Tensor, images_N: Tensor) -> None:
        """Replace the oldest N keys, wrapping around the end; of more than K keys the last K."""
        size = len(self.keys_KC)
        keys_NC, images_N = keys_NC[-size:], images_N[-size:]
        slots = (self.position + torch.arange(len(keys_NC), device=keys_NC.device)) % size
        self.keys_KC.index_copy_(0, slots, keys_NC.to(self.keys_KC.dtype))
        self.images_K.index_copy_(0, slots, images_N)
        self.position.add_(len(keys_NC)).remainder_(size)
        self.filled.add_(len(keys_NC)).clamp_(max=size)


class ContrastiveOutput(NamedTuple):
    """Loss, metrics, queries and keys of one batch."""

    loss: Tensor  # scalar, nats; the only field with a gradient
    # share of queries whose own key is the nearest of K + 1; NaN until all K keys are real
    accuracy: Tensor
    # mean |query - key|² of the same image (Wang & Isola 2020, equation 1), 0 to 4
    alignment: Tensor
    # share of queries for whose image the queue held an older key, masked or not
    own_keys: Tensor
    query_NC: Tensor  # unit vectors
    key_NC: Tensor  # unit vectors


class MoCo(nn.Module):
    """Query encoder, key encoder and queue.

    The key encoder's weights stay float32 whatever the precision of the passes.
    """

    def __init__(
        self,
        config: Config,
        query_encoder: Encoder,
        generator: torch.Generator,
        precision: torch.dtype = torch.float32,
    ) -> None:
        """Copy the query encoder and fill the queue with random keys.

        Args:
            config: of the trial.
            query_encoder: f_q.
            generator: draws the initial keys.
            precision: of the encoders' passes.
        """
        super().__init__()
        self.precision = precision
        self.temperature, self.key_momentum = config.temperature, config.key_momentum
        self.loss, self.mask_own_keys = config.loss, config.own_keys == "mask"
        self.shuffle_keys = config.batch_norm == "shuffle" and config.splits > 1
        self.query_encoder = query_encoder
        self.key_encoder = copy.deepcopy(query_encoder).requires_grad_(False)
        self.queue = Queue(config.queue_size, config.projection_size, generator)
        # by encoder; empty: none is recorded, see moco.training.cuda_graphs
        self.graphed_passes: dict[nn.Module, Callable[[Tensor], Tensor]] = {}

    def forward(
        self, query_view: Tensor, key_view: Tensor, images_N: Tensor, generator: torch.Generator
    ) -> ContrastiveOutput:
        """One step of Algorithm 1: momentum update, loss, enqueue.

        In the symmetric loss each view is query of the other, both against the queue as it was
        before the step (FAIR's CIFAR-10 demo).

        Args:
            query_view: x_q, images (N, channels, H, W).
            key_view: x_k, other views of the same images.
            images_N: index of each image in the training set.
            generator: shuffles the keys; in the same state on all workers.
        """
        self.update_key_encoder()
        views = [(query_view, key_view)]
        if self.loss != "asymmetric":
            views.append((key_view, query_view))
        outputs = [self.contrast(x_q, x_k, images_N, generator=generator) for x_q, x_k in views]
        for output in reversed(outputs):  # the demo's order: the keys of the first view come first
            self.queue.enqueue(
                distributed.all_gather(output.key_NC), distributed.all_gather(images_N)
            )
        losses = torch.stack([output.loss for output in outputs])
        return outputs[0]._replace(
            loss=losses.sum() if self.loss == "symmetric_sum" else losses.mean(),
            accuracy=torch.stack([output.accuracy for output in outputs]).mean(),
        )

    def contrast(
        self, x_q: Tensor, x_k: Tensor, images_N: Tensor, generator: torch.Generator
    ) -> ContrastiveOutput:
        """The loss of one view's queries against the other view's keys and the queue."""
        query_NC = self.encode_queries(x_q)
        key_NC = self.encode_keys(x_k, generator)
        own_NK = self.queue.images_K == images_N[:, None]
        loss, positive_N, hardest_N = info_nce(
            query_NC,
            key_NC,
            self.queue.keys_KC,
            temperature=self.temperature,
            masked_NK=own_NK if self.mask_own_keys else None,
        )
        with torch.no_grad():
            is_full = self.queue.filled == len(self.queue.keys_KC)
            hits_N = (positive_N >= hardest_N).to(loss.dtype)
            hit_rate = torch.where(positive_N.isfinite(), hits_N, torch.nan).mean()
            return ContrastiveOutput(
                loss=loss,
                accuracy=torch.where(is_full, hit_rate, torch.nan),
                alignment=2 - 2 * self.temperature * positive_N.mean(),
                own_keys=own_NK.any(1).to(loss.dtype).mean(),
                query_NC=query_NC.detach(),
                key_NC=key_NC,
            )

    @torch.no_grad()
    def update_key_encoder(self) -> None:
        """θ_k ← m θ_k + (1 − m) θ_q (equation 2); batch-norm statistics are not averaged."""
        keys: list[Tensor] = list(self.key_encoder.parameters())
        queries: list[Tensor] = list(self.query_encoder.parameters())
        torch._foreach_lerp_(keys, queries, 1 - self.key_momentum)

    def encode(self, encoder: Encoder, view: Tensor) -> Tensor:
        """Projections (N, C), at least float32; only the pass itself has the model's precision."""
        if graphed := self.graphed_passes.get(encoder):
            return graphed(view)
        with autocast(view.device, self.precision):
            return at_least_float32(encoder(view))

    def encode_queries(self, x_q: Tensor) -> Tensor:
        """Queries (N, C), unit vectors."""
        return F.normalize(self.encode(self.query_encoder, x_q), dim=1)

    @torch.no_grad()
    def encode_keys(self, x_k: Tensor, generator: torch.Generator) -> Tensor:
        """Keys (N, C), unit vectors without gradient.

        With shuffling batch norm (section 3.3) the images of all workers are encoded in a random
        order, so that a key's batch-norm group is not the one of its query.
        """
        if not self.shuffle_keys:
            return F.normalize(self.encode(self.key_encoder, x_k), dim=1)
        views = distributed.all_gather(x_k)
        order = to_device(torch.randperm(len(views), generator=generator), views.device)
        shuffled_NC = distributed.all_gather(
            self.encode(self.key_encoder, views[distributed.shard(order)])
        )
        keys_NC = torch.empty_like(shuffled_NC).index_copy_(0, order, shuffled_NC)
        return F.normalize(distributed.shard(keys_NC), dim=1)
