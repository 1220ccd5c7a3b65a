"""What arms need and a machine may lack: published weights, a further split, colours, workers."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from moco.config import Config
from moco.data import cache
from moco.data.checks import DataError
from moco.data.dataset import Dataset, normalisation_statistics
from moco.model.encoder import Encoder
from moco.model.own_encoder import is_further
from moco.model.published_weights import (
    GIVEN,
    WEIGHTS,
    WeightsNotFoundError,
    check_given_file,
    find_weights,
    weights_key,
)
from moco.model.weights import file_sha256, load_backbone
from moco.own_code import code_key, hash_sources, own_names, pack_sources, read_sources
from moco.training.optimizers import OPTIMIZERS


class Survey(NamedTuple):
    """What was found for the arms of a study."""

    absent: dict[str, str]  # why an arm cannot be run here: the short of it before a colon
    fields: dict[str, dict[str, Any]]  # of an arm, that were found: its weights' SHA-256
    files: dict[str, Path]  # of weights, as `moco.trainer.trial.run_config` takes


def survey(
    shared: dict[str, Any],
    arms: Mapping[str, dict[str, Any]],
    cached: Path,
    data_dir: Path,
    *,
    download: Collection[str],
    given: str = "",
) -> Survey:
    """Look for what each arm needs.

    Args:
        shared: the fields of all trials.
        arms: by name, the fields in which an arm differs.
        cached: the dataset as `moco.data.cache.prepare` left it.
        data_dir: published weights are kept below it.
        download: the names of those that may be downloaded into it now.
        given: the file for arms whose weights are GIVEN.

    Raises:
        ValueError: a field is wrong, or weights that are here do not fit the encoder.
    """
    dataset, found = cache.load_dataset(cached), Survey({}, {}, {})
    tried: dict[tuple[str, str], Path | str] = {}  # each file is looked for once
    digests: dict[Path, str] = {}
    for name, own in arms.items():
        config = Config.of({**shared, **own, "dataset": dataset.name, "weights_sha256": ""})
        add_own_code(found, name, config, data_dir)
        expected = (own if "weights" in own else shared).get("weights_sha256", "")
        if config.weights == GIVEN and expected:
            check_given_file(given, expected)
        reason = missing_data(config, dataset, given)
        if reason or not config.weights:
            found.absent.update({name: reason} if reason else {})
            continue
        which = (given if config.weights == GIVEN else config.weights, config.encoder)
        if which not in tried:
            try:
                tried[which] = find_weights(*which, data_dir, which[0] in download)
            except ValueError as problem:
                # the path of a trial of another machine need not lead anywhere here
                if not (expected or isinstance(problem, WeightsNotFoundError)):
                    raise
                tried[which] = f"weights absent: {problem}"
        place = tried[which]
        if isinstance(place, str):
            found.absent[name] = place
            continue
        load_backbone(Encoder(config, dataset.train.images.shape[1]).backbone, place, expected)
        sha256 = digests.setdefault(place, digests.get(place) or file_sha256(place))
        found.fields.setdefault(name, {})["weights_sha256"] = sha256
        found.files[weights_key(sha256)] = place.resolve()
    return found


def add_own_code(found: Survey, arm: str, config: Config, data_dir: Path) -> None:
    """Add the code of one's own that an arm names to what was found.

    Raises:
        ValueError: it cannot be imported, or is not what the arm was planned with.
    """
    if not (names := own_names(config)):
        return
    sources = read_sources(names)
    sha256 = hash_sources(sources)
    if config.code_sha256 not in ("", sha256):
        raise ValueError(
            f"{' and '.join(names)} must be the code with which the trials were planned, SHA-256 "
            f"{config.code_sha256[:12]}…; that here has {sha256[:12]}…"
        )
    found.fields.setdefault(arm, {})["code_sha256"] = sha256
    found.files[code_key(sha256)] = pack_sources(sources, data_dir).resolve()


def missing_data(config: Config, dataset: Dataset, given: str) -> str:
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
        normalisation_statistics(dataset, config)
    except DataError as problem:
        return str(problem)
    return ""


def equal_to_plain(config: Config, workers: int) -> str:
    """Why a kind of batch norm equals plain batch norm over so many workers; empty: it does not.

    Each worker normalises whole groups of its own.
    """
    if config.batch_norm == "sync" and workers == 1:
        return "synchronised batch norm over one worker is plain batch norm; give --workers 2"
    if config.batch_norm == "split" and workers > 1 and config.batch_norm_splits == workers:
        return "as many groups as workers are plain batch norm; set more batch_norm_splits"
    return ""


def canonical_config(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with equal things said in one way, and those that change no number left out."""
    config = Config.of(fields)
    same: dict[str, Any] = {"pictures": 0}
    if config.input_size == config.image_size:
        same["input_size"] = 0
    if config.splits == 1 and config.batch_norm != "sync":
        same |= {"batch_norm": "plain", "batch_norm_splits": 1}
    coupled = config.optimizer.removesuffix("w")
    if config.weight_decay == 0 and coupled in OPTIMIZERS:  # a decay of 0 is the same either way
        same["optimizer"] = coupled
    if is_further(config.encoder):
        same |= {"stem": Config().stem, "width": Config().width}
    if config.attention == "none":
        defaults = Config().to_dict()
        same |= {k: value for k, value in defaults.items() if k.startswith("attention_")}
    return {**config.to_dict(), **same}


def needed_split(shared: dict[str, Any], arms: Mapping[str, dict[str, Any]], further: str) -> str:
    """The `pretrain_split` with which a dataset must be prepared, so that every arm finds its own.

    Args:
        further: the dataset's split besides train and test; empty: it has none.
    """
    default = shared.get("pretrain_split", "train")
    wanted = {own.get("pretrain_split", default) for own in arms.values()}
    return further if further and wanted & {further, f"train+{further}"} else default
