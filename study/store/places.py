"""Places that a command names: folders that may be written, files that may be read."""

import stat
from pathlib import Path

from study.errors import StudyError

OWN = {  # what a study's folder may hold; any of them shows that it is one
    "study.json", "study.toml", "records.jsonl", "trials.jsonl", "report.html", "verdict.json",
    "trials", "optuna.db", ".lock", "tensorboard", "epochs.csv", "trials.csv",
}  # fmt: skip


def check_folder(folder: Path) -> None:
    """Check that a study may be written into a folder: a new one, an empty one, or a study's.

    Raises:
        StudyError: it is a file, holds something else, or has a name that the system refuses.
    """
    try:
        if not folder.exists():
            return
        names = {one.name for one in folder.iterdir()}
    except NotADirectoryError:
        raise StudyError(f"--out must be a folder; {folder} is a file") from None
    except OSError as error:
        shown = str(folder) if len(str(folder)) < 200 else f"{str(folder)[:80]}…"
        raise StudyError(
            f"--out must be a folder that can be read; {shown} cannot ({error.strerror})"
        ) from None
    if names and not names & OWN:
        raise StudyError(
            f"--out must be a new folder, an empty one or a study's; {folder} holds "
            f"{sorted(names)[0]!r} and no study"
        )
    if "records.jsonl" in names and "study.json" not in names:
        raise StudyError(
            f"{folder} holds records.jsonl without the study.json that it belongs to: whose "
            "records they are cannot be known. Put study.json back, or name another folder with "
            "--out and take the records by --adopt"
        )


def check_file(path: Path, rule: str) -> None:
    """Check that a path leads to a regular file: reading a pipe or a device may never end.

    Args:
        rule: what the option must be, as the beginning of the sentence.

    Raises:
        StudyError: it does not.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file can have this name"
        raise StudyError(f"{rule}; {path} cannot be read ({reason})") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise StudyError(f"{rule}; {path} is {kind}")
