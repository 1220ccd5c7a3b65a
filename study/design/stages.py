"""The stages of a study: which trials are due, given the records that exist. Pure functions.

replica   the report's setting, shared by all arms, several seeds
search    the same number of quasi-random points for every arm, one seed shared by all;
          beside it the arm's default and the replica's point, outside the budget
added     if an arm's best point lies at an edge of its range, points beyond that edge;
          the same allowance for every arm, once
confirm   the best few of each arm on new seeds; the best mean is chosen
final     the chosen point on fresh seeds, the same for all arms
control   what is no arm, as an untrained encoder, on the same seeds: what a result is read against

A search may be repeated, with points and seeds of its own each time. Each search then chooses
where the parabola through its best trial and the two beside it is highest, without a confirm
stage, and is scored on fresh seeds of its own. What the arms are compared by is the search, so
that its luck is a part of every interval.

One arm may be searched adaptively instead (`Explore`): its search trials are then those that the
search has made so far.
"""

import math
from collections.abc import Iterator, Sequence

from study.design.plan import SEARCH_SEED, SINGLE, Plan, Point
from study.design.ranges import LogRange
from study.design.record import Record
from study.design.space import Arm
from study.design.trial import Trial, trial_id

EDGE = 0.1  # share of a range's decades within which a best point counts as lying at the edge
MAX_STEP = 0.5  # decades from one added point to the next

Records = dict[str, Record]  # the final record of each trial, by its id


def make_trial(
    plan: Plan, stage: str, arm: Arm, seed: int, *, point: Point, why: str = ""
) -> Trial:
    """A trial of an arm at a point."""
    key = (stage, arm.name, seed, *point.items(), why)
    if key not in plan.trials:
        config = plan.config(arm, stage, point, seed)
        # an adaptive search may choose the very point of another arm
        own = arm.name if stage == "final" and is_adaptive(plan, arm) else ""
        plan.trials[key] = Trial(
            id=trial_id(config, plan.data.fingerprint + own, seed),
            stage=stage,
            arm=arm.name,
            seed=seed,
            point=point,
            config=config,
            why=why,
        )
    return plan.trials[key]


def due_trials(plan: Plan, records: Records) -> Iterator[Trial]:
    """Every trial that is known by now, finished ones included, in the order of running."""
    arms = plan.running
    yield from replica_trials(plan)
    yield from control_trials(plan)
    for arm in arms:
        if is_adaptive(plan, arm):
            yield from adaptive_trials(plan, arm, records)
    for search in plan.searches:
        for arm in arms:
            yield from search_trials(plan, arm, search)
        for arm in arms:
            yield from added_trials(plan, arm, records, search)
    for arm in arms:
        yield from confirm_trials(plan, arm, records)
    for search in plan.searches:
        chosen = [(arm, chosen_point(plan, arm, records, search)) for arm in arms]
        for seed in plan.final_seeds(search):
            for arm, point in chosen:
                if point is not None:
                    yield make_trial(plan, "final", arm, seed, point=point)


def current_records(plan: Plan, records: Records) -> Records:
    """The records of trials that are due; those of superseded points are excluded."""
    due = {trial.id for trial in due_trials(plan, records)}
    return {id: record for id, record in records.items() if id in due}


def replica_trials(plan: Plan) -> Iterator[Trial]:
    """The report's arms at the report's setting."""
    for seed in plan.seeds("replica"):
        for arm in plan.running:
            if plan.is_reported(arm):
                yield make_trial(plan, "replica", arm, seed, point=replica_point(plan, arm))


def control_trials(plan: Plan) -> Iterator[Trial]:
    """The controls: with every final seed, or with the first of each repeated search."""
    for search in plan.searches:
        seeds = plan.final_seeds(search)
        for seed in seeds[:1] if plan.repeats else seeds:
            for control in plan.controls:
                yield make_trial(plan, "control", control, seed, point={})


def replica_point(plan: Plan, arm: Arm) -> Point:
    """The report's values of an arm's nuisance parameters."""
    return {name: plan.space.replica.values[name] for name in arm.search}


def search_trials(plan: Plan, arm: Arm, search: int = SINGLE) -> Iterator[Trial]:
    """The quasi-random points of an arm, beside the first search others; none untuned."""
    if not arm.search:
        return
    yield from point_trials(plan, arm, search)
    if search == plan.searches[0]:
        for why, point in points_beside(plan, arm).items():
            yield make_trial(plan, "beside", arm, plan.search_seed(search), point=point, why=why)


def point_trials(plan: Plan, arm: Arm, search: int) -> Iterator[Trial]:
    """The quasi-random points of an arm in a search."""
    for point in plan.points(arm, search) if arm.search else ():
        yield make_trial(plan, "search", arm, plan.search_seed(search), point=point)


def points_beside(plan: Plan, arm: Arm) -> dict[str, Point]:
    """Points outside the budget: the arm's default, and the report's where it is another."""
    points = {"default": arm.default}
    if arm.in_report and plan.space.replica.values:
        reported = replica_point(plan, arm)
        points |= {"as reported": reported} if reported and reported != arm.default else {}
    return points


def is_adaptive(plan: Plan, arm: Arm) -> bool:
    """Whether the arm's points come from an adaptive search."""
    return plan.space.explore is not None and plan.space.explore.arm == arm.name


def adaptive_trials(plan: Plan, arm: Arm, records: Records) -> Iterator[Trial]:
    """What an adaptive search has tried so far; what it tries next it decides from these."""
    for record in records.values():
        if (record.stage, record.arm) == ("search", arm.name):
            yield make_trial(plan, "search", arm, SEARCH_SEED, point=record.point)


def remaining_search_trials(plan: Plan, records: Records) -> int:
    """How many trials the adaptive search may still make."""
    if (explore := plan.space.explore) is None:
        return 0
    made = sum(1 for _ in adaptive_trials(plan, plan.space.arm(explore.arm), records))
    return max(0, plan.sizes.search_trials - made)


def is_finished(plan: Plan, records: Records) -> bool:
    """Whether nothing is left to run; of given runs nothing ever is."""
    if plan.given:
        return True
    return is_complete(list(due_trials(plan, records)), records) and not remaining_search_trials(
        plan, records
    )


def selection_score(plan: Plan, record: Record) -> float:
    """What choices are made by, larger is better: the primary metric; -inf without a result."""
    metric = plan.space.primary
    value = record.metric(metric.name)
    if math.isnan(value):
        return -math.inf
    return value if metric.higher_is_better else -value


def rank_candidates(plan: Plan, arm: Arm, records: Records) -> list[Record]:
    """The records of a single search and its extension, best first; of equals the earlier."""
    order = {trial.id: i for i, trial in enumerate(candidate_trials(plan, arm, records))}
    own = [record for record in records.values() if record.trial in order]
    own = [record for record in own if record.arm == arm.name]
    return sorted(own, key=lambda record: (-selection_score(plan, record), order[record.trial]))


def candidate_trials(plan: Plan, arm: Arm, records: Records, search: int = SINGLE) -> list[Trial]:
    """The trials among which a search chooses the arm's point."""
    if is_adaptive(plan, arm):
        return list(adaptive_trials(plan, arm, records))
    return [*point_trials(plan, arm, search), *added_trials(plan, arm, records, search)]


def is_complete(trials: Sequence[Trial], records: Records) -> bool:
    """Whether each of the trials has its final record."""
    return all(trial.id in records for trial in trials)


def edge_side(span: LogRange, best: float, tried: Sequence[float]) -> int:
    """-1 or 1 where the best value lies at the lower or upper edge, else 0.

    At the edge: within a tenth of the decades, or outermost of all that were tried.
    """
    low, high = min(span.low, *tried), max(span.high, *tried)
    margin = EDGE * span.decades
    if best == min(tried) or math.log10(best / low) < margin:
        return -1
    return 1 if best == max(tried) or math.log10(high / best) < margin else 0


def added_trials(plan: Plan, arm: Arm, records: Records, search: int = SINGLE) -> Iterator[Trial]:
    """Points beyond the edge at which the arm's best point of a search lies.

    They lie one mean distance between search points apart, and at most half a decade.
    """
    searched = list(point_trials(plan, arm, search))
    if not arm.search or not is_complete(searched, records) or not plan.sizes.added_trials:
        return
    best = max(searched, key=lambda trial: selection_score(plan, records[trial.id]))
    for name, span in arm.search.items():
        tried = [trial.point[name] for trial in searched]
        side = edge_side(span, best.point[name], tried)
        step = 10 ** (side * min(span.decades / plan.sizes.search_trials, MAX_STEP))
        start = min(span.low, *tried) if side < 0 else max(span.high, *tried)
        for k in range(1, plan.sizes.added_trials + 1) if side else ():
            value = float(f"{start * step ** (k - 0.5):.4g}")
            point = {**best.point, name: value}
            yield make_trial(plan, "added", arm, plan.search_seed(search), point=point)


def confirm_trials(plan: Plan, arm: Arm, records: Records) -> Iterator[Trial]:
    """The arm's best points of a single search on new seeds, once all of its trials have ended."""
    if plan.repeats:
        return
    searching = is_adaptive(plan, arm) and remaining_search_trials(plan, records)
    if searching or not is_complete(candidate_trials(plan, arm, records), records):
        return
    for record in rank_candidates(plan, arm, records)[: plan.sizes.confirm_points]:
        for seed in plan.seeds("confirm"):
            yield make_trial(plan, "confirm", arm, seed, point=record.point)


def chosen_point(plan: Plan, arm: Arm, records: Records, search: int = SINGLE) -> Point | None:
    """What a search chooses for an arm; None until it has ended.

    A single search: the point with the best mean over the confirm seeds. A repeated one: see
    `highest_point`. An arm without parameters has its default.
    """
    if not plan.tuned(arm):
        return arm.default
    if search != SINGLE:
        candidates = candidate_trials(plan, arm, records, search)
        return highest_point(plan, arm, candidates, records)
    trials = list(confirm_trials(plan, arm, records))
    if not trials or not is_complete(trials, records):
        return None
    totals: dict[str, tuple[float, Point]] = {}
    for trial in trials:
        total, _ = totals.get(str(trial.point), (0.0, trial.point))
        score = selection_score(plan, records[trial.id])
        totals[str(trial.point)] = (total + score, trial.point)
    return max(totals.values(), key=lambda entry: entry[0])[1]


def highest_point(plan: Plan, arm: Arm, trials: Sequence[Trial], records: Records) -> Point | None:
    """Where the parabola through the best trial and its neighbours is highest.

    None until all have ended. In the logarithm of the parameter (parabolic interpolation, Brent
    1973, chapter 5). It lies between the neighbours, so a collapse further away does not move it.
    The best trial itself where it is the outermost, where a neighbour diverged, and where several
    parameters are tuned.
    """
    if not is_complete(trials, records):
        return None
    scores = {trial.id: selection_score(plan, records[trial.id]) for trial in trials}
    best = max(trials, key=lambda trial: scores[trial.id])
    if len(arm.search) != 1:
        return best.point
    (name,) = arm.search
    ordered = sorted(trials, key=lambda trial: trial.point[name])
    i = ordered.index(best)
    near = ordered[max(0, i - 1) : i + 2]
    if len(near) < 3 or not all(math.isfinite(scores[trial.id]) for trial in near):
        return best.point
    vertex = parabola_vertex(
        [math.log10(trial.point[name]) for trial in near], [scores[trial.id] for trial in near]
    )
    return {**best.point, name: float(f"{10**vertex:.4g}")}


def parabola_vertex(x: Sequence[float], y: Sequence[float]) -> float:
    """Where the parabola through three points is highest; y[1] is none of the lower ones."""
    left, right = (x[1] - x[0]) * (y[1] - y[2]), (x[2] - x[1]) * (y[1] - y[0])
    if left + right == 0:  # all level
        return x[1]
    return x[1] - ((x[1] - x[0]) * left - (x[2] - x[1]) * right) / (2 * (left + right))


def expected_trials(plan: Plan) -> dict[str, int]:
    """How many trials each stage has, before any ran; the added ones are an allowance."""
    arms, sizes = plan.running, plan.sizes
    evenly = [arm for arm in arms if arm.search]
    searches = len(evenly) * len(plan.searches) + (plan.space.explore is not None)
    confirmed = 0 if plan.repeats else searches
    return {
        "replica": sum(plan.is_reported(arm) for arm in arms) * sizes.replica_seeds,
        "search": searches * sizes.search_trials,
        "beside": sum(len(points_beside(plan, arm)) for arm in evenly),
        "added": len(evenly) * len(plan.searches) * sizes.added_trials,
        "confirm": confirmed * sizes.confirm_points * sizes.confirm_seeds,
        "final": len(arms) * len(plan.searches) * sizes.final_seeds,
        "control": len(plan.controls) * plan.pairs,
    }
