"""The InfoNCE loss (van den Oord et al. 2018, equation 4; He et al. 2020, equation 1).

Letters: N queries, C features of a projection, K keys in the queue.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from moco.device import at_least_float32


class InfoNCEOutput(NamedTuple):
    """Loss and logits, at least float32; only the loss has a gradient, and only to the queries."""

    loss: Tensor  # scalar, nats, mean over the queries; guessing gives ln(1 + K)
    positive_N: Tensor  # logit of the own key, q · k / T
    hardest_N: Tensor  # largest logit of the queue's keys; -inf where all of them are masked


def info_nce(
    query_NC: Tensor,
    key_NC: Tensor,
    queue_KC: Tensor,
    temperature: float,
    masked_NK: Tensor | None = None,
) -> InfoNCEOutput:
    """-ln(exp(q · k / T) / (exp(q · k / T) + Σ exp(q · queue / T))), averaged over the queries.

    The gradient is computed together with the loss. Logits, exponentials and softmax thus share one
    (N, K) matrix, which is freed on return, and the queue may change before the backward pass.

    Args:
        query_NC: unit vectors, like `key_NC` and `queue_KC`.
        key_NC: the key of each query.
        queue_KC: the negatives.
        temperature: T.
        masked_NK: bool; True: the key is no negative of that query.
    """
    return InfoNCEOutput(
        *InfoNCE.apply(
            at_least_float32(query_NC),
            at_least_float32(key_NC),
            at_least_float32(queue_KC),
            temperature,
            masked_NK,
        )
    )


class InfoNCE(torch.autograd.Function):
    """The loss and its gradient ((p_0 - 1) k + Σ p_j queue_j) / (N T), with p = softmax(logits)."""

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
        peak_N = torch.maximum(positive_N, hardest_N)  # subtracted, so that exp cannot overflow
        exp_negative_NK = negative_NK.sub_(peak_N[:, None]).exp_()
        exp_positive_N = (positive_N - peak_N).exp()
        total_N = exp_negative_NK.sum(1).add_(exp_positive_N)
        gradient_NC = torch.addcmul(
            exp_negative_NK @ queue_KC, (exp_positive_N - total_N)[:, None], key_NC
        )
        ctx.save_for_backward(gradient_NC.div_((total_N * temperature * len(query_NC))[:, None]))
        ctx.mark_non_differentiable(positive_N, hardest_N)
        return (total_N.log() + peak_N - positive_N).mean(), positive_N, hardest_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient_NC,) = ctx.saved_tensors
        return gradients[0] * gradient_NC, None, None, None, None
