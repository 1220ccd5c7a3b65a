"""A study as a TOML file: any option of the command, and any field in tables set and range.

space = "optimizers"
profile = "small"

[set]
epochs = 8

[range]
sgd = [0.01, 1.0]
"""

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.files import read_text
from study.options import Options, check_kind
from study.text import hide_home
from study.typed import why_unread

FILE_NAME = "study.toml"  # in a study's folder
TABLES = ("set", "range")
PATHS = ("space", "dataset", "out", "weights")  # options that may be paths
# what repeats a study; the others say where its trials run, or what is done instead
LASTING = ("space", "profile", "dataset", "out", "weights", "searches", "trials", "seeds",
           "until_decided", "replica", "workers")  # fmt: skip
HEAD = """# Repeats the study: python run_study.py --config study.toml
# --out names another folder for it.
"""


def read_config(path: Path, known: Iterable[str]) -> list[str]:
    """A file's options as words of the command.

    Args:
        known: the names of the options, as until_decided.

    Raises:
        StudyError: there is no such file, or a name or a value cannot be meant.
    """
    try:
        values = tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(
            f"--config must name a TOML file; {path} is none ({why_unread(error)})"
        ) from None
    words: list[str] = []
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            raise StudyError(f"{path} must hold options, {', '.join(known)}; got {key!r}")
        words += (
            table_words(path, name, value) if name in TABLES else option_words(path, key, value)
        )
    return words


def option_words(path: Path, key: str, value: Any) -> list[str]:
    """An option as words.

    Raises:
        StudyError: the value is not of the option's kind.
    """
    try:
        check_kind(key.replace("-", "_"), value)
    except StudyError as problem:
        raise StudyError(f"{path}: {problem}") from None
    flag = f"--{key.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else []
    return [f"{flag}={one}" for one in (value if isinstance(value, list) else [value])]


def table_words(path: Path, name: str, table: Any) -> list[str]:
    """A table of fields or of ranges as words.

    Raises:
        StudyError: it is no table, or a value is none of its kind.
    """
    if not isinstance(table, dict):
        raise StudyError(f"{name} of {path} must be a table, [{name}]; got {table!r}")
    words = []
    for field, value in table.items():
        if name == "set" and isinstance(value, str | int | float):
            words.append(f"--set={field}={value if isinstance(value, str) else json.dumps(value)}")
        elif name == "range" and isinstance(value, list) and len(value) == 2:
            words.append(f"--range={field}={value[0]}..{value[1]}")
        else:
            kind = "a word, a number, true or false" if name == "set" else "a list [low, high]"
            raise StudyError(f"{field} in [{name}] of {path} must be {kind}; got {value!r}")
    return words


def merge_words(from_file: list[str], given: list[str]) -> list[str]:
    """The words of a file and of the command, which counts where both say something."""
    keys = {pair_key(one) for one in joined_pairs(given)}
    return [word for word in from_file if pair_key(word) not in keys or not pair_key(word)] + given


def joined_pairs(words: list[str]) -> list[str]:
    """The words with --set and --range joined to what follows them by an equals sign."""
    joined = []
    for i, word in enumerate(words):
        follows = i + 1 < len(words) and word in ("--set", "--range")
        joined.append(f"{word}={words[i + 1]}" if follows else word)
    return joined


def pair_key(word: str) -> str:
    """What a word sets: an option and its field, as "--set=epochs"; empty: none of these."""
    option, _, pair = word.partition("=")
    return f"{option}={pair.partition('=')[0]}" if option in ("--set", "--range") and pair else ""


def config_text(options: Options, profile: str) -> str:
    """The file that repeats a study of these options and that profile."""
    values = {name: whole_path(name, getattr(options, name)) for name in LASTING}
    values |= {"profile": profile, "trials": options.search_trials}
    lines = [
        f"{name} = {toml_value(value)}"
        for name, value in values.items()
        if value is not None and value != getattr(Options(), name)
    ]
    for name in TABLES:
        pairs = [pair.partition("=")[::2] for pair in getattr(options, name)]
        if pairs:
            lines += ["", f"[{name}]"]
        for field, text in pairs:
            value = set_value(text) if name == "set" else range_value(text)
            key = field if re.fullmatch(r"[A-Za-z0-9_-]+", field) else toml_value(field)
            lines.append(f"{key} = {value}")
    return HEAD + "\n".join(lines) + "\n"


def whole_path(name: str, value: Any) -> Any:
    """A path as it can be given from everywhere; other values as they are."""
    is_path = name in PATHS and value and "://" not in value
    return hide_home(str(Path(value).absolute())) if is_path and is_local(name, value) else value


def is_local(name: str, value: str) -> bool:
    """Whether an option's value is a path: a folder's or a file's that is there, or --out."""
    return name == "out" or Path(value).exists()


def set_value(text: str) -> str:
    """The value of --set as TOML has it: a number, true or false, or a word."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return toml_value(value if isinstance(value, str | int | float) else text)


def range_value(text: str) -> str:
    """The value of --range as a list; TOML has no .5 and no 5."""
    low, _, high = text.partition("..")
    return f"[{float(low)!r}, {float(high)!r}]"


def toml_value(value: str | int | float) -> str:
    """A value as TOML writes it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
