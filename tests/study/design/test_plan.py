"""The plan: the same after a trip through JSON, fixed in its folder, and never mixed with another."""

import json
from dataclasses import asdict

import pytest

from study.design.plan import plan_of
from study.errors import StudyError
from study.store.directory import open_study, standing_plan
from study.store.study_file import fix_plan, read_study


def test_a_plan_is_the_same_after_a_trip_through_json(toy):
    plan = toy.plan()
    again = plan_of(json.loads(json.dumps(asdict(plan))))
    assert again == plan
    assert again.hash == plan.hash


def test_the_same_command_finds_its_folder_and_another_is_refused_with_the_difference(
    toy, tmp_path
):
    fix_plan(tmp_path, toy.plan(), {"command": []})
    fix_plan(tmp_path, toy.plan(), {"command": ["again"]})
    assert read_study(tmp_path)["command"] == []
    with pytest.raises(
        StudyError,
        match=r"holds a study with another plan.*sizes\.confirm_seeds was 2 and is now 3",
    ):
        fix_plan(tmp_path, toy.plan(confirm_seeds=3), {})
    with pytest.raises(
        StudyError, match=r"holds a study with --seeds 7, and a budget is only ever raised; got 6"
    ):
        fix_plan(tmp_path, toy.plan(final_seeds=6), {})
    with pytest.raises(StudyError, match=r"overrides\.epochs was null and is now 5"):
        fix_plan(tmp_path, toy.plan(overrides={"epochs": 5}), {})


def test_a_larger_budget_extends_the_plan_and_after_a_look_shares_the_error_rate(toy, tmp_path):
    fix_plan(tmp_path, toy.plan(), {"command": ["first"], "created": "then"})
    assert fix_plan(tmp_path, toy.plan(search_trials=6), {"created": "now"}).looks == 1
    larger = fix_plan(
        tmp_path,
        toy.plan(search_trials=6, final_seeds=9),
        {"created": "later", "command": ["last"]},
        seen=True,
    )
    assert (larger.looks, larger.sizes.final_seeds) == (2, 9)
    study = read_study(tmp_path)
    assert (study["command"], study["hash"]) == (["last"], larger.hash)
    assert [change["what"] for change in study["changes"]] == [
        ["sizes.search_trials was 5 and is now 6"],
        ["sizes.final_seeds was 7 and is now 9"],
    ]
    assert fix_plan(tmp_path, toy.plan(search_trials=6, final_seeds=9), {}, seen=True) == larger, (
        "the same command again is no look"
    )


def test_a_folder_that_another_run_writes_to_is_named(toy, tmp_path):
    plan, ledger = open_study(tmp_path, toy.plan(), {})
    with pytest.raises(StudyError, match="is being written by another run"):
        open_study(tmp_path, toy.plan(), {})
    ledger.close()
    (tmp_path / "trials").mkdir()
    with pytest.raises(StudyError, match="another plan"):
        open_study(tmp_path, toy.plan(confirm_seeds=3), {})
    again, ledger = open_study(tmp_path, toy.plan(), {})
    ledger.close()
    assert again == plan, "a refusal lets go of the folder"


def test_another_plan_takes_the_place_of_one_that_was_not_begun(toy, tmp_path):
    _, ledger = open_study(tmp_path, toy.plan(), {})
    ledger.close()
    other = toy.plan(confirm_seeds=3)
    assert standing_plan(tmp_path, other) == (other, False)
    plan, ledger = open_study(tmp_path, other, {})
    ledger.close()
    assert plan == other == plan_of(read_study(tmp_path)["plan"])


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(StudyError, match="holds no study"):
        read_study(tmp_path)
    for content in ("{", "{}", '{"plan": {"space": "toy"}}'):
        (tmp_path / "study.json").write_text(content)
        with pytest.raises(StudyError, match="cannot be read"):
            read_study(tmp_path)
    with pytest.raises(StudyError, match="holds no study"):
        read_study(tmp_path / "study.json")


def test_an_out_that_is_a_file_is_refused(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="must be a folder that can be written"):
        fix_plan(tmp_path / "file", toy.plan(), {})


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
    from study.design.stages import due

    assert {trial.config["epochs"] for trial in due(toy.plan(overrides={"epochs": 9}), {})} == {9}
