"""A plan from the values that JSON keeps of it, and of earlier versions of this program."""

from dataclasses import replace
from typing import Any

from study.design.facts import DataFacts
from study.design.given_runs import GivenRuns
from study.design.make_plan import check_sizes
from study.design.plan import Plan, PointSource
from study.design.ranges import LogRange, span_of
from study.design.space import (
    Arm,
    Claim,
    Explore,
    Metric,
    Profile,
    Replica,
    Reported,
    ResultCurve,
    Space,
)
from study.design.words import Words
from study.typed import check_fields

OF_SPACE = (
    "question", "scientific", "rows", "reference", "arms", "stages", "replica", "metrics",
    "collapse", "claims", "threats", "explore", "reported", "axis",
)  # fmt: skip


def plan_from_dict(values: dict[str, Any], propose: PointSource) -> Plan:
    """The plan of these values; its space has no trainer, so nothing can be trained with it.

    Raises:
        KeyError, TypeError, ValueError: they are not those of a plan.
    """
    values = upgraded(values) if isinstance(values["space"], str) else dict(values)
    sizes, given = profile_from_dict(values.pop("sizes")), values.get("given")
    plan = Plan(
        **{
            **values,
            "space": space_from_dict(values["space"]),
            "sizes": sizes,
            "data": facts_from_dict(values["data"]),
            "words": Words.from_dict(values.get("words", {})),
            "given": GivenRuns.from_dict(given) if given else None,
            "propose": propose,
        }
    )
    check_fields(plan, "plan")
    if not plan.given:
        check_sizes(plan.sizes)
    return plan


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a plan of version 0.1, in which the space's own stood among the plan's."""
    values = {"explore": None, "reported": (), "axis": "", "looks": 1, **values}
    space = {name: values.pop(name) for name in OF_SPACE}
    space |= {"name": values["space"], "fixed": {}, "profiles": {}}
    for arm in space["arms"]:
        metric, _, path = (arm.get("curve") or "").partition(" = ")
        arm["curve"] = [metric, path.split("/")] if path else None
    known = set(DataFacts.__dataclass_fields__)
    data = {name: value for name, value in values["data"].items() if name in known}
    if views := values["data"].get("views"):
        data["provenance"] = [["Views", views]]
    values["interim_analyses"] = values.pop("looks")
    return {**values, "space": space, "data": data}


def profile_from_dict(values: dict[str, Any]) -> Profile:
    """The sizes of these values."""
    lists = {name: tuple(values.get(name, ())) for name in ("looks", "leaves_out")}
    return Profile(**{**values, **lists})


def space_from_dict(values: dict[str, Any]) -> Space:
    """The space of these values, without a trainer and without profiles."""
    collapse = values["collapse"]
    explore = values.get("explore")
    return Space(
        **{
            **values,
            "arms": tuple(arm_from_dict(arm) for arm in values["arms"]),
            "controls": tuple(arm_from_dict(arm) for arm in values.get("controls", ())),
            "replica": Replica(
                **{**values["replica"], "unknown": tuple(values["replica"]["unknown"])}
            ),
            "metrics": tuple(Metric(**metric) for metric in values["metrics"]),
            "claims": tuple(Claim(**claim) for claim in values["claims"]),
            "reported": tuple(Reported(**row) for row in values["reported"]),
            "profiles": {},
            "threats": tuple(values["threats"]),
            "collapse": tuple(collapse) if collapse else None,
            "explore": explore_from_dict(explore) if explore else None,
            "trainer": None,
        }
    )


def arm_from_dict(values: dict[str, Any]) -> Arm:
    """An arm likewise."""
    search = {name: LogRange(**span) for name, span in values["search"].items()}
    curve = values.get("curve")
    arm = Arm(**{**values, "search": search, "curve": None})
    return replace(arm, curve=ResultCurve(curve[0], tuple(curve[1]))) if curve else arm


def explore_from_dict(values: dict[str, Any]) -> Explore:
    """The adaptive search likewise."""
    return Explore(
        **{
            **values,
            "search": {name: span_of(span) for name, span in values["search"].items()},
            "objectives": tuple((name, higher) for name, higher in values["objectives"]),
            "known": tuple(values["known"]),
        }
    )


def facts_from_dict(values: dict[str, Any]) -> DataFacts:
    """Facts of the data likewise."""
    rows = {name: tuple(map(tuple, values.get(name, ()))) for name in ("about", "provenance")}
    flat = {name: tuple(values.get(name, ())) for name in ("classes", "warnings")}
    return DataFacts(**{**values, **rows, **flat})
