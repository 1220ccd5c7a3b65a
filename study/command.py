"""The command line's words, and the profile and overrides that they stand for."""

import argparse
import json
import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from study.design.space import Profile, Space
from study.errors import StudyError


def parser(spaces: list[str]) -> argparse.ArgumentParser:
    """All options of run_study.py; it carries no hyperparameter of its own."""
    words = argparse.ArgumentParser(
        prog="run_study.py",
        allow_abbrev=False,
        description="Answers one question about MoCo on small images: run or resume the study of a search space, then write its report.",
    )
    option = words.add_argument
    option("--space", metavar="NAME", help=f"the question: {', '.join(spaces)}")
    sizes = "quick: bundled images, minutes on two cores; small: real images, about an hour on a laptop; full: the whole dataset, one or more GPUs"
    option(
        "--profile",
        choices=("quick", "small", "full"),
        help=f"{sizes}. Default: quick without a GPU, full with one",
    )
    option(
        "--dataset",
        metavar="NAME|FOLDER",
        help="digits or shapes (bundled), cifar10, cifar100, stl10, svhn, or a folder of train/<class>/* and test/<class>/*. Default: the profile's",
    )
    option(
        "--data-dir",
        metavar="DIR",
        default="data",
        help="downloads and decoded images (default: data)",
    )
    option(
        "--out",
        metavar="DIR",
        help="the study's folder, or an address such as s3://bucket/study (default: results/<space>-<profile>, your dataset's name behind it)",
    )
    add_places(words)
    option(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override a field of every trial, but not what the report's setting fixes; arms=NAME,NAME or arms=all: which arms; recorded; repeatable",
    )
    weights = "published weights, fair-moco-v1, fair-moco-v2 or torchvision, downloaded once into --data-dir, or a file"
    option(
        "--weights",
        metavar="NAME|FILE",
        help=f"what encoders begin from where an arm does not say otherwise: {weights} (default: random)",
    )
    option("--trials", metavar="N", type=int, help="search trials of each arm")
    option("--seeds", metavar="N", type=int, help="final seeds of each arm")
    option(
        "--max-hours",
        metavar="H",
        type=float,
        default=0.0,
        help="wall time after which the study stops, to be resumed",
    )
    option(
        "--plan",
        action="store_true",
        help="print trials, cost and detectable difference, with --out leave trials.jsonl there; run nothing",
    )
    option(
        "--adopt",
        metavar="FILE",
        action="append",
        default=[],
        help="take in records of trials that ran elsewhere; repeatable",
    )
    option("--report", action="store_true", help="redraw the report from the records; run nothing")
    option("--list", action="store_true", help="the spaces and their questions")
    return words


def add_places(words: argparse.ArgumentParser) -> None:
    """Where trials run, what each gets, and who else hears of them: none of it is part of the plan but the number of workers."""
    option = words.add_argument
    option(
        "--address",
        metavar="ADDR",
        default="",
        help="an existing Ray cluster: auto, HOST:PORT or ray://HOST:PORT (default: this machine)",
    )
    option(
        "--workers",
        metavar="N",
        type=int,
        default=1,
        help="data-parallel Ray Train workers of each trial (default: 1)",
    )
    option(
        "--cores", metavar="N", type=int, default=1, help="CPU cores of each worker (default: 1)"
    )
    shares = "GPUs of each worker: 1, a share such as 0.25 for four trials at once on each, or 0"
    option(
        "--gpus",
        metavar="X",
        type=float,
        help=f"{shares} (default: what a measurement before the first trial says, 0 without one)",
    )
    option(
        "--mlflow",
        metavar="URI",
        default="",
        help="tell an MLflow of each trial: sqlite:////abs/mlflow.db, http://...",
    )
    option(
        "--wandb",
        metavar="PROJECT",
        default="",
        help="tell Weights & Biases of each trial; WANDB_MODE=offline keeps it here",
    )


def overrides_of(pairs: list[str]) -> dict[str, Any]:
    """The fields of --set KEY=VALUE; a value that is not JSON is a word.

    Raises:
        StudyError: a pair has no equals sign.
    """
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise StudyError(f"--set takes KEY=VALUE; got {pair!r}")
        if name in fields:
            raise StudyError(f"--set takes each field once; got {name} twice")
        try:
            fields[name] = json.loads(text)
        except (ValueError, RecursionError):
            fields[name] = text
    if not isinstance(fields.get("arms", ""), str):
        raise StudyError(f"--set arms takes names joined by commas, or all; got {fields['arms']!r}")
    return fields


def begun_from(
    weights: str | None,
    space: Space,
    overrides: dict[str, Any],
    published: Collection[str],
    given: str,
) -> tuple[dict[str, Any], str]:
    """The overrides with --weights, where it says what every encoder begins from: unless an arm names those weights, or takes a given file.

    Args:
        published: names of published weights; any other word is a file.
        given: what the field says in place of a file, which may move.

    Returns:
        The overrides, and the weights that are for no arm of that name; empty: none.

    Raises:
        StudyError: it is empty, or --set says something else.
    """
    if weights == "":
        raise StudyError(f"--weights must be one of {', '.join(published)}, or a file; got ''")
    if weights is not None and overrides.get("weights", weights) != weights:
        raise StudyError("--set weights and --weights must be the same; give one of them")
    named = [arm.values.get("weights") for arm in space.arms]
    if weights is None and "weights" in overrides and any(named):
        raise StudyError(
            f"--set weights would give its file to every arm of {space.name}, whose arms are about weights; use --weights"
        )
    wished = overrides.get("weights", weights) or ""
    if weights is not None and weights in named:
        return overrides, ""
    if not wished or (weights is not None and given in named):
        return overrides, wished
    return {**overrides, "weights": wished if wished in published else given}, wished


def sizes_of(space: Space, profile: str, trials: int | None, seeds: int | None) -> Profile:
    """The profile's sizes with the command's budget.

    Raises:
        StudyError: the space has no such profile, or a budget below 1.
    """
    if profile not in space.profiles:
        raise StudyError(
            f"{space.name} has the profiles {', '.join(space.profiles)}; got {profile!r}"
        )
    sizes = space.profiles[profile]
    if trials is not None and not sizes.search_trials:
        raise StudyError(
            f"--trials is for spaces that search; {space.name} tunes nothing for an arm, give --seeds"
        )
    for word, count in (("--trials", trials), ("--seeds", seeds)):
        if count is not None and count < 1:
            raise StudyError(f"{word} must be 1 or more; got {count}")
    return replace(
        sizes, search_trials=trials or sizes.search_trials, final_seeds=seeds or sizes.final_seeds
    )


def check_numbers(command: argparse.Namespace) -> None:
    """That the options which are no part of the plan can be meant.

    Raises:
        StudyError: one cannot.
    """
    for name in ("workers", "cores"):
        if getattr(command, name) < 1:
            raise StudyError(f"--{name} must be 1 or more; got {getattr(command, name)}")
    if command.workers > 1 and (command.adopt or (command.plan and command.out)):
        raise StudyError(
            "--plan with --out, and --adopt, are for trials of one worker: elsewhere each runs in one process; leave out --workers"
        )
    if command.gpus is not None and not (0 <= command.gpus <= 1):
        raise StudyError(
            f"--gpus must lie in [0, 1], since a worker uses one GPU at most; got {command.gpus:g}"
        )
    if command.gpus not in (None, 0, 1) and command.workers > 1:
        raise StudyError(
            f"--gpus must be 0 or 1 where a trial has several workers; got {command.gpus:g} with --workers {command.workers}"
        )
    if not 0 <= command.max_hours < math.inf:
        raise StudyError(f"--max-hours must be 0 (no limit) or more; got {command.max_hours}")


def lasting(words: list[str]) -> list[str]:
    """The words of a command without those that were meant once: what runs the study again."""
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word != "--plan" and not word.startswith("--adopt"):
            kept.append(word)
        skip = word == "--adopt"
    return kept
