"""study.json: what of a plan may change later, and files of version 0.1.

In those the space's own values stood among the plan's. The two files here were written by that version (commit 41f7b6c);
their "trials" are the ids of the trials that were due.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sweep import sweep
from toy import DATA, EXPLORING, SPACE

from study.design.facts import DataFacts
from study.design.space import Arm, Reported, ResultCurve
from study.design.stages import due_trials
from study.errors import StudyError
from study.report.page import write_report
from study.search.quasi_random import sobol_points
from study.store.ledger import Ledger
from study.store.plan_json import plan_from_dict
from study.store.study_file import Change, count_early_finals, fix_plan, read_study

HERE = Path(__file__).parent
FACTS = replace(
    DATA,
    bundled=True,
    chance={"score": 0.5},
    provenance=(("Views", "digits, each image with random parameters of its own"),),
)
LATE = Arm(
    "blue-late", "Blue late", {}, {}, {}, False, of="blue", reads={"score": "late"},
    curve=ResultCurve("score", ("curves", "late")), group="late", at=2.0,
)  # fmt: skip
# the space of the file as today's version writes it
EVEN = replace(
    SPACE,
    arms=(*SPACE.arms[:2], LATE),
    claims=SPACE.claims[:4],
    reported=(Reported("T1", "score", "69.3 %", "blue", "score", "final", "Much"),),
    axis="lateness",
)
ADAPTIVE = replace(EXPLORING, explore=replace(EXPLORING.explore, judge="knn_accuracy"))


@pytest.fixture(params=["study_0_1", "study_0_1_adaptive"])
def old(request, tmp_path):
    shutil.copy(HERE / f"{request.param}.json", tmp_path / "study.json")
    return tmp_path


@pytest.fixture
def even(tmp_path):
    shutil.copy(HERE / "study_0_1.json", tmp_path / "study.json")
    return tmp_path


def continued(toy, seeds=9):
    """The plan of the command that goes on with the even study."""
    plan = toy.plan(space=EVEN, data=FACTS, overrides={"epochs": 4}, final_seeds=seeds)
    return replace(plan, found={"blue": {"best": 0.02}})


def test_an_arm_that_was_absent_may_come_and_one_that_was_there_may_not_go(toy, tmp_path):
    about = toy.about(command=["--space", "toy"], created="now")
    fix_plan(tmp_path, sweep(absent={"blue": "no network"}), about)
    still = fix_plan(tmp_path, sweep(absent={"blue": "still no network"}), about)
    assert still.absent == {"blue": "no network"}
    was = read_study(tmp_path, sobol_points).hash
    now = fix_plan(tmp_path, sweep(found={"blue": {"best": 0.02}}), about, seen=True)
    assert now.absent == {}
    study = read_study(tmp_path, sobol_points)
    assert study.about.changes == [Change("now", [], ["blue"], True, plan=was)]
    assert now.interim_analyses == 1  # nothing that was tested is tested again
    assert study.plan.to_dict() == now.to_dict()
    with pytest.raises(
        StudyError, match="holds a study in which Blue is run; what that needs is not here now"
    ):
        fix_plan(tmp_path, sweep(absent={"blue": "gone"}), about)
    with pytest.raises(StudyError, match=r"found.blue.best was 0.02 and is now 0.3"):
        fix_plan(tmp_path, sweep(found={"blue": {"best": 0.3}}), about)


def test_a_file_of_version_0_1_gives_its_plan_and_the_very_same_trials(old):
    study = read_study(old, sobol_points)
    ids = json.loads((old / "study.json").read_text())["trials"]
    assert [trial.id for trial in due_trials(study.plan, {})] == ids
    assert study.plan.data == FACTS
    again = plan_from_dict(json.loads(json.dumps(study.plan.to_dict())), sobol_points)
    assert again.to_dict() == study.plan.to_dict()


def test_all_of_it_is_kept(even):
    study = read_study(even, sobol_points)
    plan = study.plan
    assert plan.space.arms == EVEN.arms
    assert (plan.space.claims, plan.space.reported) == (EVEN.claims, EVEN.reported)
    assert (plan.space.replica, plan.space.collapse) == (EVEN.replica, EVEN.collapse)
    assert (plan.space.name, plan.space.axis, plan.profile) == ("toy", "lateness", "quick")
    assert (plan.found, plan.interim_analyses) == ({"blue": {"best": 0.02}}, 2)
    assert study.about.command == ["--space", "toy", "--seeds", "9"]
    assert study.about.changes == [
        Change("2026-11-26T04:45:00Z", ["sizes.final_seeds was 7 and is now 9"], [], True)
    ]


def test_a_search_of_version_0_1_is_kept(tmp_path):
    shutil.copy(HERE / "study_0_1_adaptive.json", tmp_path / "study.json")
    assert read_study(tmp_path, sobol_points).plan.space.explore == ADAPTIVE.explore


def test_the_same_command_goes_on_with_it_and_a_larger_budget_extends_it(toy, even):
    before = (even / "study.json").read_text()
    assert fix_plan(even, continued(toy), toy.about()).interim_analyses == 2
    assert (even / "study.json").read_text() == before, "nothing to change"
    plan = fix_plan(even, continued(toy, seeds=12), toy.about(created="now"), seen=True)
    study = read_study(even, sobol_points)
    assert study.plan.to_dict() == plan.to_dict()
    assert (plan.interim_analyses, study.hash) == (3, plan.hash)
    assert [change.what for change in study.about.changes] == [
        ["sizes.final_seeds was 7 and is now 9"],
        ["sizes.final_seeds was 9 and is now 12"],
    ]


def test_another_plan_is_refused_as_ever(toy, even):
    other = replace(continued(toy), data=DataFacts(fingerprint="0" * 64))
    with pytest.raises(StudyError, match=r"another plan.*data\.fingerprint was"):
        fix_plan(even, other, toy.about())


def test_its_page_is_drawn(toy, even):
    plan = read_study(even, sobol_points).plan
    ledger = Ledger(even)
    ledger.plan = read_study(even, sobol_points).hash
    for record in toy.run_all(plan, toy.task, even):
        ledger.append(record)
    ledger.close()
    assert write_report(even).answer.startswith("On none: Yes, by ")
    page = (even / "report.html").read_text()
    assert "Blue scores higher than red" in page
    assert "digits, each image with random parameters of its own" in page


def early_study(toy, folder, started, stage="final"):
    """The plan of a folder that was made at noon, and one record that began at another time."""
    plan = toy.plan()
    fix_plan(folder, plan, toy.about(created="2026-11-29T12:00:00Z"))
    trial = next(one for one in toy.run_all(plan, toy.task, folder) if one.stage == stage)
    return plan, [replace(trial, started=started)]


def test_final_records_from_before_the_plan_count_as_an_analysis_once(toy, tmp_path):
    plan, records = early_study(toy, tmp_path, "2026-11-29T11:59:59Z")
    counted = count_early_finals(tmp_path, plan, records, "later")
    assert counted.interim_analyses == plan.interim_analyses + 1
    assert count_early_finals(tmp_path, counted, records, "later") == counted
    assert [change.early for change in read_study(tmp_path, sobol_points).about.changes] == [1]
    again = fix_plan(tmp_path, plan, toy.about())
    assert count_early_finals(tmp_path, again, records, "later").hash == counted.hash


@pytest.mark.parametrize(
    ("started", "stage"),
    [("2026-11-29T12:00:00Z", "final"), ("", "final"), ("2026-11-29T11:59:59Z", "search")],
)
def test_other_records_count_as_none(toy, tmp_path, started, stage):
    plan, records = early_study(toy, tmp_path, started, stage)
    assert count_early_finals(tmp_path, plan, records, "later") == plan


def test_finals_that_are_adopted_as_the_budget_is_raised_count_too(toy, tmp_path):
    plan, records = early_study(toy, tmp_path, "2026-11-29T13:00:00Z")
    assert count_early_finals(tmp_path, plan, records, "now") == plan
    larger = toy.plan(final_seeds=plan.sizes.final_seeds + 2)
    raised = fix_plan(tmp_path, larger, toy.about(created="2026-11-29T14:00:00Z"))
    assert raised.interim_analyses == plan.interim_analyses, "no final record was in the folder"
    counted = count_early_finals(tmp_path, raised, records, "2026-11-29T14:00:00Z")
    assert counted.interim_analyses == plan.interim_analyses + 1
    assert count_early_finals(tmp_path, counted, records, "2026-11-29T15:00:00Z") == counted


def test_a_plan_that_is_written_again_before_its_first_trial_keeps_its_time(toy, tmp_path):
    plan = toy.plan()
    fix_plan(tmp_path, plan, toy.about(created="2026-11-29T12:00:00Z"))
    fix_plan(tmp_path, plan, toy.about(created="2026-11-29T13:00:00Z"), begun=False)
    assert read_study(tmp_path, sobol_points).about.created == "2026-11-29T12:00:00Z"
    other = toy.plan(final_seeds=9)
    fix_plan(tmp_path, other, toy.about(created="2026-11-29T14:00:00Z"), begun=False)
    assert read_study(tmp_path, sobol_points).about.created == "2026-11-29T14:00:00Z"
