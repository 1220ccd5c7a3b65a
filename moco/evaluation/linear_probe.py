"""The linear probe: a classifier on frozen features (He et al. 2020, section 4.1).

Its one setting is chosen on the validation split: the learning rate of SGD, or the L2 penalty of
L-BFGS. With SGD all learning rates are trained at once, since they share the features.

Letters: N images, B images of a batch, D features, E = D + 1 with the bias, L settings, C classes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from moco.schedules import SCHEDULES

MOMENTUM = 0.9
PENALTIES = tuple(10.0**power for power in range(1, -9, -1))  # on the mean loss, strongest first


class LabelledFeatures(NamedTuple):
    """Frozen features and labels of a split."""

    values: Tensor  # (N, D)
    labels: Tensor  # (N,)


class Probe(NamedTuple):
    """The probe of the setting that is best on validation.

    Among equals, the smallest learning rate or the strongest penalty.
    """

    setting: float  # the learning rate, or the L2 penalty
    at_edge: bool  # whether it is the first or the last of those tried
    validation_accuracy: float  # in [0, 1]
    accuracy: float  # on the scoring split, in [0, 1]
    correct_N: Tensor  # bool, by image of the scoring split
    top5_accuracy: float  # share of images whose label is among the five likeliest classes
    confusion_CC: Tensor  # number of images by true class (row) and predicted class (column)
    weight_EC: Tensor  # the last row is the bias


def learning_rate_grid(low: float, high: float) -> tuple[float, ...]:
    """1 and 3 times the powers of ten in [low, high]."""
    grid = (float(f"{digit}e{power}") for power in range(-12, 13) for digit in (1, 3))
    return tuple(rate for rate in grid if low * (1 - 1e-9) <= rate <= high * (1 + 1e-9))


@torch.no_grad()
def fit_sgd_probe(
    train: LabelledFeatures,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
    rates: tuple[float, ...],
    *,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    schedule: str = "steps",
    on_epoch: Callable[[Tensor], None] | None = None,
) -> Probe:
    """Softmax regression by SGD with momentum 0.9 and without weight decay.

    Deviations from FAIR's protocol: the initial weights are 0, and several learning rates over
    decades are tried, not one. The best one is inverse to the mean squared norm of the features:
    unless they are divided by `root_mean_square_norm`, a grid favours the encoders whose scale
    suits it.

    Args:
        train: the probe's training data.
        validation: chooses the learning rate.
        scored: the scoring split, which gives the accuracies.
        rates: peak learning rates, ascending.
        epochs: passes over the training data.
        batch_size: images of a step.
        generator: draws the order of the images.
        schedule: of the learning rate, over the epochs; a name of SCHEDULES.
        on_epoch: called after every epoch with the weights (E, L, C) of all learning rates.
    """
    device = train.values.device
    labels = train.labels.to(device)
    classes = int(labels.max()) + 1
    target = F.one_hot(labels, classes).float()
    rate_L = torch.tensor(rates, device=device)
    inputs_NE = append_bias(train.values)
    weight_ELC = torch.zeros(inputs_NE.shape[1], len(rates), classes, device=device)
    velocity = torch.zeros_like(weight_ELC)
    for epoch in range(epochs):
        rate_L1 = (rate_L * SCHEDULES[schedule](epoch / epochs))[:, None]
        for index in torch.randperm(len(labels), generator=generator).to(device).split(batch_size):
            x_BE = inputs_NE[index]
            probability_BLC = torch.softmax(class_logits(x_BE, weight_ELC), dim=2)
            error_BLC = probability_BLC - target[index][:, None]
            gradient = (x_BE.T @ error_BLC.flatten(1)).view_as(weight_ELC) / len(index)
            velocity.mul_(MOMENTUM).add_(gradient)
            weight_ELC.sub_(rate_L1 * velocity)
        if on_epoch is not None:
            on_epoch(weight_ELC)
    return select_best(rates, weight_ELC, validation, scored=scored)


def fit_lbfgs_probe(
    train: LabelledFeatures,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
    penalties: tuple[float, ...] = PENALTIES,
    iterations: int = 1000,
) -> Probe:
    """Softmax regression by L-BFGS on the mean cross-entropy + penalty / 2 |weights|².

    The bias is not penalised. All features are divided by the root mean square of the training
    features, so that a penalty has the same effect at any scale.

    Args:
        train: the probe's training data.
        validation: chooses the penalty.
        scored: the scoring split, which gives the accuracies.
        penalties: in the order in which they are fitted, each from the weights of the one before.
        iterations: at most, for each penalty.
    """
    scale = root_mean_square(train.values)
    train, validation, scored = (divide(part, scale) for part in (train, validation, scored))
    inputs_NE, labels = append_bias(train.values), train.labels.to(train.values.device)
    size, classes = inputs_NE.shape[1], int(labels.max()) + 1
    weight_EC = torch.zeros(size, classes, device=inputs_NE.device, requires_grad=True)
    fitted = []
    # no fit on features that are not finite: all penalties then keep the weights 0
    for penalty in penalties if bool(inputs_NE.isfinite().all()) else ():
        solver = torch.optim.LBFGS(
            [weight_EC],
            max_iter=iterations,
            tolerance_change=1e-12,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        def loss(penalty: float = penalty, solver: torch.optim.LBFGS = solver) -> Tensor:
            solver.zero_grad()
            cross_entropy = F.cross_entropy(inputs_NE @ weight_EC, labels)
            value = cross_entropy + penalty / 2 * weight_EC[:-1].square().sum()
            value.backward()
            return value

        solver.step(loss)
        fitted.append(weight_EC.detach().clone())
    unfitted = [torch.zeros_like(weight_EC).detach()] * len(penalties)
    return select_best(penalties, torch.stack(fitted or unfitted, 1), validation, scored=scored)


def select_best(
    settings: tuple[float, ...],
    weight_ELC: Tensor,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
) -> Probe:
    """The probe of the setting that is best on validation; the first among equals."""
    validation_L = accuracy_by_setting(validation, weight_ELC)
    best = int(validation_L.argmax())
    return score_probe(
        settings[best],
        at_edge=best in (0, len(settings) - 1),
        validation_accuracy=float(validation_L[best]),
        scored=scored,
        weight_EC=weight_ELC[:, best],
    )


def standardise(*splits: LabelledFeatures) -> list[LabelledFeatures]:
    """The splits with mean 0 and standard deviation 1 of each feature over the first of them.

    Features that are constant over the first split become 0.
    """
    mean, std = splits[0].values.mean(0), splits[0].values.std(0, correction=0)
    scale = torch.where(std > 1e-12, std, torch.inf)
    return [LabelledFeatures((part.values - mean) / scale, part.labels) for part in splits]


def divide(part: LabelledFeatures, scale: Tensor | float) -> LabelledFeatures:
    """The features of a split divided by a number."""
    return LabelledFeatures(part.values / scale, part.labels)


def root_mean_square_norm(values_ND: Tensor) -> Tensor:
    """The root of the mean squared norm of the features; 1 if all of them are 0."""
    scale = root_mean_square(values_ND)
    return scale * values_ND.shape[1] ** 0.5 if bool(values_ND.any()) else scale


def root_mean_square(values: Tensor) -> Tensor:
    """The root mean square of all values, without overflow; 1 if all of them are 0."""
    largest = values.abs().amax()
    return torch.where(largest > 0, largest * (values / largest).square().mean().sqrt(), 1.0)


@torch.no_grad()
def score_probe(
    setting: float,
    at_edge: bool,
    validation_accuracy: float,
    scored: LabelledFeatures,
    weight_EC: Tensor,
) -> Probe:
    """The probe with these weights, and its accuracies on the scoring split."""
    logits_NC, classes = append_bias(scored.values) @ weight_EC, weight_EC.shape[1]
    labels = scored.labels.to(logits_NC.device)
    predicted_N = logits_NC.argmax(1)
    is_top5_N = (logits_NC.topk(min(5, classes), dim=1).indices == labels[:, None]).any(1)
    cell_N = labels * classes + predicted_N
    confusion_CC = torch.bincount(cell_N, minlength=classes**2).view(classes, classes).cpu()
    return Probe(
        setting=setting,
        at_edge=at_edge,
        validation_accuracy=validation_accuracy,
        accuracy=float(confusion_CC.diagonal().sum()) / len(labels),
        correct_N=(predicted_N == labels).cpu(),
        top5_accuracy=float(is_top5_N.cpu().double().mean()),
        confusion_CC=confusion_CC,
        weight_EC=weight_EC,
    )


def append_bias(values_ND: Tensor) -> Tensor:
    """The features (N, E): those given, and a column of ones."""
    return torch.cat([values_ND, torch.ones_like(values_ND[:, :1])], dim=1)


def class_logits(x_BE: Tensor, weight_ELC: Tensor) -> Tensor:
    """Logits (B, L, C), by one matrix product for all settings."""
    return (x_BE @ weight_ELC.flatten(1)).view(len(x_BE), *weight_ELC.shape[1:])


def accuracy_by_setting(features: LabelledFeatures, weight_ELC: Tensor) -> Tensor:
    """Accuracies (L,) in [0, 1], on the CPU; 0 for a setting whose weights are not finite."""
    prediction_NL = class_logits(append_bias(features.values), weight_ELC).argmax(2)
    labels_N1 = features.labels.to(prediction_NL.device)[:, None]
    hits_L = (prediction_NL == labels_N1).sum(0).cpu()
    is_finite_L = weight_ELC.isfinite().all(2).all(0).cpu()
    accuracy_L = hits_L.double() / len(prediction_NL)  # on the CPU, since MPS has no float64
    return torch.where(is_finite_L, accuracy_L, 0.0)
