"""The command line of one training run: every field of a Config is an option."""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NoReturn

from moco.config import TYPES, Config, option_of
from moco.data.datasets import DATASETS
from moco.data.recipes import RECIPES
from moco.export import UNKNOWN
from moco.model.encoder import ENCODERS
from moco.training.optimizers import OPTIMIZERS

ABOUT = """Trains and evaluates one encoder, without a study and without Ray. Run the same command
again to continue.

  python -m moco --dataset cifar10 --epochs 200                   MoCo, then kNN and linear probe
  python -m moco --method frozen --weights runs/x/encoder.pt      kNN and linear probe alone
  python -m moco --method supervised --score-split test           the ceiling: trained on labels
  torchrun --nproc-per-node 2 -m moco --dataset data/photos       two data-parallel workers"""
INSTALLED = "moco-pretrain"
METAVARS = {int: "N", float: "X", str: "NAME"}
TABLES: dict[str, Iterable[str]] = {  # names that a field takes from a table
    "dataset": [
        *DATASETS,
        "a folder of images, also without labels",
        "an .npz file",
        "module:function",
    ],
    "encoder": ENCODERS,
    "optimizer": OPTIMIZERS,
    "views": ["auto", *RECIPES],
}


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def program_name() -> str:
    """How the command was called: as it was installed, or as a module."""
    called = Path(sys.argv[0]).name
    return INSTALLED if called.startswith(INSTALLED) else "python -m moco"


def build_parser() -> argparse.ArgumentParser:
    """The options that are no fields of a Config, then one option a field."""
    parser = Parser(
        program_name(),
        "%(prog)s [--FIELD VALUE ...]",
        ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir",
        default="data",
        metavar="DIR",
        help="folder of downloads and of the cache of decoded datasets (default: data)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="checkpoint, encoder and results (default: runs/<dataset>-<hash of fields and data>)",
    )
    parser.add_argument(
        "--until",
        default="0",
        metavar="EPOCH",
        help="stop after this epoch of the schedule; a later command continues",
    )
    parser.add_argument(
        "--license",
        metavar="NAME",
        help=f"licence of the data, for the model card (default: {UNKNOWN})",
    )
    group = parser.add_argument_group("fields of the run")
    for field in fields(Config):
        group.add_argument(
            flag(field.name),
            default=None,
            metavar=METAVARS[type(field.default)],
            help=field_help(field).replace("%", "%%"),
            dest=field.name,
        )
    add_completion(parser)
    return parser


def add_completion(parser: argparse.ArgumentParser) -> None:
    """The option that prints the completion for a shell, where shtab is installed."""
    try:
        import shtab
    except ImportError:
        return
    shell = parser.add_argument_group("the shell")
    shtab.add_argument_to(shell, "--print-completion", "print the completion for a shell")
    kinds = dict.fromkeys(("dataset", "data_dir", "out"), shtab.DIRECTORY)
    for action in parser._actions:
        if kind := {**kinds, "weights": shtab.FILE}.get(action.dest):
            action.complete = kind  # type: ignore[attr-defined]


def field_help(field: Field[Any]) -> str:
    """Meaning, unit, choices and default of a field of Config."""
    option = option_of(field)
    meaning = f"{option.help} [{option.unit}]" if option.unit else option.help
    allowed = ", ".join(TABLES.get(field.name, option.choices))
    default = field.default if field.default != "" else "none"
    return f"{meaning}{' | ' if allowed else ''}{allowed} (default: {default})"


def flag(name: str) -> str:
    """The command line's option for a field."""
    return "--" + name.replace("_", "-")


def normalize_words(words: list[str]) -> list[str]:
    """The command's words with --batch_size, a field's own name, as --batch-size."""
    flags = {f"--{field.name}": flag(field.name) for field in fields(Config)}
    parts = [word.partition("=") for word in words]
    return [flags.get(name, name) + sign + value for name, sign, value in parts]


def parse_fields(command: argparse.Namespace) -> dict[str, Any]:
    """The fields that the command sets, each as its type.

    Raises:
        ValueError: a number was expected and something else came.
    """
    values: dict[str, Any] = {}
    for field in fields(Config):
        if (word := getattr(command, field.name)) is None:
            continue
        word = "" if word == "none" and field.default == "" else word
        values[field.name] = parse_word(flag(field.name), word, type(field.default))
    return values


def parse_word(name: str, word: str, kind: Any) -> Any:
    """The value of an option's word.

    Raises:
        ValueError: it is of another kind.
    """
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"{name} must be {TYPES[kind]}; got {word!r}") from None


def epoch_line(row: dict[str, Any], epochs: int) -> str:
    """One epoch in a line."""
    parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['loss']:.3f}"]
    if "chance_loss" in row:
        contrastive = f"contrastive {row['contrastive_accuracy']:.1%}"
        parts += [
            f"of {row['chance_loss']:.2f}",
            "queue filling" if math.isnan(row["contrastive_accuracy"]) else contrastive,
            f"rank {row['projection_rank']:.0f}",
            f"drift {row['key_drift']:.1%}",
        ]
    else:
        parts.append(f"training accuracy {row['training_accuracy']:.1%}")
    if row["knn_accuracy"] is not None:
        parts.append(f"kNN {row['knn_accuracy']:.1%}")
    return "  ".join([*parts, f"lr {row['lr']:.2g}", f"{row['images_per_second']:,.0f} images/s"])


def result_lines(result: dict[str, Any], config: Config, images: int, folder: Path) -> list[str]:
    """The result in words; `images` were scored."""
    rank = f"{result['effective_rank']:.1f} of {result['feature_size']}"
    ending = [f"Effective rank of the features {rank}", *result["remarks"]]
    if result["probe_accuracy"] is None:
        return [*unlabelled_lines(result), *ending, f"Encoder and numbers: {folder}"]
    where = "pixels" if config.method == "pixels" else "backbone's features"
    by_rate = result["probe_lr"] is not None
    setting = f"lr {result['probe_lr']:g}" if by_rate else f"L2 {result['probe_l2']:g}"
    edge = ", the edge of what was tried" if result["probe_at_edge"] else ""
    near = f"k {config.knn_neighbours}, temperature {config.knn_temperature:g}"
    top5 = f"top-5 {result['probe_top5_accuracy']:.2%}"
    lines = [
        f"Accuracy on the {config.score_split} split, {images:,} images",
        f"  linear probe    {result['probe_accuracy']:.2%}, {top5} "
        f"({setting}{edge}; chosen on validation)",
        f"  kNN             {result['knn_accuracy']:.2%} on the {where} ({near})",
    ]
    if result["knn_projection_accuracy"] is not None:
        lines.append(
            f"                  {result['knn_projection_accuracy']:.2%} on the projections"
        )
    if "supervised_accuracy" in result:
        lines.append(f"  supervised      {result['supervised_accuracy']:.2%}")
    if "finetune_accuracy" in result:
        lines.append(
            f"  fine-tuned      {result['finetune_accuracy']:.2%} ({config.finetune_epochs} "
            f"epochs, lr {config.finetune_lr:g}; a copy, not saved)"
        )
    lines += ending
    if config.pictures:
        file = folder / "pictures.json"
        lines.append(f"Attention maps of {config.pictures} images, as PNGs with weights: {file}")
    encoder = "Confusion" if config.method == "pixels" else "Encoder, confusion"
    return [*lines, f"{encoder} matrix and numbers: {folder}"]


def unlabelled_lines(result: dict[str, Any]) -> list[str]:
    """The result of pretraining on images without labels."""
    return [
        f"No labels, so no accuracy; loss {result['loss']:.3f} nats, contrastive accuracy "
        f"{result['contrastive_accuracy'] or math.nan:.1%}",
        f"Alignment {result['alignment']:.3f}, uniformity {result['uniformity']:.3f} (Wang and "
        "Isola 2020)",
    ]


def strict_json(row: dict[str, Any]) -> str:
    """A line of JSON that any parser reads: infinite numbers and NaN become null."""

    def finite(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps({name: finite(value) for name, value in row.items()})
