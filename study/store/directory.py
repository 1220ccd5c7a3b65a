"""A study's folder: where it is, one writer at a time, and never two plans."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.design.plan import Plan, plan_of
from study.design.record import final_records
from study.errors import StudyError
from study.store.ledger import Ledger
from study.store.study_file import changes_of, fix_plan, read_study


def open_study(folder: Path, plan: Plan, about: dict[str, Any]) -> tuple[Plan, Ledger]:
    """The plan as it stands in the folder, and its records, locked until they are closed.

    Raises:
        StudyError: the folder cannot be written, another run writes to it, or it holds another plan.
    """
    try:
        ledger = Ledger(folder)
    except BlockingIOError:
        raise StudyError(
            f"{folder} is being written by another run; wait for it, or name another folder with --out"
        ) from None
    except OSError as error:
        raise StudyError(
            f"{folder} must be a folder that can be written; it cannot ({error})"
        ) from None
    try:
        seen = any(record.stage == "final" for record in final_records(ledger.records).values())
        return fix_plan(folder, plan, about, seen, is_begun(folder)), ledger
    except BaseException:
        ledger.close()
        raise


def is_begun(folder: Path) -> bool:
    """Whether a trial of the folder's plan was begun."""
    return (folder / "records.jsonl").exists() or (folder / "trials").exists()


def default_folder(space: str, profile: str, dataset: str | None) -> Path:
    """results/<space>-<profile>, and the dataset's name where the command chose one."""
    return Path("results") / "-".join(
        [space, profile, *([Path(dataset).absolute().name] if dataset else [])]
    )


def reported_folder(
    out: str | None, space: str | None, profile: str | None, dataset: str | None
) -> Path:
    """The folder whose report is wanted: --out, or the first of that space's that holds a study.

    Raises:
        StudyError: neither is given.
    """
    if out:
        return local_folder(out)
    if not space:
        raise StudyError("--report needs --out, or --space and --profile: which study?")
    folders = [
        default_folder(space, name, dataset)
        for name in ([profile] if profile else ["quick", "small", "full"])
    ]
    return next((folder for folder in folders if (folder / "study.json").exists()), folders[0])


def address_of(out: str | None) -> str:
    """The address that --out names; empty where it names a folder or nothing."""
    return out if out and "://" in out else ""


def local_folder(out: str) -> Path:
    """The folder that --out names: of an address one here that mirrors it."""
    return (
        Path("results") / re.sub(r"[^\w.-]+", "-", out.partition("://")[2]).strip("-")
        if "://" in out
        else Path(out)
    )


def standing_plan(folder: Path, plan: Plan) -> tuple[Plan, bool]:
    """The plan as it would stand in the folder, where nothing is changed, and whether the folder's records belong to it."""
    if not (folder / "study.json").exists() or not is_begun(folder):
        return plan, False
    old = plan_of(read_study(folder)["plan"])
    return replace(plan, looks=old.looks), not changes_of(old, plan)[1]
