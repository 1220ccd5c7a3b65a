"""One trial from config to result: pretrain, checkpoint after every epoch, evaluate."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch

from moco import checkpoint, data, knn, workers
from moco.config import Config
from moco.data import Dataset, Splits
from moco.device import describe, pick_device, pick_precision
from moco.encoder import Encoder
from moco.features import effective_rank, extract
from moco.pretrain import pretrain
from moco.probe import Features, learning_rates, linear_probe
from moco.seed import Source, generator


def run(values: dict[str, Any], folder: Path, cached: Path) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Yields one dict of numbers an epoch and returns the result; started again with the same folder it goes on where it was.

    Epochs that the checkpoint already holds are yielded again from it, so that the curve is always whole.

    Args:
        values: the fields of a Config.
        folder: keeps this trial's checkpoint, and after the end its encoder's weights.
        cached: a dataset as `moco.data.prepare` left it.

    Returns:
        `loss` (nats, last epoch), `knn_accuracy` and `probe_accuracy` on `score_split` (in [0, 1]), `probe_lr`,
        `probe_validation_accuracy`, `effective_rank` of the training features, `device`, `precision`, `parameters`.
    """
    config = Config.of(values)
    dataset = data.load(cached)
    splits = data.carve(dataset, config)
    file = folder / "checkpoint.pt"
    for draft in folder.glob("*.pt.*") if workers.rank() == 0 else ():  # a kill during a save left it
        draft.unlink(missing_ok=True)
    kept = checkpoint.load(file) or {"curve": [], "state": None, "result": None}
    yield from kept["curve"]
    if kept["result"] is not None:
        return kept["result"]
    curve, encoder = list(kept["curve"]), None
    for epoch in pretrain(config, dataset, splits.train, kept["state"]):
        row = epoch.metrics._asdict()
        last = row["epoch"] == config.epochs
        row["knn_accuracy"] = validation_knn(epoch.encoder, splits, dataset, config) if last or row["epoch"] % config.knn_every == 0 else None
        curve.append(row)
        encoder = epoch.encoder
        if workers.rank() == 0:
            checkpoint.save(file, {"curve": curve, "state": epoch.state, "result": None})
        yield row
    if encoder is None:  # killed between the last epoch and the result
        encoder = restored(config, dataset, kept["state"])
    result = {"loss": curve[-1]["loss"], **evaluate(encoder, splits, dataset, config)}
    if workers.rank() == 0:
        checkpoint.save(folder / "encoder.pt", encoder.state_dict())
        checkpoint.save(file, {"curve": curve, "state": None, "result": result})
    return result


def restored(config: Config, dataset: Dataset, state: dict[str, Any]) -> Encoder:
    """The query encoder that a checkpoint holds."""
    prefix = "query_encoder."
    encoder = Encoder(config, dataset.train.images.shape[1], config.batch_norm_splits)
    encoder.load_state_dict({name.removeprefix(prefix): value for name, value in state["model"].items() if name.startswith(prefix)})
    return encoder.to(pick_device(config.device)).to(memory_format=torch.channels_last)


def validation_knn(encoder: Encoder, splits: Splits, dataset: Dataset, config: Config) -> float:
    """kNN accuracy on the validation split, whatever split the result is scored on."""
    bank, query = (extract(encoder, split, dataset, config) for split in (splits.train, splits.validation))
    return knn.accuracy(bank, splits.train.labels, query, splits.validation.labels, config.knn_neighbours, config.knn_temperature)


def evaluate(encoder: Encoder, splits: Splits, dataset: Dataset, config: Config) -> dict[str, Any]:
    """The numbers of `run`'s result that a frozen encoder gives."""
    train, validation = (Features(extract(encoder, split, dataset, config), split.labels) for split in (splits.train, splits.validation))
    scored = validation if config.score_split == "validation" else Features(extract(encoder, splits.test, dataset, config), splits.test.labels)
    rates = learning_rates(config.probe_lr_low, config.probe_lr_high)
    draws = generator(config.seed, Source.PROBE)
    probe = linear_probe(train, validation, scored, rates, config.probe_epochs, config.probe_batch_size, draws)
    device = train.values.device
    return {
        "knn_accuracy": knn.accuracy(*train, *scored, config.knn_neighbours, config.knn_temperature),
        "probe_accuracy": probe.accuracy,
        "probe_lr": probe.lr,
        "probe_validation_accuracy": probe.validation_accuracy,
        "effective_rank": effective_rank(train.values),
        "device": describe(device),
        "precision": str(pick_precision(config, device)).removeprefix("torch."),
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
    }
