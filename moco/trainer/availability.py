"""What variants of a trial need and this place may lack: published weights, a further split, colours, several workers."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from moco.config import Config
from moco.data import cache
from moco.data.checks import DataError
from moco.data.dataset import Dataset, statistics
from moco.model.encoder import Encoder
from moco.model.published_weights import GIVEN, WEIGHTS, WeightsAbsent, find, key
from moco.model.weights import digest, load_backbone
from moco.training.optimizers import OPTIMIZERS


class Survey(NamedTuple):
    """What was found for variants of a trial."""

    absent: dict[
        str, str
    ]  # why a variant cannot be run here, by its name: a sentence without its full stop, the short of it before a colon
    fields: dict[
        str, dict[str, Any]
    ]  # what the variant's configs say of the files that were found: the SHA-256 of its weights
    files: dict[str, Path]  # of weights, as `moco.trial.run` takes them


def survey(
    wish: dict[str, Any],
    variants: dict[str, dict[str, Any]],
    cached: Path,
    data_dir: Path,
    *,
    download: Collection[str],
    given: str = "",
) -> Survey:
    """Looks for what each variant needs.

    Args:
        wish: the fields that all share.
        variants: by name, the fields in which it differs.
        cached: the dataset as `moco.data.prepare` left it.
        data_dir: published weights are kept below it.
        download: the names of those that may be downloaded into it now.
        given: the file for variants whose weights are GIVEN.

    Raises:
        ValueError: a field is wrong, or weights that are here do not fit the encoder.
    """
    dataset, found = cache.load(cached), Survey({}, {}, {})
    tried: dict[tuple[str, str], Path | str] = {}  # each file is looked for once
    digests: dict[Path, str] = {}
    for name, own in variants.items():
        config = Config.of({**wish, **own, "dataset": dataset.name, "weights_sha256": ""})
        reason = lacks(config, dataset, given)
        if reason or not config.weights:
            found.absent.update({name: reason} if reason else {})
            continue
        which = (given if config.weights == GIVEN else config.weights, config.encoder)
        if which not in tried:
            try:
                tried[which] = find(*which, data_dir, which[0] in download)
            except WeightsAbsent as absence:
                tried[which] = f"weights absent: {absence}"
        place = tried[which]
        if isinstance(place, str):
            found.absent[name] = place
            continue
        expected = (own if "weights" in own else wish).get("weights_sha256", "")
        load_backbone(Encoder(config, dataset.train.images.shape[1]).backbone, place, expected)
        sha256 = digests.setdefault(place, digests.get(place) or digest(place))
        found.fields[name], found.files[key(sha256)] = {"weights_sha256": sha256}, place.resolve()
    return found


def lacks(config: Config, dataset: Dataset, given: str) -> str:
    """What a trial of this config misses here, published files aside; empty: nothing."""
    if (
        config.pretrain_split != "train"
        and config.pretrain_split.removeprefix("train+") != dataset.extra_name
    ):
        return f"{dataset.title} has no split {config.pretrain_split.removeprefix('train+')}"
    if config.weights == GIVEN and not given:
        return "no file was given with --weights"
    if config.weights in WEIGHTS and dataset.train.images.shape[1] != 3:
        return f"published weights take colour images; those of {dataset.title} are grey"
    try:
        statistics(dataset, config)
    except DataError as problem:
        return str(problem)
    return ""


def same_as_plain(config: Config, workers: int) -> str:
    """Why a kind of batch norm is no kind of its own over so many workers, each of which normalises whole groups; empty: it is."""
    if config.batch_norm == "sync" and workers == 1:
        return "synchronised batch norm over one worker is plain batch norm; give --workers 2"
    if config.batch_norm == "split" and workers > 1 and config.batch_norm_splits == workers:
        return "as many groups as workers are plain batch norm; set more batch_norm_splits"
    return ""


def essence(values: dict[str, Any]) -> dict[str, Any]:
    """The fields with those that mean the same said in one way, and without those that change no number: trials of one essence are one trial."""
    config = Config.of(values)
    same: dict[str, Any] = {"pictures": 0}
    if config.input_size == config.image_size:
        same["input_size"] = 0
    if config.splits == 1 and config.batch_norm != "sync":
        same |= {"batch_norm": "plain", "batch_norm_splits": 1}
    if (
        config.weight_decay == 0 and config.optimizer.removesuffix("w") in OPTIMIZERS
    ):  # how a decay of 0 is applied makes no difference
        same["optimizer"] = config.optimizer.removesuffix("w")
    if config.attention == "none":
        same |= {
            name: value
            for name, value in Config().to_dict().items()
            if name.startswith("attention_")
        }
    return {**config.to_dict(), **same}


def splits_wanted(wish: dict[str, Any], variants: dict[str, dict[str, Any]], further: str) -> str:
    """The `pretrain_split` with which a dataset must be prepared so that every variant finds what the dataset has; `further`: its other split."""
    wanted = [
        own.get("pretrain_split", wish.get("pretrain_split", "train")) for own in variants.values()
    ]
    return (
        further
        if further and any(split in (further, f"train+{further}") for split in wanted)
        else wish.get("pretrain_split", "train")
    )
