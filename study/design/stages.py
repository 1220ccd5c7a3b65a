"""The stages of a study: which trials are due, given the records that exist. A function of plan and records, nothing else.

replica   the report's setting, shared by all arms, several seeds
search    the same number of quasi-random points for every arm, one seed shared by all; beside it the library's default and the
          replica's point, outside the budget
added     if an arm's best point lies at an edge of its range, points beyond that edge; the same allowance for every arm, once
confirm   the best few of each arm on new seeds; the best mean is chosen
final     the chosen point on fresh seeds, the same for all arms

One arm may be searched adaptively instead (`Explore`): its search trials are then those that the search has made so far.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from study.design.plan import SEARCH_SEED, Plan, tuned
from study.design.ranges import LogRange
from study.design.record import Record
from study.design.space import Arm
from study.design.trial import Trial, trial_id
from study.search.quasi_random import propose

EDGE = 0.1  # share of a range's decades within which a best point counts as lying at the edge

MAX_STEP = 0.5  # decades from one added point to the next

Records = dict[str, Record]  # the final record of each trial


def make_trial(
    plan: Plan,
    stage: str,
    arm: Arm,
    seed: int,
    point: dict[str, Any],
    values: dict[str, Any],
    why: str = "",
) -> Trial:
    """A trial of an arm at a point; `values` are what its stage sets, always the same ones, and go before --set, which is in the base."""
    key = (stage, arm.name, seed, *point.items(), why)
    if key not in plan.made:
        config = {
            **plan.base,
            **values,
            **arm.values,
            **plan.found.get(arm.name, {}),
            **point,
            "seed": seed,
        }
        own = (
            arm.name if stage == "final" and is_explored(plan, arm) else ""
        )  # a search may choose the very point of another arm
        plan.made[key] = Trial(
            trial_id(config, plan.data["fingerprint"] + own, seed),
            stage,
            arm.name,
            seed,
            point,
            config,
            why,
        )
    return plan.made[key]


def due(plan: Plan, records: Records) -> Iterator[Trial]:
    """Every trial of the study that is known by now, finished ones included, in the order in which they should run."""
    arms = plan.running
    yield from replica_trials(plan)
    for arm in arms:
        yield from (
            explored_trials(plan, arm, records)
            if is_explored(plan, arm)
            else search_trials(plan, arm)
        )
    for arm in arms:
        yield from added_trials(plan, arm, records)
    for arm in arms:
        yield from confirm_trials(plan, arm, records)
    chosen = [(arm, chosen_point(plan, arm, records)) for arm in arms]
    for seed in plan.seeds("final"):
        for arm, point in chosen:
            if point is not None:
                yield make_trial(plan, "final", arm, seed, point, plan.stages["final"])


def standing(plan: Plan, records: Records) -> Records:
    """The records that count: those of trials that are due. A longer search may choose another point; the old one stands aside."""
    known = {trial.id for trial in due(plan, records)}
    return {id: record for id, record in records.items() if id in known}


def replica_trials(plan: Plan) -> Iterator[Trial]:
    """The report's arms at the report's setting."""
    for seed in plan.seeds("replica"):
        for arm in plan.running:
            if plan.is_reported(arm):
                point = {name: plan.replica.values[name] for name in arm.search}
                yield make_trial(
                    plan,
                    "replica",
                    arm,
                    seed,
                    point,
                    {**plan.replica.values, **plan.stages["replica"]},
                )


def search_trials(plan: Plan, arm: Arm) -> Iterator[Trial]:
    """The quasi-random points of an arm, then the points beside them; none for an arm without parameters."""
    values = plan.stages["search"]
    if not arm.search:
        return
    for point in points_of(plan, arm):
        yield make_trial(plan, "search", arm, SEARCH_SEED, point, values)
    yield make_trial(plan, "beside", arm, SEARCH_SEED, arm.default, values, "default")
    yield from (
        make_trial(plan, "beside", arm, SEARCH_SEED, point, values, "as reported")
        for point in reported_beside(plan, arm)
    )


def reported_beside(plan: Plan, arm: Arm) -> list[dict[str, Any]]:
    """The replica's point of an arm that is searched, where the report has the arm and its point is not the default already."""
    point = {name: plan.replica.values[name] for name in arm.search} if arm.in_report else {}
    return [point] if point and point != arm.default else []


def is_explored(plan: Plan, arm: Arm) -> bool:
    """Whether the arm's points come from an adaptive search."""
    return plan.explore is not None and plan.explore.arm == arm.name


def explored_trials(plan: Plan, arm: Arm, records: Records) -> Iterator[Trial]:
    """What an adaptive search has tried so far; what it tries next it decides from these."""
    for record in records.values():
        if (record.stage, record.arm) == ("search", arm.name):
            yield make_trial(plan, "search", arm, SEARCH_SEED, record.point, plan.stages["search"])


def to_explore(plan: Plan, records: Records) -> int:
    """How many trials the adaptive search may still make."""
    if plan.explore is None:
        return 0
    return max(
        0,
        plan.sizes.search_trials
        - len(list(explored_trials(plan, plan.arm(plan.explore.arm), records))),
    )


def is_finished(plan: Plan, records: Records) -> bool:
    """Whether nothing is left to run."""
    return is_complete(list(due(plan, records)), records) and not to_explore(plan, records)


def points_of(plan: Plan, arm: Arm) -> list[dict[str, float]]:
    """The arm's proposals."""
    return [dict(point) for point in _points(tuple(arm.search.items()), plan.sizes.search_trials)]


@lru_cache
def _points(
    search: tuple[tuple[str, LogRange], ...], count: int
) -> tuple[tuple[tuple[str, float], ...], ...]:
    return tuple(tuple(point.items()) for point in propose(dict(search), count))


def score(plan: Plan, record: Record) -> float:
    """What choices are made by: the primary metric, larger is better; a run that did not finish is worse than all."""
    metric = plan.metrics[0]
    value = record.metric(metric.name)
    return -math.inf if math.isnan(value) else value if metric.higher_is_better else -value


def ranked(plan: Plan, arm: Arm, records: Records, stages: tuple[str, ...]) -> list[Record]:
    """The arm's records of these stages, best first; of equals the earlier in the plan."""
    order = {trial.id: i for i, trial in enumerate(searched(plan, arm, records))}
    mine = [
        record
        for record in records.values()
        if record.arm == arm.name and record.stage in stages and record.trial in order
    ]
    return sorted(mine, key=lambda record: (-score(plan, record), order[record.trial]))


def searched(plan: Plan, arm: Arm, records: Records) -> list[Trial]:
    """The trials among which the arm's points are chosen."""
    if is_explored(plan, arm):
        return list(explored_trials(plan, arm, records))
    return [
        trial
        for trial in [*search_trials(plan, arm), *added_trials(plan, arm, records)]
        if trial.stage != "beside"
    ]


def is_complete(trials: list[Trial], records: Records) -> bool:
    """Whether each of the trials has its final record."""
    return all(trial.id in records for trial in trials)


def edge_of(span: LogRange, best: float, tried: list[float]) -> int:
    """-1 or 1 where the best value lies at the lower or upper edge: within a tenth of the decades, or outermost of all that were tried."""
    low, high = min(span.low, *tried), max(span.high, *tried)
    margin = EDGE * span.decades
    if best == min(tried) or math.log10(best / low) < margin:
        return -1
    return 1 if best == max(tried) or math.log10(high / best) < margin else 0


def added_trials(plan: Plan, arm: Arm, records: Records) -> Iterator[Trial]:
    """Points beyond the edge at which the arm's best search point lies, one mean distance between search points apart and at most half a decade."""
    tried_trials = [trial for trial in search_trials(plan, arm) if trial.stage == "search"]
    if not arm.search or not is_complete(tried_trials, records) or not plan.sizes.added_trials:
        return
    best = max(tried_trials, key=lambda trial: score(plan, records[trial.id]))
    for name, span in arm.search.items():
        tried = [trial.point[name] for trial in tried_trials]
        side = edge_of(span, best.point[name], tried)
        step = 10 ** (side * min(span.decades / plan.sizes.search_trials, MAX_STEP))
        start = min(span.low, *tried) if side < 0 else max(span.high, *tried)
        for k in range(1, plan.sizes.added_trials + 1) if side else ():
            value = float(f"{start * step ** (k - 0.5):.4g}")
            yield make_trial(
                plan, "added", arm, SEARCH_SEED, {**best.point, name: value}, plan.stages["search"]
            )


def confirm_trials(plan: Plan, arm: Arm, records: Records) -> Iterator[Trial]:
    """The arm's best points of search and extension on new seeds, once all of those have ended."""
    if not is_complete(searched(plan, arm, records), records) or (
        is_explored(plan, arm) and to_explore(plan, records)
    ):
        return
    for record in ranked(plan, arm, records, ("search", "added"))[: plan.sizes.confirm_points]:
        for seed in plan.seeds("confirm"):
            yield make_trial(plan, "confirm", arm, seed, record.point, plan.stages["confirm"])


def chosen_point(plan: Plan, arm: Arm, records: Records) -> dict[str, Any] | None:
    """The point with the best mean over the confirm seeds; None until all of them have ended. An arm without parameters has its default."""
    if not tuned(plan, arm):
        return arm.default
    trials = list(confirm_trials(plan, arm, records))
    if not trials or not is_complete(trials, records):
        return None
    totals: dict[str, tuple[float, dict[str, Any]]] = {}
    for trial in trials:
        total, _ = totals.get(str(trial.point), (0.0, trial.point))
        totals[str(trial.point)] = (total + score(plan, records[trial.id]), trial.point)
    return max(totals.values(), key=lambda entry: entry[0])[1]


def expected_trials(plan: Plan) -> dict[str, int]:
    """How many trials each stage has, before any ran; the added ones are an allowance that need not be used."""
    arms, sizes = plan.running, plan.sizes
    evenly, reported = (
        [arm for arm in arms if arm.search],
        [arm for arm in arms if plan.is_reported(arm)],
    )
    searches = len(evenly) + (plan.explore is not None)
    return {
        "replica": len(reported) * sizes.replica_seeds,
        "search": searches * sizes.search_trials,
        "beside": len(evenly) + sum(len(reported_beside(plan, arm)) for arm in evenly),
        "added": len(evenly) * sizes.added_trials,
        "confirm": searches * sizes.confirm_points * sizes.confirm_seeds,
        "final": len(arms) * sizes.final_seeds,
    }
