"""The linear probe: a classifier on frozen features, its one setting chosen on the validation split (He et al. 2020, section 4.1).

By SGD the setting is the learning rate; all rates train at once, as one product: the features are shared, only the weights differ.
By L-BFGS it is the L2 penalty.
Letters: N images, D features, E = D + 1 with the bias, L learning rates, C classes.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from moco.schedules import SCHEDULES

MOMENTUM = 0.9


class LabelledFeatures(NamedTuple):
    """Frozen features (N, D) and labels (N,) of a split."""

    values: Tensor
    labels: Tensor


class Probe(NamedTuple):
    """The probe of the setting that was best on validation; of several the smallest rate, or the strongest penalty."""

    setting: float  # the learning rate, or the L2 penalty
    at_edge: bool  # it is the first or last of those tried
    validation_accuracy: float  # in [0, 1]
    accuracy: float  # on the split that is scored, in [0, 1]
    top5_accuracy: float  # the label is among the five likeliest classes
    confusion_CC: (
        Tensor  # images of the class of the row that were taken for the class of the column
    )
    weight_EC: Tensor  # the last row is the bias


def learning_rate_grid(low: float, high: float) -> tuple[float, ...]:
    """1 and 3 times the powers of ten in a range, its ends included."""
    grid = (float(f"{digit}e{power}") for power in range(-12, 13) for digit in (1, 3))
    return tuple(rate for rate in grid if low * (1 - 1e-9) <= rate <= high * (1 + 1e-9))


@torch.no_grad()
def fit_sgd_probe(
    train: LabelledFeatures,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
    rates: tuple[float, ...],
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    schedule: str = "steps",
    watch: Callable[[Tensor], None] | None = None,
) -> Probe:
    """Softmax regression by SGD with momentum 0.9 and no weight decay, the rate by `schedule` over the epochs.

    Deviation from FAIR's protocol: weights start at 0, and several rates over decades are tried, not one. The best rate follows the scale
    of the features (about 1 / scale²), so a grid must reach well below and above it, or it favours the encoders whose scale suits it.
    `watch` is shown the weights (E, L, C) of all rates after every epoch.
    """
    device = train.values.device
    labels = train.labels.to(device)
    classes = int(labels.max()) + 1
    target = torch.nn.functional.one_hot(labels, classes).float()
    rate_L = torch.tensor(rates, device=device)
    weight_ELC = torch.zeros(
        train.values.shape[1] + 1, len(rates), classes, device=device
    )  # the last row is the bias
    velocity = torch.zeros_like(weight_ELC)
    inputs_NE = append_bias(train.values)
    for epoch in range(epochs):
        rate_L1 = (rate_L * SCHEDULES[schedule](epoch / epochs))[:, None]
        for index in torch.randperm(len(labels), generator=generator).to(device).split(batch_size):
            x_BE = inputs_NE[index]
            error_BLC = (
                torch.softmax(class_logits(x_BE, weight_ELC), dim=2) - target[index][:, None]
            )
            gradient = (x_BE.T @ error_BLC.flatten(1)).view_as(weight_ELC) / len(index)
            velocity.mul_(MOMENTUM).add_(gradient)
            weight_ELC.sub_(rate_L1 * velocity)
        if watch is not None:
            watch(weight_ELC)
    return select_best(rates, weight_ELC, validation, scored)


PENALTIES = tuple(
    10.0**power for power in range(1, -9, -1)
)  # of the mean loss; from strong to weak


def fit_lbfgs_probe(
    train: LabelledFeatures,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
    penalties: tuple[float, ...] = PENALTIES,
    iterations: int = 1000,
) -> Probe:
    """Softmax regression by L-BFGS on the mean cross-entropy + penalty / 2 |weights|², the bias free; each penalty goes on from the one before.

    All features are divided by the root mean square of the training ones, so that a penalty means the same at any scale.
    """
    scale = root_mean_square(train.values)
    train, validation, scored = (
        LabelledFeatures(part.values / scale, part.labels) for part in (train, validation, scored)
    )
    inputs_NE, labels = append_bias(train.values), train.labels.to(train.values.device)
    weight_EC = torch.zeros(
        inputs_NE.shape[1], int(labels.max()) + 1, device=inputs_NE.device, requires_grad=True
    )
    fitted = []
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
            value = (
                torch.nn.functional.cross_entropy(inputs_NE @ weight_EC, labels)
                + penalty / 2 * weight_EC[:-1].square().sum()
            )
            value.backward()
            return value

        solver.step(loss)
        fitted.append(weight_EC.detach().clone())
    weight_ELC = torch.stack(
        fitted or [torch.zeros_like(weight_EC).detach()] * len(penalties), 1
    )  # features that are no numbers teach nothing
    return select_best(penalties, weight_ELC, validation, scored)


def select_best(
    settings: tuple[float, ...],
    weight_ELC: Tensor,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
) -> Probe:
    """The probe of the setting that is best on validation; of equals the first."""
    validation_L = accuracy_by_setting(validation, weight_ELC)
    best = int(validation_L.argmax())
    return score_probe(
        settings[best],
        best in (0, len(settings) - 1),
        float(validation_L[best]),
        scored,
        weight_ELC[:, best],
    )


def standardise(*splits: LabelledFeatures) -> list[LabelledFeatures]:
    """The splits with each feature shifted and scaled to mean 0 and deviation 1 over the first of them; what is constant there becomes 0."""
    mean, std = splits[0].values.mean(0), splits[0].values.std(0, correction=0)
    scale = torch.where(std > 1e-12, std, torch.inf)
    return [LabelledFeatures((part.values - mean) / scale, part.labels) for part in splits]


def root_mean_square(values: Tensor) -> Tensor:
    """Of all features together, without overflow; 1 where they are all 0."""
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
    """What the chosen weights make of the split that is scored."""
    logits_NC, classes = append_bias(scored.values) @ weight_EC, weight_EC.shape[1]
    labels = scored.labels.to(logits_NC.device)
    near = logits_NC.topk(min(5, classes), dim=1).indices == labels[:, None]
    confusion_CC = (
        torch.bincount(labels * classes + logits_NC.argmax(1), minlength=classes**2)
        .view(classes, classes)
        .cpu()
    )
    accuracy = float(confusion_CC.diagonal().sum()) / len(labels)
    return Probe(
        setting,
        at_edge,
        validation_accuracy,
        accuracy,
        float(near.any(1).cpu().double().mean()),
        confusion_CC,
        weight_EC,
    )


def append_bias(values_ND: Tensor) -> Tensor:
    """The features with a column of ones."""
    return torch.cat([values_ND, torch.ones_like(values_ND[:, :1])], dim=1)


def class_logits(x_BE: Tensor, weight_ELC: Tensor) -> Tensor:
    """(B, L, C), one product for all learning rates."""
    return (x_BE @ weight_ELC.flatten(1)).view(len(x_BE), *weight_ELC.shape[1:])


def accuracy_by_setting(features: LabelledFeatures, weight_ELC: Tensor) -> Tensor:
    """(L,) on the CPU, in [0, 1]; 0 where a rate ran into infinity."""
    guess_NL = class_logits(append_bias(features.values), weight_ELC).argmax(2)
    hits_L = (guess_NL == features.labels.to(guess_NL.device)[:, None]).sum(0).cpu()
    return torch.where(
        weight_ELC.isfinite().all(2).all(0).cpu(), hits_L.double() / len(guess_NL), 0.0
    )  # MPS has no float64
