"""Diagnostics of a training run: numbers, and sentences where something is plainly wrong.

Letters: N vectors of C features.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from moco.config import Config

# effective rank of the backbone's features of the training images; healthy runs of small encoders
# have 15 and more
COLLAPSED_RANK = 6.0


def chance_loss(queue_size: int) -> float:
    """ln(1 + K), nats: the InfoNCE loss of guessing."""
    return math.log(1 + queue_size)


def uniformity(unit_NC: Tensor) -> float:
    """ln of the mean of exp(-2 |x - y|²) over pairs of unit vectors (Wang & Isola 2020).

    Equation 2 with t = 2. In [-8, 0]; 0 for collapsed features.
    """
    similarity_NN = unit_NC @ unit_NC.T
    pairs = len(unit_NC) * (len(unit_NC) - 1)
    energy_NN = torch.exp(-2 * (2 - 2 * similarity_NN)).fill_diagonal_(0)
    return float((energy_NN.sum() / pairs).log())


def feature_std(unit_NC: Tensor) -> float:
    """Mean over the features of their standard deviation, times √C (Chen & He 2021, section 4.1).

    About 1 for uniformly distributed unit vectors; 0 for collapsed ones.
    """
    return float(unit_NC.std(0).mean() * unit_NC.shape[1] ** 0.5)


def effective_rank(features_NC: Tensor) -> float:
    """RankMe (Garrido et al. 2023, equation 1), 1 to C; NaN for features that are not finite.

    The exponential of the entropy of the normalised singular values. The features are not centred.
    """
    if not features_NC.isfinite().all():
        return math.nan
    singular = torch.linalg.svdvals(features_NC.cpu().double())
    p = singular / singular.sum().clamp(min=1e-12) + 1e-12
    return float(torch.exp(-(p * p.log()).sum()))


@torch.no_grad()
def key_encoder_drift(query_encoder: nn.Module, key_encoder: nn.Module) -> float:
    """|query weights - key weights| / |query weights|, over all parameters."""
    queries, keys = (list[Tensor](model.parameters()) for model in (query_encoder, key_encoder))
    distance, length = (
        torch.stack(torch._foreach_norm(tensors)).norm()
        for tensors in (torch._foreach_sub(queries, keys), queries)
    )
    return float(distance / length)


def key_age_warning(config: Config, images: int) -> str:
    """A sentence if queue, key momentum and dataset do not fit each other; otherwise empty.

    A key is K / B steps old when it leaves the queue, and the key encoder averages over about
    1 / (1 - m) steps. These are 256 and 1,000 steps for MoCo on ImageNet, 8 and 100 in FAIR's
    CIFAR-10 demo.

    Args:
        config: of the trial.
        images: number of pretraining images.
    """
    age = config.queue_size / (config.batch_size * config.keys_per_image)
    if config.key_momentum == 1:
        return "The key encoder never follows the query encoder: key_momentum is 1."
    horizon = 1 / (1 - config.key_momentum)
    epochs = horizon / max(1, images // config.batch_size)
    if age > 4 * horizon:
        return (
            f"A key is {age:,.0f} steps old when it leaves the queue, but the key encoder changes "
            f"within {horizon:,.0f}: the oldest keys are stale."
        )
    if epochs > max(8, config.epochs):
        return (
            f"With key_momentum {config.key_momentum:g} the key encoder follows the query encoder "
            f"within {epochs:,.0f} epochs, and a run has {config.epochs}: it keeps much of its "
            "random weights; on so few images a lower key_momentum serves."
        )
    if epochs > 8:
        return (
            f"With key_momentum {config.key_momentum:g} the key encoder follows the query encoder "
            f"within {epochs:,.0f} epochs; on so few images a lower one serves."
        )
    return ""


def remarks(
    curve: list[dict[str, Any]], result: dict[str, Any], classes: int, config: Config
) -> list[str]:
    """One sentence for each plain fault of a finished run; empty without faults.

    Args:
        curve: the metrics of the epochs.
        result: the numbers of the evaluation.
        classes: number of classes.
        config: of the trial.
    """
    last_loss = [metrics["loss"] for metrics in curve[-1:]]
    if not all(math.isfinite(value) for value in (result["effective_rank"], *last_loss)):
        return [
            "Diverged: loss or features are no numbers any more. "
            "Lower the learning rate or warm it up, or raise the temperature."
        ]
    if config.method != "moco" or not curve:
        return []  # training on labels yields features of low rank for few classes
    collapsed = result["effective_rank"] < COLLAPSED_RANK
    found = [
        collapse_remark(result["effective_rank"]) if collapsed else "",
        contrastive_task_remark(curve[-1], config),
        ""
        if collapsed or not classes
        else leak_remark(curve[-1], result["knn_accuracy"], classes, config=config),
    ]
    return [sentence for sentence in found if sentence]


def collapse_remark(rank: float) -> str:
    """A sentence on collapsed features of that effective rank."""
    return (
        "Collapse: the features of all images point into few directions "
        f"(effective rank {rank:.2f}, below {COLLAPSED_RANK:g})."
    )


def contrastive_task_remark(last: dict[str, Any], config: Config) -> str:
    """A sentence if the queue did not fill or the contrastive task was not learned, or empty.

    Args:
        last: the metrics of the last epoch.
        config: of the trial.
    """
    guessing_accuracy = 1 / (1 + config.queue_size)
    if last["queue_fill"] < 1:
        return (
            f"The queue holds {last['queue_fill']:.0%} real keys at the end, the rest are random: "
            "lower queue_size or train longer."
        )
    if (
        last["loss"] > 0.98 * last["chance_loss"]
        and last["contrastive_accuracy"] < 10 * guessing_accuracy
    ):
        return (
            f"The loss {last['loss']:.2f} is still that of guessing, ln(1 + K) = "
            f"{last['chance_loss']:.2f}: the contrastive task was not learned."
        )
    return ""


def leak_remark(last: dict[str, Any], knn_accuracy: float, classes: int, config: Config) -> str:
    """A sentence if the contrastive task is solved but the features know no classes, or empty.

    Args:
        last: the metrics of the last epoch.
        knn_accuracy: of the evaluation, in [0, 1].
        classes: number of classes.
        config: of the trial.
    """
    chance = 1 / classes
    solved = last["contrastive_accuracy"] > 0.9  # False for NaN, of a queue that never filled
    if not solved or knn_accuracy >= chance + 0.2 * (1 - chance):
        return ""
    cause = (
        "batch norm may tell which views belong together"
        if config.batch_norm != "shuffle"
        else "the task is solved by a shortcut"
    )
    return (
        f"A leak is suspected: {last['contrastive_accuracy']:.0%} of the keys are found, yet kNN "
        f"reaches {knn_accuracy:.0%} (chance {chance:.0%}): {cause}. "
        "Compare with batch_norm=shuffle and more batch_norm_splits."
    )
