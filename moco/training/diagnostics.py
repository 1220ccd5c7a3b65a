"""What training says of itself, and in words when something is plainly wrong.

Letters: N vectors of C features.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from moco.config import Config

COLLAPSED_RANK = 6.0  # of the backbone's features on the training images: healthy runs of small encoders have 15 and more


def chance_loss(queue_size: int) -> float:
    """ln(1 + K), nats: the InfoNCE loss of one who guesses."""
    return math.log(1 + queue_size)


def uniformity(unit_NC: Tensor) -> float:
    """ln of the mean of exp(-2 |x - y|²) over pairs of unit vectors (Wang & Isola 2020, equation 2, t = 2); in [-8, 0], 0: all are one."""
    similarity_NN = unit_NC @ unit_NC.T
    pairs = len(unit_NC) * (len(unit_NC) - 1)
    energy_NN = torch.exp(-2 * (2 - 2 * similarity_NN)).fill_diagonal_(0)
    return float((energy_NN.sum() / pairs).log())


def spread(unit_NC: Tensor) -> float:
    """Mean over the features of their standard deviation, times √C: about 1 where unit vectors point everywhere, 0 where all are one
    (Chen & He 2021, section 4.1)."""
    return float(unit_NC.std(0).mean() * unit_NC.shape[1] ** 0.5)


def effective_rank(features_NC: Tensor) -> float:
    """RankMe (Garrido et al. 2023, equation 1): the exponential of the entropy of the normalised singular values; 1 to C.

    The features are not centred; NaN where they are not finite.
    """
    if not features_NC.isfinite().all():
        return math.nan
    singular = torch.linalg.svdvals(features_NC.cpu().double())
    p = singular / singular.sum().clamp(min=1e-12) + 1e-12
    return float(torch.exp(-(p * p.log()).sum()))


@torch.no_grad()
def drift(query: nn.Module, key: nn.Module) -> float:
    """Distance of the key encoder's weights from the query encoder's, as a share of their length."""
    queries, keys = (list[Tensor](model.parameters()) for model in (query, key))
    apart, length = (
        torch.stack(torch._foreach_norm(tensors)).norm()
        for tensors in (torch._foreach_sub(queries, keys), queries)
    )
    return float(apart / length)


def age_note(config: Config, images: int) -> str:
    """A sentence where queue, key momentum and dataset do not go together; empty where they do.

    A key is K / B steps old when it leaves; the key encoder remembers 1 / (1 - m) steps. ImageNet's MoCo has 256 and 1,000, FAIR's
    CIFAR-10 demo 8 and 100.
    """
    age = config.queue_size / (config.batch_size * config.keys_an_image)
    if config.key_momentum == 1:
        return "The key encoder never follows the query encoder: key_momentum is 1."
    memory = 1 / (1 - config.key_momentum)
    epochs = memory / max(1, images // config.batch_size)
    if age > 4 * memory:
        return f"A key is {age:,.0f} steps old when it leaves the queue, but the key encoder changes within {memory:,.0f}: the oldest keys are stale."
    if epochs > 8:
        told = f"the key encoder follows the query encoder within {epochs:,.0f} epochs"
        return f"With key_momentum {config.key_momentum:g} {told}; on so few images a lower one serves."
    return ""


def remarks(
    curve: list[dict[str, Any]], result: dict[str, Any], classes: int, config: Config
) -> list[str]:
    """Sentences on what is plainly wrong with a run, from its epochs and its evaluation; none where nothing is."""
    if not all(
        math.isfinite(value)
        for value in (result["effective_rank"], *[row["loss"] for row in curve[-1:]])
    ):
        return [
            "Diverged: loss or features are no numbers any more. Lower the learning rate or warm it up, or raise the temperature."
        ]
    if config.method != "moco" or not curve:
        return []  # labels draw the features of few classes into few directions
    said = []
    if collapsed := result["effective_rank"] < COLLAPSED_RANK:
        rank = f"effective rank {result['effective_rank']:.2f}, below {COLLAPSED_RANK:g}"
        said.append(f"Collapse: the features of all images point into few directions ({rank}).")
    last, chance, guess = curve[-1], 1 / classes, 1 / (1 + config.queue_size)
    if last["queue_fill"] < 1:
        said.append(
            f"The queue holds {last['queue_fill']:.0%} real keys at the end, the rest are random: lower queue_size or train longer."
        )
    elif last["loss"] > 0.98 * last["chance_loss"] and last["contrastive_accuracy"] < 10 * guess:
        said.append(
            f"The loss {last['loss']:.2f} is still that of guessing, ln(1 + K) = {last['chance_loss']:.2f}: the contrastive task was not learned."
        )
    if (
        not collapsed
        and last["contrastive_accuracy"] > 0.9
        and result["knn_accuracy"] < chance + 0.2 * (1 - chance)
    ):
        leak = (
            "batch norm may tell which views belong together"
            if config.batch_norm != "shuffle"
            else "the task is solved by a shortcut"
        )
        said.append(
            f"A leak is suspected: {last['contrastive_accuracy']:.0%} of the keys are found, yet kNN reaches {result['knn_accuracy']:.0%} "
            f"(chance {chance:.0%}): {leak}. Compare with batch_norm=shuffle and more batch_norm_splits."
        )
    return said
