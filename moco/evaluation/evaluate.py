"""What a frozen encoder is worth: neighbours, linear probe, effective rank, and the proof that it stayed as it was."""

import hashlib
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moco.config import Config
from moco.data.dataset import Dataset
from moco.data.preprocessing import input_size
from moco.data.splits import Splits, with_training_labels
from moco.device import device_name, pick_precision
from moco.evaluation import knn
from moco.evaluation.linear_probe import (
    LabelledFeatures,
    Probe,
    accuracy_by_setting,
    fit_lbfgs_probe,
    fit_sgd_probe,
    learning_rate_grid,
    standardise,
)
from moco.model.encoder import Encoder
from moco.model.features import FrozenFeatures, extract_features
from moco.seed import Source, make_generator
from moco.training.diagnostics import effective_rank


class Evaluation(NamedTuple):
    """Numbers for a record, and the tables behind them."""

    numbers: dict[str, Any]
    probe: Probe
    tables: dict[str, Any]  # classes, accuracy_by_class, confusion (rows: the true class)


def evaluate(encoder: Encoder, splits: Splits, dataset: Dataset, config: Config) -> Evaluation:
    """Everything that a frozen encoder gives, measured on `config.score_split`."""
    before = state_hash(encoder)
    scored = splits.scoring_split(config)
    train, validation = (
        extract_features(encoder, split, dataset, config)
        for split in (splits.train, splits.validation)
    )
    score = (
        validation
        if scored is splits.validation
        else extract_features(encoder, scored, dataset, config)
    )
    labels = [
        with_training_labels(split, config, part).labels
        for part, split in enumerate((splits.train, splits.validation))
    ]
    probe, each = fit_probe(
        LabelledFeatures(train.features_ND, labels[0]),
        LabelledFeatures(validation.features_ND, labels[1]),
        LabelledFeatures(score.features_ND, scored.labels),
        config,
    )
    assert state_hash(encoder) == before, "evaluation must leave the encoder as it was"
    device = train.features_ND.device
    numbers = {
        **knn_accuracies(train, labels[0], score, scored.labels, config),
        **probe_numbers(probe, config),
        **each,
        "effective_rank": effective_rank(train.features_ND),
        "encoder_sha256": before,
        "device": device_name(device),
        "precision": str(
            pick_precision(config, device, input_size(config, splits.train.images))
        ).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "feature_size": encoder.feature_size,
        "feature_scale": float(train.features_ND.square().mean().sqrt()),
    }
    counts_C = probe.confusion_CC.sum(1)
    by_class = (probe.confusion_CC.diagonal() / counts_C.clamp(min=1)).tolist()
    return Evaluation(
        numbers,
        probe,
        {
            "classes": list(dataset.classes),
            "accuracy_by_class": by_class,
            "confusion": probe.confusion_CC.tolist(),
        },
    )


def fit_probe(
    train: LabelledFeatures, validation: LabelledFeatures, scored: LabelledFeatures, config: Config
) -> tuple[Probe, dict[str, Any]]:
    """The probe that the config asks for, and where it asks for that what each rate gives alone.

    The latter are `probe_accuracy_lr_<rate>`, and `probe_curves`: by rate the accuracy after each epoch. No choice is made by them.
    """
    if config.probe_features == "standardised":
        train, validation, scored = standardise(train, validation, scored)
    if config.probe_optimizer == "lbfgs":
        return fit_lbfgs_probe(train, validation, scored), {}
    rates = learning_rate_grid(config.probe_lr_low, config.probe_lr_high)
    draws, found = make_generator(config.seed, Source.PROBE), list[list[float]]()
    watch = (
        (lambda weight_ELC: found.append(accuracy_by_setting(scored, weight_ELC).tolist()))
        if config.probe_each == "on"
        else None
    )
    probe = fit_sgd_probe(
        train,
        validation,
        scored,
        rates,
        config.probe_epochs,
        config.probe_batch_size,
        draws,
        config.probe_schedule,
        watch,
    )
    curves = {
        f"{rate:g}": [round(value, 6) for value in curve]
        for rate, curve in zip(rates, zip(*found, strict=True), strict=False)
    }
    return probe, {
        **{f"probe_accuracy_lr_{rate}": curve[-1] for rate, curve in curves.items()},
        **({"probe_curves": curves} if curves else {}),
    }


def probe_numbers(probe: Probe, config: Config) -> dict[str, Any]:
    """A probe's numbers for a record; the setting that its solver does not have is None."""
    by_sgd = config.probe_optimizer == "sgd"
    return {
        "probe_accuracy": probe.accuracy,
        "probe_top5_accuracy": probe.top5_accuracy,
        "probe_lr": probe.setting if by_sgd else None,
        "probe_l2": None if by_sgd else probe.setting,
        "probe_at_edge": probe.at_edge,
        "probe_validation_accuracy": probe.validation_accuracy,
    }


def validation_knn(
    encoder: Encoder, splits: Splits, dataset: Dataset, config: Config
) -> dict[str, float | None]:
    """kNN accuracies on the validation split, whatever split the result is scored on."""
    bank, query = (
        extract_features(encoder, split, dataset, config)
        for split in (splits.train, splits.validation)
    )
    return knn_accuracies(
        bank,
        with_training_labels(splits.train, config).labels,
        query,
        splits.validation.labels,
        config,
    )


def knn_accuracies(
    bank: FrozenFeatures,
    bank_labels: Tensor,
    query: FrozenFeatures,
    query_labels: Tensor,
    config: Config,
) -> dict[str, float | None]:
    """kNN accuracy on the backbone's features, and on the projections where the head was trained; in [0, 1]."""
    found: dict[str, float | None] = {"knn_accuracy": None, "knn_projection_accuracy": None}
    for name, part in zip(found, range(2 if config.method == "moco" else 1), strict=False):
        found[name] = knn.knn_accuracy(
            bank[part],
            bank_labels,
            query[part],
            query_labels,
            config.knn_neighbours,
            config.knn_temperature,
        )
    return found


def state_hash(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, names included."""
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
