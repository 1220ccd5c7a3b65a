"""A study's folder: where it is, one writer at a time, and never two plans."""

import re
from pathlib import Path
from typing import NamedTuple

from study.design.plan import Plan
from study.design.record import Record, final_records
from study.errors import StudyError, why
from study.store.ledger import Ledger, read_records
from study.store.study_file import (
    About,
    Kind,
    compare_plans,
    count_analyses,
    fix_plan,
    read_study,
)

OWN = {  # what a study's folder may hold; any of them shows that it is one
    "study.json", "study.toml", "records.jsonl", "trials.jsonl", "report.html", "verdict.json",
    "trials", "optuna.db", ".lock", "tensorboard", "epochs.csv", "trials.csv",
}  # fmt: skip
PROFILES = ("quick", "small", "full")


def open_study(folder: Path, plan: Plan, about: About) -> tuple[Plan, Ledger]:
    """The plan that counts in the folder, and its records, locked until they are closed.

    Raises:
        StudyError: the folder cannot be written, another run writes to it, or it holds another
            plan, records without a plan, or something else.
    """
    check_folder(folder)
    ledger = open_ledger(folder)
    try:
        seen = is_seen(ledger.records)
        plan = fix_plan(folder, plan, about, seen=seen, begun=is_begun(folder))
        ledger.plan = read_study(folder, plan.propose).hash
        return plan, ledger
    except BaseException:
        ledger.close()
        raise


def open_ledger(folder: Path) -> Ledger:
    """The records of a folder, locked until they are closed.

    Raises:
        StudyError: the folder cannot be written, or another run writes to it.
    """
    try:
        return Ledger(folder)
    except BlockingIOError:
        raise StudyError(
            f"{folder} is being written by another run; wait for it, or name another folder with "
            "--out"
        ) from None
    except OSError as error:
        raise StudyError(
            f"{folder} must be a folder that can be written; it cannot ({why(error)})"
        ) from None


def is_begun(folder: Path) -> bool:
    """Whether a trial of the folder's plan was begun."""
    return (folder / "records.jsonl").exists() or (folder / "trials").exists()


def default_folder(space: str, profile: str, dataset: str | None) -> Path:
    """results/<space>-<profile>, and the dataset's name where the command chose one."""
    own = [Path(dataset).absolute().name.rpartition(":")[2]] if dataset else []
    return Path("results") / "-".join([space, profile, *own])


def report_folder(
    out: str | None, space: str | None, profile: str | None, dataset: str | None
) -> Path:
    """The folder whose report is wanted: --out, or the first of that space's that holds a study.

    Raises:
        StudyError: neither is given.
    """
    if out:
        return local_folder(out)
    if not space:
        raise StudyError("which study? Name its folder with --out, or give --space and --profile")
    profiles = [profile] if profile else PROFILES
    folders = [default_folder(space, name, dataset) for name in profiles]
    return next((one for one in folders if (one / "study.json").exists()), folders[0])


def address_of(out: str | None) -> str:
    """The address that --out names; empty where it names a folder or nothing."""
    return out if out and "://" in out else ""


def local_folder(out: str) -> Path:
    """The folder that --out names: of an address one here that mirrors it."""
    if not address_of(out):
        return Path(out)
    place = out.partition("://")[2]
    first, slash, rest = place.partition("/")
    place = first.rpartition("@")[2] + slash + rest  # without a name and a password
    return Path("results") / re.sub(r"[^\w.-]+", "-", place).strip("-")


def scratch_folder(folder: Path) -> Path:
    """What a run needs for its own time, in a study's folder; nothing there is needed later."""
    return folder.resolve() / ".tune"


def check_no_study(folder: Path, option: str) -> None:
    """Check that what is made of studies does not land in one.

    Raises:
        StudyError: the folder holds a study.
    """
    if (folder / "study.json").exists():
        raise StudyError(f"{option} must write to a folder of its own; {folder} holds a study")


def check_folder(folder: Path) -> None:
    """Check that a study may be written into a folder: a new one, an empty one, or a study's.

    Raises:
        StudyError: it is a file, holds something else, or has a name that the system refuses.
    """
    try:
        if not folder.exists():
            if folder.is_symlink():
                raise StudyError(f"--out must be a folder; {folder} is a link to nothing")
            return
        names = {one.name for one in folder.iterdir()}
    except NotADirectoryError:
        raise StudyError(f"--out must be a folder; {folder} is none") from None
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


class Preview(NamedTuple):
    """A plan as a folder would take it."""

    plan: Plan
    begun: bool  # whether the folder's records belong to it
    refused: bool  # whether the folder holds a study with another plan


def preview_plan(folder: Path, plan: Plan) -> Preview:
    """The plan as the folder would take it."""
    check_folder(folder)
    if not (folder / "study.json").exists() or not is_begun(folder):
        return Preview(plan, begun=False, refused=False)
    old, seen = read_study(folder, plan.propose).plan, is_seen(read_records(folder))
    differences = compare_plans(old, plan)
    if any(one.kind is Kind.OTHER for one in differences):
        return Preview(plan, begun=False, refused=True)
    plan = count_analyses(old, plan, differences, seen=seen)
    return Preview(plan, begun=True, refused=False)


def is_seen(records: list[Record]) -> bool:
    """Whether final results may have been looked at."""
    return any(one.stage == "final" for one in final_records(records).values())
