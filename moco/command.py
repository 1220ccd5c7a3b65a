"""The command line of one training run: every field of a Config is an option."""

import argparse
import fcntl
import hashlib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, NoReturn

from moco import distributed
from moco.config import CHOICES, Config
from moco.data.augmentation import RECIPES
from moco.data.datasets import DATASETS
from moco.model.encoder import ENCODERS
from moco.training.optimizers import OPTIMIZERS

ABOUT = """Trains and evaluates one encoder, without a study and without Ray. The same command again goes on where it was.

  python -m moco --dataset cifar10 --epochs 200                       MoCo, then kNN and linear probe on the validation split
  python -m moco --method frozen --weights runs/x/encoder.pt          kNN and linear probe alone
  python -m moco --method supervised --score-split test               the ceiling: trained on labels
  torchrun --nproc-per-node 2 -m moco --dataset data/photos           two data-parallel workers
  python -m moco --trials trials.jsonl --records more.jsonl           trials of a study, on a machine without Ray"""
TABLES: dict[str, Iterable[str]] = {
    **CHOICES,
    "dataset": [*DATASETS, "a folder of train/<class>/* and test/<class>/*"],
    "encoder": ENCODERS,
    "optimizer": OPTIMIZERS,
    "views": ["auto", *RECIPES],
}


class Parser(argparse.ArgumentParser):
    """One that complains in a sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"python -m moco: {message}; see python -m moco --help\n")


def parser() -> argparse.ArgumentParser:
    """The options that are no fields of a Config, then one option a field."""
    made = Parser(
        "python -m moco",
        "%(prog)s [--FIELD VALUE ...]",
        ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "--data-dir",
        default="data",
        metavar="DIR",
        help="downloads, and every dataset decoded, yours too (default: data)",
    )
    made.add_argument(
        "--out",
        metavar="DIR",
        help="checkpoint, encoder and results (default: runs/<dataset>-<hash of fields and data>)",
    )
    made.add_argument(
        "--until",
        type=int,
        default=0,
        metavar="EPOCH",
        help="stop after this epoch of the schedule; a later command goes on",
    )
    trials = made.add_argument_group("trials of a study, in place of one run")
    trials.add_argument(
        "--trials",
        metavar="FILE",
        help="trials.jsonl as run_study.py --plan --out DIR writes it; of the fields only --dataset and --weights serve",
    )
    trials.add_argument(
        "--records",
        metavar="FILE",
        help="takes a record of each; the same command goes on, run_study.py --adopt FILE takes it in",
    )
    trials.add_argument(
        "--at-once",
        type=int,
        default=1,
        metavar="N",
        help="trials that run side by side, on one GPU say (default: 1)",
    )
    trials.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="of each trial on a CPU; a study gives each core a trial (default: 1)",
    )
    group = made.add_argument_group("fields of the run")
    for field in fields(Config):
        allowed = ", ".join(TABLES.get(field.name, ()))
        meaning = " | ".join(part for part in (field.metadata["meaning"], allowed) if part)
        shown = field.default if field.default != "" else "none"
        told = f"{meaning} (default: {shown})".replace("%", "%%")
        group.add_argument(
            option(field.name), default=None, metavar="VALUE", help=told, dest=field.name
        )
    return made


def option(name: str) -> str:
    """A field's option."""
    return "--" + name.replace("_", "-")


def with_dashes(words: list[str]) -> list[str]:
    """The command's words; an option may be written as its field."""
    known = {f"--{field.name}": option(field.name) for field in fields(Config)}
    parts = [word.partition("=") for word in words]
    return [known.get(name, name) + sign + value for name, sign, value in parts]


def values_of(command: argparse.Namespace) -> dict[str, Any]:
    """The fields that the command sets, each as its type.

    Raises:
        ValueError: a number was expected and something else came.
    """
    values: dict[str, Any] = {}
    for field in fields(Config):
        if (word := getattr(command, field.name)) is None:
            continue
        kind: Any = type(field.default)
        try:
            values[field.name] = kind("" if word == "none" and field.default == "" else word)
        except ValueError:
            raise ValueError(
                f"{option(field.name)} must be {'a whole number' if kind is int else 'a number'}; got {word!r}"
            ) from None
    return values


def identity_of(config: Config, fingerprint: str) -> dict[str, Any]:
    """What makes a run this one: its fields, its data and the number of workers."""
    return {**config.to_dict(), "data": fingerprint, "workers": distributed.count()}


def folder_of(identity: dict[str, Any], out: str | None) -> Path:
    """Where a run is kept, by default under the hash of its identity."""
    short = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    return Path(out) if out else Path("runs") / f"{identity['dataset']}-{short}"


def lock(folder: Path) -> IO[str]:
    """An open file that no other run holds; closing it lets go.

    Raises:
        ValueError: another run writes into the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / "lock", "w")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ValueError(
            f"{folder} is being written by another run; wait for it, or name another folder with --out"
        ) from None
    return file


def claim(folder: Path, identity: dict[str, Any]) -> None:
    """Leaves the identity in the folder's config.json, or finds it there.

    Raises:
        ValueError: the folder holds a run with other fields, other data or another number of workers; they are named.
    """
    file = folder / "config.json"
    if file.exists():
        kept = read_identity(file)
        other = [
            f"{name} {kept.get(name)!r}, not {value!r}"
            for name, value in identity.items()
            if kept.get(name) != value
        ]
        if other:
            raise ValueError(
                f"--out must be a folder of its own for each run; {folder} holds one with {', '.join(other)}"
            )
        return
    draft = file.with_name(f"config.json.{os.getpid()}")
    draft.write_text(json.dumps(identity, indent=1))
    draft.replace(file)


def read_identity(file: Path) -> dict[str, Any]:
    """What a folder's config.json says.

    Raises:
        ValueError: it cannot be read as such.
    """
    try:
        kept = json.loads(file.read_text())
    except (OSError, ValueError):
        kept = None
    if not isinstance(kept, dict):
        raise ValueError(
            f"{file} must hold the fields of the run; it cannot be read. Name another folder with --out, or remove this one"
        )
    return kept


def line(row: dict[str, Any], epochs: int) -> str:
    """One epoch in a line."""
    parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['loss']:.3f}"]
    if "chance_loss" in row:
        accuracy = (
            "queue filling"
            if math.isnan(row["contrastive_accuracy"])
            else f"contrastive {row['contrastive_accuracy']:.1%}"
        )
        parts += [
            f"of {row['chance_loss']:.2f}",
            accuracy,
            f"rank {row['projection_rank']:.0f}",
            f"drift {row['key_drift']:.1%}",
        ]
    else:
        parts.append(f"training accuracy {row['training_accuracy']:.1%}")
    parts += [f"kNN {row['knn_accuracy']:.1%}"] if row["knn_accuracy"] is not None else []
    return "  ".join([*parts, f"lr {row['lr']:.2g}", f"{row['images_per_second']:,.0f} images/s"])


def lines_of(result: dict[str, Any], config: Config, images: int, folder: Path) -> list[str]:
    """The result in words; `images` were scored."""
    setting = (
        f"lr {result['probe_lr']:g}"
        if result["probe_lr"] is not None
        else f"L2 {result['probe_l2']:g}"
    )
    edge = ", the edge of what was tried" if result["probe_at_edge"] else ""
    near = f"k {config.knn_neighbours}, temperature {config.knn_temperature:g}"
    top5 = f"top-5 {result['probe_top5_accuracy']:.2%}"
    said = [f"Accuracy on the {config.score_split} split, {images:,} images"]
    said.append(
        f"  linear probe    {result['probe_accuracy']:.2%}, {top5} ({setting}{edge}; chosen on validation)"
    )
    said.append(
        f"  kNN             {result['knn_accuracy']:.2%} on the backbone's features ({near})"
    )
    if result["knn_projection_accuracy"] is not None:
        said.append(f"                  {result['knn_projection_accuracy']:.2%} on the projections")
    if "supervised_accuracy" in result:
        said.append(f"  supervised      {result['supervised_accuracy']:.2%}")
    if "finetune_accuracy" in result:
        said.append(
            f"  fine-tuned      {result['finetune_accuracy']:.2%} ({config.finetune_epochs} epochs, lr {config.finetune_lr:g}; a copy, not kept)"
        )
    said.append(
        f"Effective rank of the features {result['effective_rank']:.1f} of {result['feature_size']}"
    )
    maps = (
        [
            f"Attention maps of {config.pictures} images, as PNGs with weights: {folder / 'pictures.json'}"
        ]
        if config.pictures
        else []
    )
    return [*said, *result["remarks"], *maps, f"Encoder, confusion matrix and numbers: {folder}"]


def strict(row: dict[str, Any]) -> str:
    """A line of JSON that any parser reads: what is no number becomes null."""
    return json.dumps(
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
    )
