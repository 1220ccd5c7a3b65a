"""An adaptive search: conditional parameters, known points first, states told as they are, and the same proposals after a restart."""

import math
from dataclasses import replace

import optuna
import pytest
import toy as toy_module
from optuna.trial import TrialState

from study.design.ranges import By, Choice, LogRange, OneMinus, Powers
from study.design.record import Record
from study.design.space import Explore
from study.search.distributions import suggest_point, to_parameters
from study.search.importance import parameter_importances
from study.search.tpe import AdaptiveSearch

SEARCH = {
    "optimizer": Choice(("sgd", "adam")),
    "lr": By("optimizer", {"sgd": LogRange(1e-3, 1.0), "adam": LogRange(1e-5, 1e-2)}),
    "queue": Powers(64, 1024),
    "memory": OneMinus(1e-4, 0.5),
}
KNOWN = {"optimizer": "sgd", "lr": 0.03, "queue": 256, "memory": 0.99}
SCORE = toy_module.SPACE.metric("score")
EXPLORE = Explore("blue", SEARCH, (("score", True), ("seconds", False)), known=(KNOWN,), random=3)


def record(point, status="finished", score=0.5, seconds=1.0, number=0):
    result = {"score": score} if status == "finished" else {}
    return Record(
        trial=f"t{number}",
        stage="search",
        arm="blue",
        seed=0,
        status=status,
        config={},
        point=point,
        why="",
        curve=[],
        result=result,
        error="",
        seconds=seconds,
        device="",
        versions={},
        commit="",
        started="",
        ended=f"then {number}",
    )


def truth(point):
    best = {"sgd": 0.1, "adam": 1e-3}[point["optimizer"]]
    return (
        0.9
        - 0.2 * abs(math.log10(point["lr"] / best))
        - (0.1 if point["optimizer"] == "sgd" else 0.0)
    )


def explorer(folder, explore=EXPLORE):
    return AdaptiveSearch(
        optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}"), toy_module.plan(), explore
    )


def test_a_point_goes_to_optuna_and_back():
    for point in (KNOWN, {"optimizer": "adam", "lr": 2e-4, "queue": 1024, "memory": 0.9997}):
        params, spans = to_parameters(SEARCH, point)
        assert (
            set(params)
            == {"optimizer", f"lr of {point['optimizer']}", "log2 queue", "1 - memory"}
            == set(spans)
        )
        assert suggest_point(SEARCH, optuna.trial.FixedTrial(params)) == point


def test_a_point_outside_its_range_carries_a_wider_one():
    _, spans = to_parameters(SEARCH, {**KNOWN, "lr": 9.0, "queue": 4096})
    assert (spans["lr of sgd"].high, spans["log2 queue"].high) == (9.0, 12)


def test_known_points_come_first_and_each_optimizer_has_a_rate_of_its_own(tmp_path):
    search = explorer(tmp_path)
    points = [search.propose() for _ in range(12)]
    assert points[0] == KNOWN
    for point in points:
        span = SEARCH["lr"].spans[point["optimizer"]]
        assert span.low <= point["lr"] <= span.high
        assert point["queue"] in (64, 128, 256, 512, 1024)
        assert 0.5 <= point["memory"] <= 0.9999


def test_states_reach_optuna_as_they_are_and_do_not_break_the_next_proposal(tmp_path):
    search = explorer(tmp_path)
    for number, status in enumerate(
        ["finished", "stopped", "diverged", "failed", *["finished"] * 6]
    ):
        search.tell(record(search.propose(), status, 0.1 * number, number=number))
    search.propose()
    trials = search.study.trials
    states = [trial.state for trial in trials[:4]]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert [trial.user_attrs["status"] for trial in trials[:4]] == [
        "finished",
        "stopped",
        "diverged",
        "failed",
    ]
    assert trials[4].values == [0.4, 1.0]
    assert trials[-1].state == TrialState.RUNNING


def test_what_was_asked_for_and_has_not_ended_is_asked_for_again_after_a_restart(tmp_path):
    search = explorer(tmp_path)
    first, second = search.propose(), search.propose()
    search.tell(record(first))
    again = explorer(tmp_path)
    assert again.propose() == second
    again.tell(record(second, number=1))
    assert [trial.state for trial in again.study.trials] == [TrialState.COMPLETE] * 2, (
        "nothing is asked for twice, known points included"
    )


def test_a_result_that_a_kill_kept_from_being_told_is_told_after_the_restart(tmp_path):
    search = explorer(tmp_path)
    ended = record(search.propose())
    (trial,) = search.open.values()
    trial.set_user_attr("record", f"{ended.trial} {ended.ended}")  # and then the kill
    again = explorer(tmp_path)
    again.tell(ended)
    assert [trial.state for trial in again.study.trials] == [TrialState.COMPLETE]
    again.tell(ended)
    assert len(again.study.trials) == 1


@pytest.mark.parametrize("objectives", [(("score", True),), (("score", True), ("seconds", False))])
def test_proposals_are_a_function_of_what_was_told(tmp_path, objectives):
    explore = replace(EXPLORE, objectives=objectives)
    runs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        search, points = explorer(tmp_path / name, explore), []
        for number in range(8):
            points.append(search.propose())
            search.tell(record(points[-1], score=truth(points[-1]), number=number))
            if name == "other" and number == 5:
                search = explorer(tmp_path / name, explore)
        runs.append(points)
    assert runs[0] == runs[1]
    assert len({str(point) for point in runs[0]}) == 8


def test_a_lost_database_is_made_again_from_the_records(tmp_path):
    search = explorer(tmp_path)
    for number in range(4):
        search.tell(record({**KNOWN, "lr": 0.01 * (number + 1)}, score=0.1 * number, number=number))
        search.tell(record({**KNOWN, "lr": 0.01 * (number + 1)}, score=0.1 * number, number=number))
    assert [
        trial.values[0] for trial in search.study.get_trials(states=(TrialState.COMPLETE,))
    ] == [0.0, 0.1, 0.2, pytest.approx(0.3)]


def test_the_search_finds_what_matters_and_says_so(tmp_path):
    search, records = (
        explorer(tmp_path, replace(EXPLORE, objectives=(("score", True),), random=10)),
        [],
    )
    for number in range(40):
        point = search.propose()
        records.append(record(point, score=truth(point), number=number))
        search.tell(records[-1])
    late = [truth(r.point) for r in records[-10:]]
    assert sum(late) / 10 > sum(truth(r.point) for r in records[:10]) / 10 + 0.1
    shares = parameter_importances(EXPLORE, records, SCORE)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert next(iter(shares)) in ("optimizer", "lr of adam", "lr of sgd")
    assert parameter_importances(EXPLORE, records[:10], SCORE) == {}, "too few trials say nothing"
