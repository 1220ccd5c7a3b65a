"""optuna.db holds every search trial once, with its state, and opens as Optuna studies."""

import contextlib
import sqlite3
import threading
from dataclasses import replace

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState
from toy import run_all

from study.errors import StudyError
from study.search.database import SearchDatabase


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_database_has_one_study_an_arm_and_each_trial_once(toy, tmp_path):
    plan = toy.plan(overrides={"best": 1.0})
    records = run_all(plan, toy.task, tmp_path)
    for _ in range(2):
        database = SearchDatabase(tmp_path, plan)
        database.add(records)
        database.add(records)
        database.close()
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'optuna.db'}")
    assert {study.study_name for study in optuna.get_all_study_summaries(storage)} == {
        "toy red",
        "toy blue",
        "toy green",
    }
    for arm in plan.space.arms:
        study = optuna.load_study(study_name=f"toy {arm.name}", storage=storage)
        mine = [
            r for r in records if r.arm == arm.name and r.stage in ("search", "added", "beside")
        ]
        assert sorted(t.user_attrs["trial"] for t in study.trials) == sorted(r.trial for r in mine)
        states = {t.user_attrs["trial"]: t.state for t in study.trials}
        assert all(
            (states[r.trial] == TrialState.COMPLETE) == (r.status == "finished") for r in mine
        )
        assert study.best_value == max(r.metric("score") for r in mine if r.status == "finished")
    storage.remove_session()
    storage.engine.dispose()


def test_a_damaged_database_is_moved_aside_and_made_again(toy, tmp_path):
    (tmp_path / "optuna.db").write_text(
        "this is no database, but it is long enough to be taken for one" * 20
    )
    SearchDatabase(tmp_path, toy.plan()).close()
    assert len(list(tmp_path.glob("optuna-damaged-*.db"))) == 1
    SearchDatabase(tmp_path, toy.plan()).close()
    assert len(list(tmp_path.glob("optuna-damaged-*.db"))) == 1


def test_the_dashboard_s_names_times_and_epochs_are_those_of_the_records(toy, tmp_path):
    plan = toy.plan()
    records = toy.run_all(plan, toy.task, tmp_path)
    ended = [
        replace(
            record,
            started="2026-01-01T10:00:00Z",
            ended="2026-01-01T10:00:07Z",
            curve=[{**row, "score": 0.1 * row["epoch"]} for row in record.curve],
        )
        if (record.stage, record.arm, record.status) == ("search", "red", "finished")
        else record
        for record in records
    ]
    database = SearchDatabase(tmp_path, plan)
    database.add(ended)
    study = database.studies["red"]
    assert study.metric_names == ["score"]
    trial = next(t for t in study.trials if t.user_attrs["stage"] == "search" and t.values)
    assert (trial.datetime_complete - trial.datetime_start).total_seconds() == 7
    assert trial.user_attrs["intermediate values"] == "score"
    assert list(trial.intermediate_values.values()) == pytest.approx([0.1, 0.2, 0.3])
    other = next(t for t in database.studies["blue"].trials if t.values)
    assert other.user_attrs["intermediate values"] == "loss"
    database.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_folder_s_name_may_hold_what_means_something_in_an_address(toy, tmp_path):
    folder = tmp_path / "q?m#1%20"
    folder.mkdir()
    SearchDatabase(folder, toy.plan()).close()
    assert (folder / "optuna.db").exists()
    assert [one.name for one in tmp_path.iterdir()] == [folder.name]


def test_records_that_a_held_database_does_not_take_wait_and_are_added_later(
    toy, tmp_path, monkeypatch
):
    plan = toy.plan()
    records = [one for one in toy.run_all(plan, toy.task, tmp_path) if one.stage == "search"]
    database = SearchDatabase(tmp_path, plan)
    add, held = database._add_one, [True]

    def add_unless_held(record):
        if held[0]:
            raise sqlalchemy.exc.OperationalError("insert", {}, Exception("database is locked"))
        add(record)

    monkeypatch.setattr(database, "_add_one", add_unless_held)
    database.add(records[:3])
    assert len(database.waiting) == 3
    held[0] = False
    database.add(records[3:])  # too early to try again
    assert len(database.waiting) == len(records)
    database.close()
    assert database.waiting == []


@pytest.mark.slow
def test_a_database_that_is_held_at_the_start_is_waited_for(tmp_path, toy):
    SearchDatabase(tmp_path, toy.plan()).close()
    lock = sqlite3.connect(tmp_path / "optuna.db", check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(7, lock.rollback)  # longer than SQLite waits by itself
    timer.start()
    SearchDatabase(tmp_path, toy.plan()).close()
    assert not timer.is_alive()
    lock.close()
    assert not list(tmp_path.glob("*damaged*"))


def test_a_database_that_is_held_for_too_long_is_named(tmp_path, toy, monkeypatch):
    monkeypatch.setattr("study.search.database.LONGEST_WAIT", 0.0)
    SearchDatabase(tmp_path, toy.plan()).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "optuna.db")) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StudyError, match=r"optuna\.db is held by another program"):
            SearchDatabase(tmp_path, toy.plan())
