"""Evaluation of a frozen encoder: kNN, linear probe, effective rank; it must not change."""

import hashlib
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moco.config import Config
from moco.data.dataset import Dataset
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


class Evaluation(NamedTuple):
    """The numbers of a record, and the data behind them."""

    numbers: dict[str, Any]
    probe: Probe
    tables: dict[str, Any]  # classes, accuracy_by_class, confusion (rows: the true class)


def evaluate(
    encoder: Encoder | Pixels, splits: Splits, dataset: Dataset, config: Config
) -> Evaluation:
    """All measurements of a frozen encoder, on the split that `config.score_split` names."""
    before = state_hash(encoder)
    scored_split = splits.scoring_split(config)
    train, validation = (
        extract_features(encoder, split, dataset, config=config)
        for split in (splits.train, splits.validation)
    )
    scored = validation
    if scored_split is not splits.validation:
        scored = extract_features(encoder, scored_split, dataset, config=config)
    train_labels, validation_labels = (
        with_training_labels(split, config, part).labels
        for part, split in enumerate((splits.train, splits.validation))
    )
    probe, sweep_numbers = fit_probe(
        LabelledFeatures(train.features_ND, train_labels),
        LabelledFeatures(validation.features_ND, validation_labels),
        LabelledFeatures(scored.features_ND, scored_split.labels),
        config=config,
    )
    assert state_hash(encoder) == before, "evaluation must not change the encoder"
    device = train.features_ND.device
    precision = pick_precision(config, device, input_size(config, splits.train.images))
    numbers = {
        **knn_accuracies(
            train,
            train_labels,
            query=scored,
            query_labels=scored_split.labels,
            config=config,
        ),
        **probe_numbers(probe, config),
        **sweep_numbers,
        "effective_rank": effective_rank(train.features_ND),
        "encoder_sha256": before,
        "device": device_name(device),
        "precision": str(precision).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "feature_size": encoder.feature_size,
        "feature_scale": float(train.features_ND.square().mean().sqrt()),
    }
    return Evaluation(numbers=numbers, probe=probe, tables=probe_tables(probe, dataset))


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
    bank, query = (
        extract_features(encoder, split, dataset, config=config)
        for split in (splits.train, splits.validation)
    )
    return knn_accuracies(
        bank,
        with_training_labels(splits.train, config).labels,
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


def state_hash(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, names included."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
