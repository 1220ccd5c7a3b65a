"""The InfoNCE loss (van den Oord et al. 2018, equation 4; He et al. 2020, equation 1) in one matrix of logits.

Letters: N queries, C features of a projection, K keys in the queue.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from moco.device import in_full


class Scores(NamedTuple):
    """Loss and logits, at least float32; only the loss carries a gradient, and only to the queries."""

    loss: Tensor  # scalar, nats, mean over the queries; chance is ln(1 + K)
    positive_N: Tensor  # query · own key / T
    hardest_N: Tensor  # the largest of query · queue / T; -inf where all are masked


def info_nce(
    query_NC: Tensor,
    key_NC: Tensor,
    queue_KC: Tensor,
    temperature: float,
    masked_NK: Tensor | None = None,
) -> Scores:
    """-ln(exp(q · k / T) / (exp(q · k / T) + Σ exp(q · queue / T))), averaged over the queries; a masked key is no negative.

    The gradient is found with the loss, so that logits, exponentials and softmax share one (N, K) matrix that does not outlive the call,
    and the queue may change before the backward pass.
    """
    return Scores(
        *InfoNCE.apply(
            in_full(query_NC), in_full(key_NC), in_full(queue_KC), temperature, masked_NK
        )
    )


class InfoNCE(torch.autograd.Function):
    """Loss and its gradient (p_0 - 1) k + Σ p_j queue_j, over N T, with p the softmax of the logits."""

    @staticmethod
    def forward(
        ctx: Any,
        query_NC: Tensor,
        key_NC: Tensor,
        queue_KC: Tensor,
        temperature: float,
        masked_NK: Tensor | None,
    ) -> tuple[Tensor, ...]:
        scaled_NC = query_NC / temperature
        positive_N, negative_NK = (scaled_NC * key_NC).sum(1), scaled_NC @ queue_KC.T
        if masked_NK is not None:
            negative_NK.masked_fill_(masked_NK, -torch.inf)
        hardest_N = negative_NK.amax(1)
        peak_N = torch.maximum(positive_N, hardest_N)  # nothing overflows
        weight_NK, own_N = negative_NK.sub_(peak_N[:, None]).exp_(), (positive_N - peak_N).exp()
        total_N = weight_NK.sum(1).add_(own_N)
        gradient_NC = torch.addcmul(weight_NK @ queue_KC, (own_N - total_N)[:, None], key_NC)
        ctx.save_for_backward(gradient_NC.div_((total_N * temperature * len(query_NC))[:, None]))
        ctx.mark_non_differentiable(positive_N, hardest_N)
        return (total_N.log() + peak_N - positive_N).mean(), positive_N, hardest_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient_NC,) = ctx.saved_tensors
        return gradients[0] * gradient_NC, None, None, None, None
