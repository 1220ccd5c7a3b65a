"""The plan of a study, fixed before its first trial: what is asked, tried and claimed, and on which data."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.files import write_atomically
from study.space import Arm, Claim, Explore, LogRange, Metric, Profile, Replica, Space, span_of

SEARCH_SEED = 0
MOST_TRIALS = 10_000
FIRST_SEED = {"replica": 1, "confirm": 21, "final": 101}
BUDGETS = {"sizes.search_trials": "--trials", "sizes.final_seeds": "--seeds"}  # what may be raised later, and how


@dataclass(frozen=True)
class Plan:
    """Everything that decides which trials are run and what is made of them; JSON keeps it unchanged."""

    space: str
    question: str
    scientific: str
    rows: str
    profile: str
    reference: str
    arms: tuple[Arm, ...]
    base: dict[str, Any]  # every field of a trial before arm, point, stage and seed
    stages: dict[str, dict[str, Any]]
    replica: Replica
    metrics: tuple[Metric, ...]
    collapse: tuple[str, float]
    claims: tuple[Claim, ...]
    sizes: Profile
    threats: tuple[str, ...]
    overrides: dict[str, Any]  # what --set changed
    data: dict[str, Any]  # facts of the dataset, with its `fingerprint`
    workers: int  # data-parallel workers of a trial
    explore: Explore | None = None
    looks: int = 1  # at the final results: one more whenever the budget was raised after some had been seen

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    def metric(self, name: str) -> Metric:
        """The metric of that name."""
        return next(metric for metric in self.metrics if metric.name == name)

    def seeds(self, stage: str) -> range:
        """The seeds of a stage; no two stages share one."""
        count = {"replica": self.sizes.replica_seeds, "confirm": self.sizes.confirm_seeds, "final": self.sizes.final_seeds}[stage]
        return range(FIRST_SEED[stage], FIRST_SEED[stage] + count)

    @cached_property
    def made(self) -> dict[Any, Any]:
        """Trials by what they are: stages ask for all of them again and again, and each hash takes its time."""
        return {}

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of everything above."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def make_plan(
    space: Space,
    profile: str,
    sizes: Profile,
    overrides: dict[str, Any],
    data: dict[str, Any],
    workers: int,
    complete: Callable[[dict[str, Any]], dict[str, Any]],
) -> Plan:
    """The plan of a space at the sizes of a profile.

    Args:
        overrides: fields that the command sets; neither an arm's own field nor a tuned one.
        complete: fills in and checks the fields of a trial; raises ValueError where one is wrong.

    Raises:
        StudyError: a field is unknown, of the wrong type, or not free.
    """
    for stage, count, most in (("replica", sizes.replica_seeds, 20), ("confirm", sizes.confirm_seeds, 80), ("final", sizes.final_seeds, 1000)):
        if count > most:
            raise StudyError(f"the {stage} stage takes at most {most} seeds, so that no two stages share one; got {count}")
    if sizes.search_trials > MOST_TRIALS:
        raise StudyError(f"a search takes at most {MOST_TRIALS:,} trials an arm; got {sizes.search_trials:,}")
    for name in overrides:
        own = any(name in tuned(space, arm) or name in arm.values for arm in space.arms)
        if own or any(name in fields for fields in space.stages.values()) or name in ("seed", "dataset"):
            raise StudyError(f"--set {name} is not free: the study itself sets it for each arm, stage, trial or command")
    try:
        base = complete({**space.fixed, **sizes.values, **overrides})
        for fields in space.stages.values():
            for arm in space.arms:
                complete({**base, **fields, **arm.values, **arm.default, **overrides})
    except ValueError as error:
        raise StudyError(str(error)) from None
    return Plan(
        space.name, space.question, space.scientific, space.rows, profile, space.reference, space.arms, base, space.stages, space.replica,
        space.metrics, space.collapse, space.claims, sizes, space.threats, overrides, data, workers, space.explore,
    )  # fmt: skip


def tuned(of: Space | Plan, arm: Arm) -> list[str]:
    """The fields that a search sets for an arm."""
    return list(of.explore.search if of.explore and of.explore.arm == arm.name else arm.search)


def plan_of(values: dict[str, Any]) -> Plan:
    """The plan that `dataclasses.asdict` and JSON made these values of."""
    arms = tuple(Arm(**{**arm, "search": {name: LogRange(**span) for name, span in arm["search"].items()}}) for arm in values["arms"])
    replica = Replica(**{**values["replica"], "unknown": tuple(values["replica"]["unknown"])})
    plan = Plan(**{**values, "arms": arms, "replica": replica})
    return replace(
        plan,
        metrics=tuple(Metric(**metric) for metric in values["metrics"]),
        claims=tuple(Claim(**claim) for claim in values["claims"]),
        sizes=Profile(**values["sizes"]),
        collapse=tuple(values["collapse"]),
        threats=tuple(values["threats"]),
        explore=explore_of(values.get("explore")),
    )


def explore_of(values: dict[str, Any] | None) -> Explore | None:
    """The adaptive search likewise."""
    if values is None:
        return None
    search = {name: span_of(span) for name, span in values["search"].items()}
    objectives = tuple((name, higher) for name, higher in values["objectives"])
    return Explore(**{**values, "search": search, "objectives": objectives, "known": tuple(values["known"])})


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
        raise StudyError(f"{folder} holds no study (no study.json); run the study first, or name its folder with --out") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path} must be the plan of a study of this version; it cannot be read ({error!r})") from None


def fix_plan(folder: Path, plan: Plan, about: dict[str, Any], seen: bool = False) -> Plan:
    """Writes the plan into a new folder; in an old one checks that it is the same, or the same with a larger budget, which it then becomes.

    Args:
        seen: whether the folder holds final records: a larger budget then is another look at them, and looks share the error rate.

    Returns:
        The plan that counts from now on.

    Raises:
        StudyError: the folder cannot be written, or its plan differs; the message names where.
    """
    if not (folder / "study.json").exists():
        write_study(folder, plan, about)
        return plan
    study = read_study(folder)
    old = plan_of(study["plan"])
    plan = replace(plan, looks=old.looks)
    changed, refused = changes_of(old, plan)
    if not changed:
        return plan
    if refused:
        raise StudyError(
            f"{folder} holds a study with another plan, and the two are never mixed: {'; '.join(refused[:3])}"
            f"{f'; and {len(refused) - 3} more' if len(refused) > 3 else ''}. Name another folder with --out, or give the command that began it"
        )
    for name, option in BUDGETS.items():
        was, now = (getattr(sizes, name.removeprefix("sizes.")) for sizes in (old.sizes, plan.sizes))
        if now < was:
            raise StudyError(f"{folder} holds a study with {option} {was}, and a budget is only ever raised; got {now}. Say {option} {was} or more")
    plan = replace(plan, looks=old.looks + seen)
    write_study(
        folder,
        plan,
        {
            **study,
            "command": about.get("command", study.get("command", [])),
            "changes": [*study.get("changes", []), {"when": about.get("created", ""), "what": changed}],
        },
    )
    return plan


def changes_of(old: Plan, new: Plan) -> tuple[list[str], list[str]]:
    """Where two plans differ, the number of looks aside, and of that what is more than another budget."""
    changed = differences(*(json.loads(json.dumps(asdict(replace(which, looks=1)))) for which in (old, new)))
    return changed, [line for line in changed if not line.startswith(tuple(f"{name} was" for name in BUDGETS))]


def write_study(folder: Path, plan: Plan, about: dict[str, Any]) -> None:
    """Leaves study.json.

    Raises:
        StudyError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "study.json", json.dumps({**about, "plan": asdict(plan), "hash": plan.hash}, indent=1))
    except OSError as error:
        raise StudyError(f"{folder} must be a folder that can be written; it cannot ({error})") from None


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [line for key in keys for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [line for i, pair in enumerate(zip(old, new, strict=True)) for line in differences(*pair, f"{path}[{i}]")]
    return [] if old == new else [f"{path} was {clipped(old)} and is now {clipped(new)}"]


def clipped(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
