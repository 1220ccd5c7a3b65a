"""Evaluation of a frozen encoder: kNN, linear probe, effective rank; it must not change."""

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moco.config import Config
from moco.data.dataset import Dataset, Split
from moco.data.preprocessing import input_size
from moco.data.splits import Splits, with_training_labels
from moco.device import device_name, pick_precision
from moco.evaluation.correct_items import pack_correct
from moco.evaluation.knn import knn_accuracy
from moco.evaluation.linear_probe import (
    LabelledFeatures,
    Probe,
    accuracy_by_setting,
    divide,
    fit_lbfgs_probe,
    fit_sgd_probe,
    learning_rate_grid,
    root_mean_square_norm,
    standardise,
)
from moco.model.encoder import Encoder, Pixels
from moco.model.features import FrozenFeatures, extract_features
from moco.seed import Source, make_generator
from moco.training.diagnostics import effective_rank

SHARES = (0.01, 0.1)  # of the training labels, with which the probe is fitted once more


class Evaluation(NamedTuple):
    """The numbers of a record, and the data behind them."""

    numbers: dict[str, Any]
    probe: Probe | None  # None without labels
    tables: dict[str, Any]  # classes, accuracy_by_class, confusion (rows: the true class)


class Scored(NamedTuple):
    """Features with labels of the splits of an evaluation."""

    train: LabelledFeatures
    validation: LabelledFeatures
    scored: LabelledFeatures  # the split that `config.score_split` names


def evaluate(
    encoder: Encoder | Pixels, splits: Splits, dataset: Dataset, config: Config
) -> Evaluation:
    """All measurements of a frozen encoder, on the split that `config.score_split` names.

    Of a dataset without labels, those that need none.
    """
    before = state_hash(encoder)
    train = extract_features(encoder, splits.train, dataset, config=config)
    if not dataset.classes:
        numbers = {**NO_LABELS, **encoder_numbers(encoder, train, splits, config)}
        return Evaluation(numbers={**numbers, "encoder_sha256": before}, probe=None, tables={})
    scored_split = splits.scoring_split(config)
    validation = extract_features(encoder, splits.validation, dataset, config=config)
    scored = validation
    if scored_split is not splits.validation:
        scored = extract_features(encoder, scored_split, dataset, config=config)
    train_labels, validation_labels = (
        with_training_labels(split, config, part).labels
        for part, split in enumerate((splits.train, splits.validation))
    )
    index_B = few_labels(train_labels, config.labelled, config.seed)
    bank = FrozenFeatures(train.features_ND[index_B], train.projections_NC[index_B])
    parts = Scored(
        LabelledFeatures(bank.features_ND, train_labels[index_B]),
        LabelledFeatures(validation.features_ND, validation_labels),
        LabelledFeatures(scored.features_ND, scored_split.labels),
    )
    probe, sweep_numbers = fit_probe(*parts, config=config)
    assert state_hash(encoder) == before, "evaluation must not change the encoder"
    numbers = {
        **knn_accuracies(
            bank,
            train_labels[index_B],
            query=scored,
            query_labels=scored_split.labels,
            config=config,
        ),
        **probe_numbers(probe, config),
        **sweep_numbers,
        **few_label_numbers(parts, config),
        **encoder_numbers(encoder, train, splits, config),
        "encoder_sha256": before,
    }
    return Evaluation(numbers=numbers, probe=probe, tables=probe_tables(probe, dataset))


def encoder_numbers(
    encoder: Encoder | Pixels, train: FrozenFeatures, splits: Splits, config: Config
) -> dict[str, Any]:
    """What a record says of the encoder itself; needs no labels."""
    device = train.features_ND.device
    precision = pick_precision(config, device, input_size(config, splits.train.images))
    return {
        "effective_rank": effective_rank(train.features_ND),
        "device": device_name(device),
        "precision": str(precision).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "feature_size": encoder.feature_size,
        "feature_scale": float(train.features_ND.square().mean().sqrt()),
    }


def few_labels(labels_N: Tensor, of_each_class: int, seed: int) -> Tensor:
    """Places of so many images of each class, in their order; 0: of all images.

    Chosen by the seed; of several numbers the smaller choice lies in the larger.
    """
    if not of_each_class:
        return torch.arange(len(labels_N))
    order_N = torch.randperm(len(labels_N), generator=make_generator(seed, Source.FEW_LABELS))
    chosen = [
        order_N[labels_N[order_N] == label][:of_each_class] for label in labels_N.unique().tolist()
    ]
    return torch.cat(chosen).sort().values


def few_label_numbers(parts: Scored, config: Config) -> dict[str, float | None]:
    """The probe's accuracy with 1 and 10 % of the training labels, on the test split.

    None where it is not measured: on the validation split, where points are chosen, or where the
    labels are few already.
    """
    names = {f"probe_accuracy_{share:.0%}".replace("%", "_percent"): share for share in SHARES}
    if config.score_split != "test" or config.labelled:
        return dict.fromkeys(names)
    quiet = replace(config, probe_each="off")
    found: dict[str, float | None] = {}
    for name, share in names.items():
        count = max(1, round(share * len(parts.train.labels) / len(parts.train.labels.unique())))
        index_B = few_labels(parts.train.labels, count, config.seed)
        train = LabelledFeatures(parts.train.values[index_B], parts.train.labels[index_B])
        found[name] = fit_probe(train, *parts[1:], config=quiet)[0].accuracy
    return found


def fit_probe(
    train: LabelledFeatures,
    validation: LabelledFeatures,
    scored: LabelledFeatures,
    config: Config,
) -> tuple[Probe, dict[str, Any]]:
    """The config's probe, and with `probe_each=on` the accuracy of each learning rate alone.

    The latter are `probe_accuracy_lr_<rate>`, and `probe_curves`: by learning rate the accuracy
    after each epoch. They are on the scoring split and do not enter any choice.
    """
    if config.probe_features == "standardised":
        train, validation, scored = standardise(train, validation, scored)
    if config.probe_optimizer == "lbfgs":
        return fit_lbfgs_probe(train, validation, scored), {}
    norm = root_mean_square_norm(train.values) if config.probe_rates == "relative" else 1.0
    train, validation, scored = (divide(part, norm) for part in (train, validation, scored))
    rates = learning_rate_grid(config.probe_lr_low, config.probe_lr_high)
    accuracies_by_epoch: list[list[float]] = []

    def record_accuracies(weight_ELC: Tensor) -> None:
        accuracies_by_epoch.append(accuracy_by_setting(scored, weight_ELC).tolist())

    probe = fit_sgd_probe(
        train,
        validation,
        scored,
        rates=rates,
        epochs=config.probe_epochs,
        batch_size=config.probe_batch_size,
        generator=make_generator(config.seed, Source.PROBE),
        schedule=config.probe_schedule,
        on_epoch=record_accuracies if config.probe_each == "on" else None,
    )
    weight_DC, bias_1C = probe.weight_EC[:-1], probe.weight_EC[-1:]
    probe = probe._replace(
        weight_EC=torch.cat([weight_DC / norm, bias_1C])
    )  # for features as given
    if not accuracies_by_epoch:
        return probe, {}
    curves = {
        f"{rate:g}": [round(accuracy, 6) for accuracy in curve]
        for rate, curve in zip(rates, zip(*accuracies_by_epoch, strict=True), strict=True)
    }
    last = {f"probe_accuracy_lr_{rate}": curve[-1] for rate, curve in curves.items()}
    return probe, {**last, "probe_curves": curves}


def probe_numbers(probe: Probe, config: Config) -> dict[str, Any]:
    """A probe's numbers for a record; None for the setting of the other solver.

    Which images were right is kept of the test split: intervals over images are made of it.
    """
    by_sgd = config.probe_optimizer == "sgd"
    return {
        "probe_accuracy": probe.accuracy,
        "probe_correct": pack_correct(probe.correct_N) if config.score_split == "test" else None,
        "probe_top5_accuracy": probe.top5_accuracy,
        "probe_lr": probe.setting if by_sgd else None,
        "probe_l2": None if by_sgd else probe.setting,
        "probe_at_edge": probe.at_edge,
        "probe_validation_accuracy": probe.validation_accuracy,
    }


def probe_tables(probe: Probe, dataset: Dataset) -> dict[str, Any]:
    """A probe's results by class."""
    counts_C = probe.confusion_CC.sum(1)
    return {
        "classes": list(dataset.classes),
        "accuracy_by_class": (probe.confusion_CC.diagonal() / counts_C.clamp(min=1)).tolist(),
        "confusion": probe.confusion_CC.tolist(),
    }


def validation_knn(
    encoder: Encoder, splits: Splits, dataset: Dataset, config: Config
) -> dict[str, float | None]:
    """kNN accuracies on the validation split, whatever `config.score_split` is."""
    train = with_training_labels(splits.train, config)
    if config.labelled:
        chosen = few_labels(train.labels, config.labelled, config.seed)
        train = Split(train.images[chosen], train.labels[chosen])
    bank, query = (
        extract_features(encoder, split, dataset, config=config)
        for split in (train, splits.validation)
    )
    return knn_accuracies(
        bank,
        train.labels,
        query=query,
        query_labels=splits.validation.labels,
        config=config,
    )


def knn_accuracies(
    bank: FrozenFeatures,
    bank_labels: Tensor,
    query: FrozenFeatures,
    query_labels: Tensor,
    config: Config,
) -> dict[str, float | None]:
    """kNN accuracy on the features and on the projections, in [0, 1].

    None on the projections unless the method is MoCo, since the head is then not trained.
    """

    def accuracy(bank_ND: Tensor, query_MD: Tensor) -> float:
        return knn_accuracy(
            bank_ND,
            bank_labels,
            query_MD,
            query_labels=query_labels,
            neighbours=config.knn_neighbours,
            temperature=config.knn_temperature,
        )

    on_projections = None
    if config.method == "moco":
        on_projections = accuracy(bank.projections_NC, query.projections_NC)
    return {
        "knn_accuracy": accuracy(bank.features_ND, query.features_ND),
        "knn_projection_accuracy": on_projections,
    }


NO_LABELS = dict.fromkeys(
    (
        *("knn_accuracy", "knn_projection_accuracy", "probe_accuracy", "probe_top5_accuracy"),
        *("probe_correct", "probe_lr", "probe_l2", "probe_at_edge", "probe_validation_accuracy"),
    )
)


def state_hash(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, names included."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
