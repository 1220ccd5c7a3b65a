"""Which columns of a table say what: named by the command, or guessed and said."""

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.text import join_words

NONE = "none"  # of --by: the runs are not paired
# usual names, tried in this order, also as the last part of a name such as config.seed
COMPARED = ("arm", "optimizer", "method", "algorithm", "algo", "model", "variant", "group")
PAIRED = ("seed", "random_seed", "random_state", "run_seed", "fold", "replicate", "repeat")
MEASURED = (
    "test_accuracy",
    "accuracy",
    "test_acc",
    "acc",
    "val_accuracy",
    "val_acc",
    "f1",
    "auc",
    "reward",
    "return",
    "value",
    "score",
    "loss",
)
STEPS = ("epoch", "step", "_step", "global_step", "iteration", "training_iteration")
STATES = ("state", "status")
RUNS = ("run", "run_id", "run_name", "id", "name", "trial", "number")
ANYTHING = ("id", "name", "number")  # of these, which may also name an arm
# words of a metric's name that say that a lower one is better, and that it is a share
LOWER = {
    "loss", "err", "error", "errors", "perplexity", "ppl", "mse", "rmse", "mae", "nll", "regret",
    "fid", "drop", "gap", "wer", "cer", "cost", "latency", "time", "seconds", "memory",
}  # fmt: skip
SHARE = {"acc", "accuracy", "top1", "top5", "precision", "recall", "f1"}
BASELINES = ("baseline", "default", "control", "reference", "sgd")


class Columns(NamedTuple):
    """The columns that count."""

    compare: str
    by: str  # empty: not paired
    metric: str
    stage: str  # that --stage chose among; empty: none
    step: str  # several rows a run; empty: none
    state: str  # how a run ended; empty: none
    run: str  # tells runs apart where they are not paired; empty: none
    guessed: list[str]  # sentences

    @property
    def told_apart_by(self) -> str:
        """The column that tells an arm's runs apart; empty: each row is one."""
        return self.by or self.run


def choose_columns(
    frame: pd.DataFrame, *, compare: str | None, by: str | None, metric: str | None
) -> Columns:
    """The columns that the command names, the others by their usual names.

    Raises:
        StudyError: a column is not there, or none has a usual name.
    """
    guessed: list[str] = []

    def choose(option: str, given: str | None, usual: Sequence[str], among: Sequence[str]) -> str:
        if given is not None:
            return find_column(frame, given, option)
        found = guess_column(among, usual)
        if not found and option != "--by":
            raise StudyError(
                f"{option} must name a column{' of numbers' if option == '--metric' else ''}, one "
                f"of {', '.join(map(str, frame.columns))}; none of a usual name is there"
            )
        if found:
            guessed.append(f"{option} {found}")
        return found

    names = list(frame.columns)
    compared = choose("--compare", compare, COMPARED, names)
    numeric = [name for name in names if is_numeric(frame[name]) and name != compared]
    measured = choose("--metric", metric, MEASURED, numeric)
    if not pd.to_numeric(frame[measured], errors="coerce").notna().any():
        shown = next(iter(frame[measured].dropna().astype(str)), "")
        comma = " (a decimal comma? write 0.80)" if re.fullmatch(r"-?\d+,\d+", shown) else ""
        raise StudyError(
            f"--metric must name a column of numbers; {measured} holds {shown!r}{comma}"
            if shown
            else f"--metric must name a column of numbers; {measured} is empty"
        )
    left = [name for name in names if name not in (compared, measured)]
    paired = "" if by == NONE else choose("--by", by, PAIRED, left)
    if len({compared, measured, paired}) < 3:
        raise StudyError("--compare, --metric and --by must name three columns")
    left = [name for name in left if name != paired]
    found = {
        "stage": guess_column(left, ("stage", "split", "phase")),
        "step": guess_column(left, STEPS),
        "state": guess_column(left, STATES),
        "run": guess_column(left, RUNS),
    }
    if any(is_last_part(found["run"], name) for name in ANYTHING):
        runs_of_arm = frame.groupby(compared)[found["run"]].nunique()
        found["run"] = found["run"] if runs_of_arm.max() > 1 else ""
    guessed += [f"{what} {name}" for what, name in found.items() if name and what != "run"]
    sentences = [f"Columns by their names: {', '.join(guessed)}."] if guessed else []
    return Columns(
        compare=compared,
        by=paired,
        metric=measured,
        **found,
        guessed=sentences,
    )


def find_column(frame: pd.DataFrame, name: str, option: str) -> str:
    """The column of that name, in any case, or the only one whose last part it is.

    Raises:
        StudyError: there is none, or several.
    """
    names = [str(one) for one in frame.columns]
    if name in names:
        return name
    same = [one for one in names if one.lower() == name.lower()]
    found = same or [one for one in names if is_last_part(one, name)]
    if len(found) == 1:
        return found[0]
    which = f"{join_words(found)} all end so" if found else f"there is no {name!r}"
    raise StudyError(f"{option} must name one column of {', '.join(names)}; {which}")


def is_last_part(column: str, name: str) -> bool:
    """Whether a column is that of a name with what a tool puts before it: params.lr, params_lr."""
    return bool(re.search(rf"(^|[._/]){re.escape(name)}$", column, re.I))


def guess_column(names: Sequence[str], usual: Sequence[str]) -> str:
    """The first usual name that is there, also as a last part; empty where none is."""
    for wanted in usual:
        if exact := [name for name in names if name.lower() == wanted]:
            return exact[0]
    for wanted in usual:
        if ending := [name for name in names if is_last_part(name, wanted)]:
            return ending[0]
    return ""


def is_numeric(column: "pd.Series[Any]") -> bool:
    """Whether most of a column's values are numbers."""
    try:
        return bool(pd.to_numeric(column, errors="coerce").notna().mean() > 0.5)
    except OverflowError:  # a whole number beyond every float
        raise StudyError(
            f"the numbers of {column.name} must be such that a float can hold; one is larger"
        ) from None


def is_lower_better(metric: str) -> bool:
    """Whether a metric's name is that of a loss or an error."""
    return bool(LOWER & name_words(metric))


def name_words(name: str) -> set[str]:
    """The words of a column's name, in small letters: val_topOne has val, top and one."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    words = re.findall(r"[a-z0-9]+", parts)
    return {*words, *(a + b for a, b in itertools.pairwise(words) if a == "top")}


def is_share(metric: str) -> bool:
    """Whether a metric is a share by its name."""
    return bool(SHARE & name_words(metric))


def share_scale(metric: str, values: Sequence[float]) -> float:
    """What makes percent of a metric that is a share by its name; 0 where it is none."""
    finite = [value for value in values if np.isfinite(value)]
    if not finite or not is_share(metric) or min(finite) < 0 or max(finite) > 100:
        return 0.0
    return 100.0 if max(finite) <= 1 else 1.0


def choose_reference(arms: Sequence[str], given: str | None) -> tuple[str, bool]:
    """The arm that others are compared with, and whether the command named it.

    Raises:
        StudyError: it names none of the arms.
    """
    if given is None:
        usual = [arm for name in BASELINES for arm in arms if arm.lower() == name]
        return (usual or list(arms))[0], False
    found = [arm for arm in arms if arm == given] or [
        arm for arm in arms if arm.lower() == given.lower()
    ]
    if len(found) != 1:
        raise StudyError(f"--reference must be one of {', '.join(arms)}; got {given!r}")
    return found[0], True
