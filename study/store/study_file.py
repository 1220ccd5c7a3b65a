"""study.json: a plan as a file, and what of it may be changed later: a larger budget, or an arm that was absent before."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from study.design.plan import Plan, plan_of
from study.errors import StudyError
from study.store.atomic import write_atomically
from study.text import joined

BUDGETS = {
    "sizes.search_trials": "--trials",
    "sizes.final_seeds": "--seeds",
}  # what may be raised later, and how
MORE = tuple(f"{name} was" for name in BUDGETS)


def read_study(folder: Path) -> dict[str, Any]:
    """`study.json` of a folder; its "plan" entry is a Plan's values.

    Raises:
        StudyError: the folder holds none, or one that cannot be read.
    """
    path = folder / "study.json"
    try:
        study = json.loads(path.read_text())
        plan_of(study["plan"])
        return {"hash": "", **study}
    except (FileNotFoundError, NotADirectoryError):
        raise StudyError(
            f"{folder} holds no study (no study.json); run the study first, or name its folder with --out"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{path} must be the plan of a study of this version; it cannot be read ({error!r})"
        ) from None


def fix_plan(
    folder: Path, plan: Plan, about: dict[str, Any], seen: bool = False, begun: bool = True
) -> Plan:
    """Writes the plan into a new folder; in an old one checks that it is the same, or the same with a larger budget or with an arm that was
    absent before, which it then becomes.

    Args:
        seen: whether the folder holds final records: a larger budget then is another look at them, and looks share the error rate.
        begun: whether a trial of the folder's plan was begun; if none was, another plan may take its place.

    Returns:
        The plan that counts from now on.

    Raises:
        StudyError: the folder cannot be written, or its plan differs; the message names where.
    """
    if not (folder / "study.json").exists() or not begun:
        write_study(folder, plan, about)
        return plan
    study = read_study(folder)
    old = plan_of(study["plan"])
    plan = replace(plan, looks=old.looks)
    changed, refused = changes_of(old, plan)
    if not changed:
        return old
    if gone := [
        plan.arm(name).title
        for name in plan.absent
        if name not in old.absent and name in [arm.name for arm in old.arms]
    ]:
        needs = "needs is not here now: give --weights as then, or put the files back"
        raise StudyError(
            f"{folder} holds a study in which {joined(gone)} {'is' if len(gone) == 1 else 'are'} run; what that {needs}"
        )
    if refused:
        raise StudyError(
            f"{folder} holds a study with another plan, and the two are never mixed: {'; '.join(refused[:3])}"
            f"{f'; and {len(refused) - 3} more' if len(refused) > 3 else ''}. Name another folder with --out, or give the command that began it"
        )
    for name, option in BUDGETS.items():
        was, now = (
            getattr(sizes, name.removeprefix("sizes.")) for sizes in (old.sizes, plan.sizes)
        )
        if now < was:
            raise StudyError(
                f"{folder} holds a study with {option} {was}, and a budget is only ever raised; got {now}. Say {option} {was} or more"
            )
    raised = any(line.startswith(MORE) for line in changed)
    plan = replace(plan, looks=old.looks + (seen and raised))
    write_study(
        folder,
        plan,
        {
            **study,
            "command": about.get("command", study.get("command", [])),
            "changes": [
                *study.get("changes", []),
                change_of(changed, about.get("created", ""), seen),
            ],
        },
    )
    return plan


def changes_of(old: Plan, new: Plan) -> tuple[list[str], list[str]]:
    """Where two plans differ, the number of looks and the words for what is absent aside, and of that what is more than another budget."""
    changed = differences(
        *(
            json.loads(
                json.dumps(asdict(replace(which, looks=1, absent=dict.fromkeys(which.absent, ""))))
            )
            for which in (old, new)
        )
    )
    return changed, [line for line in changed if not (line.startswith(MORE) or arrived(line))]


def change_of(changed: list[str], when: str, seen: bool) -> dict[str, Any]:
    """What study.json says of a change: when, what of the budget, the arms that were absent before, and whether results had been seen."""
    arms = [
        line.removeprefix("absent.").partition(" was ")[0]
        for line in changed
        if line.startswith("absent.")
    ]
    return {
        "when": when,
        "what": [line for line in changed if line.startswith(MORE)],
        "arrived": arms,
        "seen": seen,
    }


def arrived(change: str) -> bool:
    """Whether a change of a plan says that what an arm lacked is here now."""
    return (change.startswith("absent.") and change.endswith("is now null")) or (
        change.startswith("found.") and " was null " in change
    )


def write_study(folder: Path, plan: Plan, about: dict[str, Any]) -> None:
    """Leaves study.json.

    Raises:
        StudyError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            folder / "study.json",
            json.dumps({**about, "plan": asdict(plan), "hash": plan.hash}, indent=1),
        )
    except OSError as error:
        raise StudyError(
            f"{folder} must be a folder that can be written; it cannot ({error})"
        ) from None


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            line
            for key in keys
            for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for i, pair in enumerate(zip(old, new, strict=True))
            for line in differences(*pair, f"{path}[{i}]")
        ]
    return [] if old == new else [f"{path} was {clipped(old)} and is now {clipped(new)}"]


def clipped(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
