"""The plan: the same after a trip through JSON, fixed in its folder, and never mixed with another."""

import json

import pytest

from study.design.stages import due_trials
from study.errors import StudyError
from study.search.quasi_random import sobol_points
from study.store.directory import open_study, preview_plan
from study.store.plan_json import plan_from_dict
from study.store.study_file import fix_plan, read_study


def through_json(plan):
    return plan_from_dict(json.loads(json.dumps(plan.to_dict())), sobol_points)


def test_a_plan_is_the_same_after_a_trip_through_json(toy):
    plan = toy.plan()
    again = through_json(plan)
    assert again.to_dict() == plan.to_dict()
    assert again.hash == plan.hash
    assert [trial.id for trial in due_trials(again, {})] == [t.id for t in due_trials(plan, {})]


def test_the_same_command_finds_its_folder_and_another_is_refused_with_the_difference(
    toy, tmp_path
):
    fix_plan(tmp_path, toy.plan(), toy.about(command=[]))
    fix_plan(tmp_path, toy.plan(), toy.about(command=["again"]))
    assert read_study(tmp_path, sobol_points).about.command == []
    with pytest.raises(
        StudyError,
        match=r"holds a study with another plan.*sizes\.confirm_seeds was 2 and is now 3",
    ):
        fix_plan(tmp_path, toy.plan(confirm_seeds=3), toy.about())
    with pytest.raises(
        StudyError, match=r"holds a study with --seeds 7, and a budget is only ever raised; got 6"
    ):
        fix_plan(tmp_path, toy.plan(final_seeds=6), toy.about())
    with pytest.raises(StudyError, match=r"overrides\.epochs was null and is now 5"):
        fix_plan(tmp_path, toy.plan(overrides={"epochs": 5}), toy.about())


def test_a_larger_budget_extends_the_plan_and_after_a_look_shares_the_error_rate(toy, tmp_path):
    fix_plan(tmp_path, toy.plan(), toy.about(command=["first"], created="then"))
    larger = fix_plan(tmp_path, toy.plan(search_trials=6), toy.about(created="now"))
    assert larger.interim_analyses == 1
    larger = fix_plan(
        tmp_path,
        toy.plan(search_trials=6, final_seeds=9),
        toy.about(created="later", command=["last"]),
        seen=True,
    )
    assert (larger.interim_analyses, larger.sizes.final_seeds) == (2, 9)
    study = read_study(tmp_path, sobol_points)
    assert (study.about.command, study.hash) == (["last"], larger.hash)
    assert [change.what for change in study.about.changes] == [
        ["sizes.search_trials was 5 and is now 6"],
        ["sizes.final_seeds was 7 and is now 9"],
    ]
    again = fix_plan(tmp_path, toy.plan(search_trials=6, final_seeds=9), toy.about(), seen=True)
    assert again.to_dict() == larger.to_dict(), "the same command again is no look"


def test_the_plan_that_a_folder_gives_back_can_be_run(toy, tmp_path):
    fix_plan(tmp_path, toy.plan(), toy.about())
    again = fix_plan(tmp_path, toy.plan(), toy.about())
    assert again.space.trainer is toy.TRAINER
    assert [t.id for t in due_trials(again, {})] == [t.id for t in due_trials(toy.plan(), {})]


def test_a_folder_that_another_run_writes_to_is_named(toy, tmp_path):
    plan, ledger = open_study(tmp_path, toy.plan(), toy.about())
    with pytest.raises(StudyError, match="is being written by another run"):
        open_study(tmp_path, toy.plan(), toy.about())
    ledger.close()
    (tmp_path / "trials").mkdir()
    with pytest.raises(StudyError, match="another plan"):
        open_study(tmp_path, toy.plan(confirm_seeds=3), toy.about())
    again, ledger = open_study(tmp_path, toy.plan(), toy.about())
    ledger.close()
    assert again.to_dict() == plan.to_dict(), "a refusal lets go of the folder"


def test_another_plan_takes_the_place_of_one_that_was_not_begun(toy, tmp_path):
    _, ledger = open_study(tmp_path, toy.plan(), toy.about())
    ledger.close()
    other = toy.plan(confirm_seeds=3)
    assert preview_plan(tmp_path, other) == (other, False, False)
    plan, ledger = open_study(tmp_path, other, toy.about())
    ledger.close()
    assert plan == other
    assert read_study(tmp_path, sobol_points).plan.to_dict() == other.to_dict()


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(StudyError, match="holds no study"):
        read_study(tmp_path, sobol_points)
    for content in ("{", "{}", "[]", '{"plan": {"space": "toy"}}', '{"plan": {"space": {}}}'):
        (tmp_path / "study.json").write_text(content)
        with pytest.raises(StudyError, match="cannot be read"):
            read_study(tmp_path, sobol_points)
    with pytest.raises(StudyError, match="holds no study"):
        read_study(tmp_path / "study.json", sobol_points)


def test_an_out_that_is_a_file_is_refused(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="must be a folder that can be written"):
        fix_plan(tmp_path / "file", toy.plan(), toy.about())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"lr": 1.0}, "--set lr is not free"),
        ({"colour": "blue"}, "--set colour is not free"),
        ({"split": "test"}, "--set split is not free"),
        ({"size": 1}, "is no field"),
    ],
)
def test_an_override_of_what_the_study_sets_is_refused(toy, overrides, sentence):
    with pytest.raises(StudyError, match=sentence):
        toy.plan(overrides=overrides)


def test_stages_that_would_share_a_seed_are_refused(toy):
    with pytest.raises(
        StudyError,
        match="the replica stage takes at most 20 seeds, so that no two stages share one; got 25",
    ):
        toy.plan(replica_seeds=25)


def test_an_override_reaches_every_trial(toy):
    plan = toy.plan(overrides={"epochs": 9})
    assert {trial.config["epochs"] for trial in due_trials(plan, {})} == {9}
