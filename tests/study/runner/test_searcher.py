"""The search that hands out trials, and the schedule that stops them, without Ray around them."""

import json
from types import SimpleNamespace

import pytest
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from study.design.record import final_records
from study.design.stages import due_trials, remaining_search_trials
from study.execution.run_trial import make_record
from study.execution.stop import Stop
from study.runner.cluster import Cluster, TrialSlots
from study.runner.scheduler import StudyScheduler, find_cause
from study.runner.searcher import MAX_CONSECUTIVE_FAILURES, MAX_LOST_PROCESSES, StudySearch
from study.runner.trainable import epoch_report, final_report
from study.search.database import SearchDatabase
from study.store.ledger import Ledger


@pytest.fixture
def made(tmp_path):
    opened = []

    def make(plan, cores=2.0):
        ledger, database = Ledger(tmp_path), SearchDatabase(tmp_path, plan)
        opened.extend((database, ledger))
        return StudySearch(
            plan,
            ledger,
            database,
            slots=TrialSlots(Cluster(), 1, lambda: [{"Alive": True, "Resources": {"CPU": cores}}]),
            stop=Stop(),
            commit="c0ffee",
        )

    yield make
    for thing in opened:
        thing.close()


def end(search, name, status="finished", score=0.5):
    trial = search.running[name]
    record = make_record(
        trial,
        status,
        "c0ffee",
        result={"score": score} if status == "finished" else {},
        error="it broke" if status == "failed" else "",
    )
    search.on_trial_complete(name, final_report(record))


def test_no_more_trials_than_places_and_none_twice(toy, made):
    search = made(toy.plan())
    first, second = search.suggest("a"), search.suggest("b")
    assert json.loads(first["trial"])["id"] != json.loads(second["trial"])["id"]
    assert search.suggest("c") is None
    end(search, "a")
    assert search.suggest("c")["trial"] not in (first["trial"], second["trial"])


def test_a_lost_process_is_no_failure_until_it_was_lost_too_often(toy, made):
    search = made(toy.plan())
    trial = json.loads(search.suggest("0")["trial"])["id"]
    for count in range(1, MAX_LOST_PROCESSES + 1):
        search.loss_causes[str(count - 1)] = "the node died"
        search.on_trial_complete(str(count - 1), error=True)
        search.paused_until = 0.0
        if count < MAX_LOST_PROCESSES:
            assert not search.ledger.records
            assert json.loads(search.suggest(str(count))["trial"])["id"] == trial, "it goes on"
    assert [record.status for record in search.ledger.records] == ["failed"]
    assert "died 4 times, the last time since the node died" in search.ledger.records[0].error
    assert json.loads(search.suggest("x")["trial"])["id"] != trial


def test_a_trial_that_fails_is_tried_twice_and_when_all_fail_the_study_stops(toy, made):
    search = made(toy.plan(), cores=1.0)
    tried = []
    for number in range(MAX_CONSECUTIVE_FAILURES):
        tried.append(json.loads(search.suggest(str(number))["trial"])["id"])
        end(search, str(number), "failed")
    assert len(set(tried)) == MAX_CONSECUTIVE_FAILURES / 2
    assert search.stop.hopeless_reason == (
        f"the last {MAX_CONSECUTIVE_FAILURES} attempts failed; the last: it broke "
        "(the whole traceback: error in the last line of records.jsonl)"
    )
    assert search.suggest("x") == Searcher.FINISHED


def test_after_a_signal_nothing_begins_and_what_stops_leaves_no_record(toy, made):
    search = made(toy.plan())
    search.suggest("a")
    search.stop.signalled = True
    assert search.suggest("b") == Searcher.FINISHED
    search.on_trial_complete("a", {"epoch": 1, "loss": 1.0})
    assert not search.ledger.records
    assert not search.finished


def test_a_failing_point_of_an_adaptive_search_is_replaced_and_takes_nothing_of_its_budget(
    toy, made
):
    plan = toy.plan(explore=True, search_trials=3)
    search = made(plan, cores=1.0)
    broken = json.loads(search.suggest("0")["trial"])
    end(search, "0", "failed")
    assert json.loads(search.suggest("1")["trial"])["point"] == broken["point"], "tried once more"
    end(search, "1", "failed")
    for number in range(3):
        asked = json.loads(search.suggest(f"s{number}")["trial"])
        assert (asked["stage"], asked["point"] != broken["point"]) == ("search", True)
        end(search, f"s{number}", score=0.1 * number)
    assert remaining_search_trials(plan, final_records(search.ledger.records)) == 0
    assert json.loads(search.suggest("n")["trial"])["stage"] != "search"


def test_a_search_that_chooses_the_very_point_of_the_other_arm_still_gives_pairs(toy, made):
    """The known point is what the fixed arm runs at; its final trials must not be taken for the other arm's."""
    plan = toy.plan(explore=True, search_trials=1, confirm_points=1)
    search = made(plan, cores=1.0)
    number = 0
    while (suggested := search.suggest(str(number))) != Searcher.FINISHED:
        if suggested:
            end(search, str(number))
        number += 1
    done = final_records(search.ledger.records)
    finals = [trial for trial in due_trials(plan, done) if trial.stage == "final"]
    assert len({trial.id for trial in finals}) == len(finals) == 14
    assert all(trial.id in done for trial in finals)


class Trials:
    """A schedule with trials of an adaptive search in it."""

    def __init__(self, search, folder):
        self.search, self.schedule = search, StudyScheduler(search, folder)

    def begin(self, name):
        suggested = self.search.suggest(name)
        self.schedule.on_trial_add(None, SimpleNamespace(trial_id=name))
        return json.loads(suggested["trial"])["id"]

    def tell(self, name, epoch, accuracy):
        row = {"epoch": epoch, "loss": 1.0, "progress": accuracy}
        return self.schedule.on_trial_result(
            None, SimpleNamespace(trial_id=name), epoch_report(row)
        )


def test_what_lags_is_stopped_recorded_as_stopped_and_the_last_epoch_is_never_judged(
    toy, made, tmp_path
):
    trials = Trials(made(toy.plan(explore=True, overrides={"epochs": 3}), cores=9.0), tmp_path)
    names = "abcdef"
    for name in names:
        trials.begin(name)
    said = {name: trials.tell(name, 1, 0.9 - 0.1 * i) for i, name in enumerate(names)}
    assert said["a"] == TrialScheduler.CONTINUE
    assert said["f"] == TrialScheduler.STOP
    trials.search.on_trial_complete("f", {"epoch": 1})
    assert [(record.status, len(record.curve)) for record in trials.search.ledger.records] == [
        ("stopped", 1)
    ]
    assert trials.tell("a", 3, 0.0) == TrialScheduler.CONTINUE


def test_epochs_that_an_earlier_attempt_trained_are_not_judged_again(toy, made, tmp_path):
    search = made(toy.plan(explore=True, overrides={"epochs": 9}), cores=9.0)
    trials = Trials(search, tmp_path / "trials")
    first = trials.begin("a")
    trials.tell("a", 3, 0.1)
    for name in "bcd":
        trials.begin(name)
        trials.tell(name, 3, 0.9)
    search.on_trial_complete("a", error=True)
    search.paused_until = 0.0
    folder = tmp_path / "trials" / first
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text(
        "".join(json.dumps({"epoch": epoch}) + "\n" for epoch in range(1, 6))
    )
    assert trials.begin("e") == first
    assert [trials.tell("e", epoch, 0.1) for epoch in range(1, 6)] == [TrialScheduler.CONTINUE] * 5
    assert trials.tell("e", 6, 0.1) == TrialScheduler.CONTINUE, "alone on its rung"


def test_rays_message_is_cut_down_to_its_cause():
    text = "Failure # 1\n\x1b[36mray::x\x1b[39m\nThe actor is dead because its node has died.\nmore"
    assert find_cause(text) == "The actor is dead because its node has died"


def test_a_result_without_the_number_that_the_study_is_about_is_a_failure(toy, made):
    search = made(toy.plan(), cores=1.0)
    json.loads(search.suggest("1")["trial"])
    trial = search.running["1"]
    record = make_record(trial, "finished", "", result={"dist": 0.5})
    search.on_trial_complete("1", {"outcome": json.dumps(record.to_dict())})
    (ended,) = search.ledger.records
    assert ended.status == "failed"
    assert ended.error == (
        "the result must hold score, a finite number; it is None. The result has dist"
    )


def test_what_was_raised_is_the_cause_where_ray_names_none():
    text = (
        'Failure # 1 (occurred at 2026-11-29_20-32-41)\nTraceback (most recent call last):\n  File "node.py", line 3\n'
        "ray.exceptions.RaySystemError: System error: No module named 'mine'\ntraceback: Traceback\n"
        "ModuleNotFoundError: No module named 'mine'\n"
    )
    assert find_cause(text) == "ModuleNotFoundError: No module named 'mine'"
