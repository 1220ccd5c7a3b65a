"""The command line of a study."""

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import shtab

from study.config_file import merge_words, read_config
from study.errors import StudyError
from study.options import Options
from study.typed import clip

Add = Callable[..., Any]
NO_OPTIONS = {"words", "code", "modules", "program"}  # of Options
# options that a shell completes as files or folders
COMPLETED = {
    **dict.fromkeys(("config", "space", "weights", "records", "adopt", "trials"), shtab.FILE),
    **dict.fromkeys(("dataset", "data_dir", "out"), shtab.DIRECTORY),
}
FIELDS = [field.name for field in fields(Options) if field.name not in NO_OPTIONS]


class Parser(argparse.ArgumentParser):
    """One that complains in a sentence."""

    def error(self, message: str) -> NoReturn:
        name, _, rule = message.removeprefix("argument ").partition(": must ")
        sentence = f"{name} must {rule}" if rule else message
        self.exit(2, f"{self.prog}: {sentence}; see {self.prog} --help\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse what is none of an option's choices in the words of all other sentences."""
        if action.choices is not None and value not in action.choices:
            names = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(action, f"must be one of {names}; got {value!r}")


def whole(text: str) -> int:
    """The whole number of a word.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number; got {clip(text)}") from None


def number(text: str) -> float:
    """The number of a word.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number; got {clip(text)}") from None


def parse_command(words: list[str], spaces: list[str], program: str) -> Options:
    """The options of a command; those of a file that --config names come before its own.

    Args:
        spaces: names of the spaces that there are.
        program: how the command is called, as "python run_study.py".

    Raises:
        StudyError: an option cannot be meant.
    """
    parser = build_parser(spaces, program)
    check_empty(words)
    if {"--higher", "--lower"} <= set(words):
        raise StudyError("--higher and --lower exclude each other; give the one that is better")
    values: dict[str, Any] = vars(parser.parse_args(words))
    if config := values["config"]:
        values = vars(parser.parse_args(merge_words(read_config(config, FIELDS), words)))
    values = {name: values[name] for name in FIELDS}
    values |= {name: tuple(values[name]) for name in ("set", "range", "adopt", "compare", "export")}
    return Options(**values, words=tuple(words), program=program)


def check_empty(words: list[str]) -> None:
    """Check that no word of a command is empty, as an unset variable of a shell leaves it.

    Raises:
        StudyError: one is.
    """
    option = "an argument"
    for word in words:
        option = word.partition("=")[0] if word.startswith("--") else option
        if not word or word == f"{option}=":
            raise StudyError(f"{option} must not be empty; got ''")


def build_parser(spaces: list[str], program: str) -> argparse.ArgumentParser:
    """All options; the command carries no hyperparameter of its own."""
    parser = Parser(
        prog=program.split()[-1],
        allow_abbrev=False,
        description="Answer one question: run or resume the study of a search space, then write "
        "its report.",
    )
    add_question(parser.add_argument_group("the question").add_argument, spaces)
    add_budget(parser.add_argument_group("the budget").add_argument)
    add_actions(parser.add_argument_group("instead of running").add_argument)
    add_judging(parser.add_argument_group("runs that were made elsewhere").add_argument)
    add_places(parser.add_argument_group("where trials run").add_argument)
    add_exchange(parser.add_argument_group("trials on machines without Ray").add_argument)
    shell = parser.add_argument_group("the shell")
    shtab.add_argument_to(shell, "--print-completion", "print the completion for a shell")
    for action in parser._actions:
        if kind := COMPLETED.get(action.dest):
            action.complete = kind  # type: ignore[attr-defined]
    return parser


def add_question(add: Add, spaces: list[str]) -> None:
    """What is asked, on which data, and where it is kept."""
    add(
        "--space",
        metavar="NAME|FILE",
        help=f"the question: {', '.join(spaces)}, a Python file that holds a SPACE, "
        "or module:object",
    )
    add(
        "--config",
        metavar="FILE",
        type=Path,
        help="a TOML file of any of these options, with tables [set] and [range], as each study "
        "leaves one in its folder, study.toml; what the command says counts before it",
    )
    add(
        "--profile",
        choices=("quick", "small", "full"),
        help="quick: bundled data, minutes on two cores; small: CIFAR-10, some hours on "
        "two cores; full: the whole dataset, one or more GPUs. Default: quick without a GPU, full "
        "with one",
    )
    add(
        "--dataset",
        metavar="NAME|FOLDER",
        help="digits or shapes (bundled), cifar10, cifar100, stl10, svhn, a folder of images (as "
        "train/<class>/* and test/<class>/*; docs/own.md has more), an .npz file, or a function of "
        "your own, as my_module:photographs. Default: the profile's",
    )
    add(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=Path("data"),
        help="downloads and decoded data (default: data)",
    )
    add(
        "--out",
        metavar="DIR",
        help="the study's folder, or an address such as s3://bucket/study (default: "
        "results/<space>-<profile>, with your dataset's name appended)",
    )
    add(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override a field of every trial, but not what the report's setting fixes; "
        "arms=NAME,NAME or arms=all selects arms; recorded in the plan; repeatable",
    )
    add(
        "--range",
        metavar="NAME=LOW..HIGH",
        action="append",
        default=[],
        help="search an arm between other values, as sgd=0.01..1; an arm of your own, named "
        "module:object in --set arms, needs it; repeatable",
    )
    add(
        "--weights",
        metavar="NAME|FILE",
        help="where training begins unless an arm says otherwise: published weights by the name "
        "that the trainer has for them, downloaded once into --data-dir, or a file (default: "
        "random)",
    )


def add_budget(add: Add) -> None:
    """How much is run."""
    add(
        "--searches",
        metavar="N",
        type=whole,
        help="independent searches of each arm, the units of the comparison",
    )
    add(
        "--trials",
        metavar="N",
        help="trials of each search and arm; with --records a FILE of trials",
    )
    add(
        "--seeds",
        metavar="N",
        type=whole,
        help="final seeds of each arm, or of each of its searches",
    )
    add(
        "--replica",
        action="store_true",
        help="run the report's own setting on your own images too, where it is otherwise left out",
    )
    add(
        "--until-decided",
        metavar="MOST",
        type=whole,
        help="while undecided go on to at most so many searches (or seeds, where no search is "
        "repeated), in analyses that are fixed before the first run and share the error rate",
    )
    add(
        "--max-hours",
        metavar="H",
        type=number,
        default=0.0,
        help="wall time after which the study stops; run the same command to continue",
    )


def add_actions(add: Add) -> None:
    """What is done instead of running the study."""
    add(
        "--plan",
        action="store_true",
        help="print trials, cost and detectable difference, with --out write trials.jsonl there",
    )
    add("--report", action="store_true", help="redraw the report from the records")
    add(
        "--check",
        metavar="CLAIM",
        help="print the verdict on a claim, as primary, of a study that is there; exit code 0 "
        "supported, 3 contradicted, 4 undecided, 5 not testable, 6 no difference that matters",
    )
    add(
        "--verify",
        action="store_true",
        help="say whether a study's folder is as it was written: plan, records, their order, page; "
        "exit code 0 whole, 1 not",
    )
    add(
        "--export",
        nargs=2,
        metavar=("KIND", "DIR"),
        default=[],
        help="write a study for a paper: latex (tables, methods, deviations, references), csv, or "
        "svg (every figure, also as PDF)",
    )
    add("--list", action="store_true", help="list the spaces and their questions")


def add_judging(add: Add) -> None:
    """Runs of any program, judged as a study's are."""
    add(
        "--judge",
        metavar="RUNS",
        help="judge runs: a CSV, Parquet or JSON-lines file, a W&B export, an MLflow or Optuna "
        "database as sqlite:///runs.db, or a folder of TensorBoard's event files",
    )
    add(
        "--compare",
        metavar="COLUMN|DIR",
        nargs="+",
        default=[],
        help="with --judge the column whose values are compared, as optimizer; without it the "
        "folders of two or more studies, which are put side by side",
    )
    add("--reference", metavar="VALUE", help="the value that others are compared with")
    add(
        "--by",
        metavar="COLUMN",
        help="the column that pairs runs, as seed; none: compare them without pairs",
    )
    add("--metric", metavar="COLUMN", help="the column that is compared, as accuracy")
    add("--stage", metavar="STAGE", help="only rows with this in a column stage, split or phase")
    better = "%s values of the metric are better (default: by its name)"
    add("--higher", action="store_const", const=True, help=better % "higher")
    add("--lower", dest="higher", action="store_const", const=False, help=better % "lower")
    add(
        "--delta",
        metavar="X",
        type=number,
        help="smallest difference that matters (default: 0.5 points of a share, else 0)",
    )


def add_places(add: Add) -> None:
    """Where trials run, what each gets, and who else is told of them; no part of the plan."""
    add(
        "--address",
        metavar="ADDR",
        default="",
        help="an existing Ray cluster: auto, HOST:PORT or ray://HOST:PORT (default: this machine)",
    )
    add(
        "--workers",
        metavar="N",
        type=whole,
        default=1,
        help="data-parallel Ray Train workers of each trial (default: 1)",
    )
    add(
        "--cores",
        metavar="N",
        type=whole,
        default=1,
        help="CPU cores of each worker (default: 1)",
    )
    add(
        "--gpus",
        metavar="X",
        type=number,
        help="GPUs of each worker: 1, a share such as 0.25 for four trials at once on each, or 0 "
        "(default: measured before the first trial, 0 without a GPU)",
    )
    add(
        "--mlflow",
        metavar="URI",
        default="",
        help="log each trial to MLflow: sqlite:////abs/mlflow.db, http://...",
    )
    add(
        "--wandb",
        metavar="PROJECT",
        default="",
        help="log each trial to Weights & Biases; WANDB_MODE=offline keeps it on this machine",
    )


def add_exchange(add: Add) -> None:
    """Trials as data."""
    add(
        "--records",
        metavar="FILE",
        type=Path,
        help="run the trials of the file that --trials names, and write their records here",
    )
    add(
        "--at-once",
        metavar="N",
        type=whole,
        default=1,
        help="of those, trials that run side by side, on one GPU say (default: 1)",
    )
    add(
        "--adopt",
        metavar="FILE",
        action="append",
        type=Path,
        default=[],
        help="add records of trials that ran elsewhere; repeatable",
    )
