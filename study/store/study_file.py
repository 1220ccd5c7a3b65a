"""study.json: a plan as a file, and what of it may change later.

A larger budget may be given, and an arm may become available that was absent before.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from study.design.plan import Plan, PointSource, hash_values, with_pairs
from study.design.record import Record
from study.errors import StudyError, why
from study.files import read_text
from study.store.atomic import write_atomically
from study.store.plan_json import plan_from_dict
from study.text import join_words
from study.typed import check_text, why_unread

SCHEMA = 2  # of study.json; files of 1 name none
# sizes that may be raised
BUDGETS = {"searches": "--searches", "search_trials": "--trials", "final_seeds": "--seeds"}
DESCRIBING = ("words", "interim_analyses")  # of a plan; they decide nothing


class Change(NamedTuple):
    """What was changed in a plan after it was fixed."""

    when: str
    what: list[str]  # budgets, in words
    arrived: list[str]  # arms that were absent before
    seen: bool  # final results had been seen
    early: int = 0  # final records that began before the plan was fixed
    plan: str = ""  # hash of the plan before the change


class About(NamedTuple):
    """Where a study comes from."""

    command: list[str]
    folder: str
    versions: dict[str, str]
    commit: str
    created: str  # ISO 8601, UTC
    changes: list[Change] = []  # noqa: RUF012
    program: str = "python run_study.py"  # how the command is called


class StudyFile(NamedTuple):
    """The content of study.json."""

    plan: Plan
    about: About
    hash: str  # of the plan when it was written
    found: str  # of the plan as the file holds it; differs where it was edited
    schema: int = SCHEMA  # of the file

    @property
    def plans(self) -> list[str]:
        """The hashes of the plans that the study had, in their order."""
        before = [change.plan for change in self.about.changes if change.plan]
        return [*dict.fromkeys([*before, self.hash])]


class Kind(Enum):
    """What a difference between two plans means."""

    BUDGET = "budget"
    ARRIVED = "arrived"  # an absent arm can be run now
    OTHER = "other"


class Difference(NamedTuple):
    """Where two plans differ."""

    kind: Kind
    path: str
    words: str
    name: str = ""  # of the arm, or of the size


def read_study(folder: Path, propose: PointSource) -> StudyFile:
    """The study of a folder.

    Args:
        propose: the source of the plan's search points.

    Raises:
        StudyError: the folder holds none, or one that cannot be read.
    """
    path = folder / "study.json"
    try:
        text = read_text(path)
        values = json.loads(text)
        check_text(text, values)
        if values.get("schema", 1) not in range(1, SCHEMA + 1):
            raise StudyError(
                f"{path} must be a study of schema {SCHEMA} or lower; it has "
                f"{values['schema']!r}, of a later version of this program"
            )
        changes = [
            Change(
                when=change.get("when", ""),
                what=list(change["what"]),
                arrived=list(change.get("arrived", ())),
                seen=bool(change.get("seen")),
                early=int(change.get("early", 0)),
                plan=str(change.get("plan", "")),
            )
            for change in values.get("changes", ())
        ]
        about = About(
            command=[str(word) for word in values.get("command", [])],
            folder=str(values.get("folder", "FOLDER")),
            versions={str(k): str(v) for k, v in dict(values.get("versions", {})).items()},
            commit=str(values.get("commit", "")),
            created=str(values.get("created", "")),
            changes=changes,
            program=str(values.get("program", About._field_defaults["program"])),
        )
        found = hash_values(values["plan"])
        plan = plan_from_dict(values["plan"], propose)
        schema = values.get("schema", 1)
        return StudyFile(plan, about, values.get("hash", ""), found, schema)
    except StudyError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise StudyError(
            f"{folder} holds no study (no study.json); run the study first, or name its folder "
            "with --out"
        ) from None
    except OSError as error:
        raise StudyError(f"{path} must be a file that can be read; {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StudyError(
            f"{path} must be the plan of a study of this version; it cannot be read: "
            f"{why_unread(error)}"
        ) from None


def write_study(folder: Path, plan: Plan, about: About) -> None:
    """Write study.json.

    Raises:
        StudyError: the folder cannot be written.
    """
    changes = [change._asdict() for change in about.changes]
    values = {**about._asdict(), "changes": changes, "plan": plan.to_dict(), "hash": plan.hash}
    values["schema"] = SCHEMA
    if not changes:
        del values["changes"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "study.json", json.dumps(values, indent=1))
    except OSError as error:
        raise StudyError(
            f"{folder} must be a folder that can be written; it cannot ({why(error)})"
        ) from None


def fix_plan(
    folder: Path, plan: Plan, about: About, *, seen: bool = False, begun: bool = True
) -> Plan:
    """Fix the plan of a folder; the plan that counts from now on.

    A new folder takes it. An old one must hold the same, or the same with a smaller budget or
    without an arm that was absent, and then takes the new one.

    Args:
        seen: whether the folder holds final records: a larger budget then is another interim
            analysis of them, and interim analyses share the error rate.
        begun: whether a trial of the folder's plan was begun; else another plan may replace it.

    Raises:
        StudyError: the folder cannot be written, or its plan differs; the message names where.
    """
    if not (folder / "study.json").exists() or not begun:
        write_study(folder, plan, about._replace(created=time_fixed(folder, plan, about)))
        return plan
    study = read_study(folder, plan.propose)
    old = study.plan
    # the trainer and what is not kept in the file come from the command
    old = replace(old, space=replace(old.space, trainer=plan.space.trainer))
    plan = replace(plan, interim_analyses=old.interim_analyses)
    differences = compare_plans(old, plan)
    if not differences:
        return old
    check_differences(folder, old, plan, differences)
    plan = count_analyses(old, plan, differences, seen=seen)
    raised = [one.words for one in differences if one.kind is Kind.BUDGET]
    change = Change(
        when=about.created,
        what=[] if is_planned(old, plan) else raised,
        arrived=[one.name for one in differences if one.kind is Kind.ARRIVED and one.name],
        seen=seen,
        plan=study.hash,
    )
    changes = [*study.about.changes, change]
    write_study(folder, plan, study.about._replace(command=about.command, changes=changes))
    return plan


def is_planned(old: Plan, plan: Plan) -> bool:
    """Whether a plan is that of an analysis which was planned."""
    return plan.sizes in [with_pairs(old.sizes, look) for look in old.sizes.looks]


def count_analyses(old: Plan, plan: Plan, differences: list[Difference], *, seen: bool) -> Plan:
    """The plan that follows another one, with one more analysis if seen results cost one."""
    raised = any(one.kind is Kind.BUDGET for one in differences)
    is_another = seen and raised and not is_planned(old, plan)
    return replace(plan, interim_analyses=old.interim_analyses + is_another)


def time_fixed(folder: Path, plan: Plan, about: About) -> str:
    """When the plan of a folder in which nothing has begun was fixed: before, if it is the same."""
    try:
        study = read_study(folder, plan.propose)
    except StudyError:
        return about.created
    return about.created if compare_plans(study.plan, plan) else study.about.created


def count_early_finals(folder: Path, plan: Plan, records: Iterable[Record], when: str) -> Plan:
    """The plan with one more interim analysis if final records began before it was fixed.

    They may have been seen when it was made, or when its budget was raised: records of another
    study that were adopted, or those of a folder whose plan was lost. It is counted once.
    """
    study = read_study(folder, plan.propose)
    about = study.about
    unseen = [change.when for change in about.changes if change.what and not change.seen]
    fixed = max([about.created, *unseen])
    early = sum(one.stage == "final" and begins_before(one, fixed) for one in records)
    if not early or any(change.early and change.when >= fixed for change in about.changes):
        return plan
    plan = replace(plan, interim_analyses=plan.interim_analyses + 1)
    change = Change(when=when, what=[], arrived=[], seen=True, early=early, plan=study.hash)
    write_study(folder, plan, about._replace(changes=[*about.changes, change]))
    return plan


def begins_before(record: Record, time: str) -> bool:
    """Whether a record says that its trial began before a time, ISO 8601 in UTC."""
    return bool(record.started) and record.started < time


def check_differences(folder: Path, old: Plan, plan: Plan, differences: list[Difference]) -> None:
    """Check that a folder's plan may be replaced by another one.

    Raises:
        StudyError: an arm is gone, a budget is lowered, or something else differs.
    """
    arms = {arm.name for arm in old.space.arms}
    if gone := [plan.title(n) for n in plan.absent if n not in old.absent and n in arms]:
        needs = "needs is not here now: give --weights as then, or put the files back"
        raise StudyError(
            f"{folder} holds a study in which {join_words(gone)} "
            f"{'is' if len(gone) == 1 else 'are'} run; what that {needs}"
        )
    refused = [one.words for one in differences if one.kind is Kind.OTHER]
    if refused:
        more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise StudyError(
            f"{folder} holds a study with another plan, and the two are never mixed: "
            f"{'; '.join(refused[:3])}{more}. Name another folder with --out, or give the command "
            "that began it"
        )
    for name, option in BUDGETS.items():
        was, now = getattr(old.sizes, name), getattr(plan.sizes, name)
        if now < was:
            raise StudyError(
                f"{folder} holds a study with {option} {was}, and a budget is only ever raised; "
                f"got {now}. Say {option} {was} or more"
            )


def compare_plans(old: Plan, new: Plan) -> list[Difference]:
    """Where two plans differ in what decides trials and claims."""
    first, second = (json.loads(json.dumps(comparable_values(plan))) for plan in (old, new))
    return list_differences(first, second, ())


def comparable_values(plan: Plan) -> dict[str, Any]:
    """The plan's values without words; of the data the fingerprint alone."""
    values = {k: v for k, v in plan.to_dict().items() if k not in DESCRIBING}
    values["absent"] = dict.fromkeys(plan.absent, "")
    values["data"] = {"fingerprint": plan.data.fingerprint}
    for arm in (*values["space"]["arms"], *values["space"]["controls"]):
        del arm["place"]  # of its colour alone
    del values["space"]["general"]
    return values


def list_differences(old: Any, new: Any, path: tuple[str, ...]) -> list[Difference]:
    """Where two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(old.get(key), new.get(key), (*path, key)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(a, b, (*path, str(i))) for i, (a, b) in enumerate(zip(old, new, strict=True))]
    else:
        return [] if old == new else [classify(old, new, path)]
    return [difference for pair in pairs for difference in list_differences(*pair)]


def classify(old: Any, new: Any, path: tuple[str, ...]) -> Difference:
    """One difference, and what it means."""
    words = f"{'.'.join(path)} was {clip_json(old)} and is now {clip_json(new)}"
    match path:
        case ("sizes", "searches") if 1 in (old, new):  # the units of the comparison are others
            return Difference(Kind.OTHER, ".".join(path), words)
        case ("sizes", name) if name in BUDGETS:
            return Difference(Kind.BUDGET, ".".join(path), words, name)
        case ("sizes", "looks", *_):
            fixed = f"{words}: the analyses of --until-decided are fixed before the first run"
            return Difference(Kind.OTHER, ".".join(path), fixed)
        case ("absent", arm) if new is None:
            return Difference(Kind.ARRIVED, ".".join(path), words, arm)
        case ("found", *_) if old is None:
            return Difference(Kind.ARRIVED, ".".join(path), words)
    return Difference(Kind.OTHER, ".".join(path), words)


def clip_json(value: Any) -> str:
    """A value as JSON, a list of named things as their names, cut where it is long."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(v, dict) and "name" in v for v in value)
    ):
        return ", ".join(str(one["name"]) for one in value)
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
