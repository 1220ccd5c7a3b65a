"""Arms that are read off the trials of others, arms that cannot be run here, values along an axis, and printed numbers."""

import json
import math
from dataclasses import replace

import pytest
from sweep import sweep, sweep_task
from test_page import read, write_study
from toy import run_all

from study.analysis.forecast import mean_seconds
from study.analysis.results import Results
from study.design.record import Record
from study.design.stages import due_trials, expected_trials
from study.errors import StudyError
from study.report.answer import answer
from study.report.page import write_report
from study.report.provenance.threats import threat_lines
from study.report.remedies import what_would_change
from study.report.sections.ordered_parameter import ordered_means
from study.report.sections.published_numbers import published_numbers
from study.search.quasi_random import sobol_points
from study.store.plan_json import plan_from_dict


@pytest.fixture
def results(tmp_path):
    plan = sweep()
    return Results(plan, run_all(plan, sweep_task, tmp_path))


def test_one_trial_a_seed_serves_all_its_readings(results):
    plan, records = results.plan, results.records
    assert {record.arm for record in records} == {"red", "blue"}
    assert len(records) == 2 * 7 + 2 * 6 == sum(expected_trials(plan).values())
    verdict = results.verdicts[0]
    assert verdict.label == "supported"
    assert verdict.result.mean == pytest.approx(10.0)
    assert verdict.result.n == 7


def test_a_caveat_of_an_arm_that_ran_stands_among_the_threats(results):
    epochs = results.plan.base["epochs"]
    assert f"Blue is blue and has {epochs} epochs." in threat_lines(results)


def test_a_printed_difference_stands_beside_ours_and_other_data_have_no_number(results):
    rows = published_numbers(results).shown.rows
    assert (
        rows[2][3]
        == "red 30 − red 10, score: −10.0 points [−10.0, −10.0], n = 7 pairs, final stage"
    )
    assert rows[3][3:] == ["other data: --dataset others gives it", "–"]


def test_a_study_that_has_not_ended_says_so_and_how_it_goes_on(results):
    plan = results.plan
    some = [r for r in results.records if r.stage != "final" or r.seed < 103]
    verdict = Results(plan, some).verdicts[0]
    assert (
        "Not testable. The study has not ended: 2 of 7 seeds finished in both arms so far."
        in " ".join(answer(Results(plan, some)))
    )
    assert (
        what_would_change(plan, verdict)
        == "Finished trials are saved; run the same command to continue."
    )


def test_one_pair_has_no_interval_to_name(tmp_path):
    plan = sweep()
    plan = replace(plan, sizes=replace(plan.sizes, final_seeds=1))
    records = run_all(plan, sweep_task, tmp_path)
    said = " ".join(answer(Results(plan, records)))
    assert said.endswith(
        "Not testable. 1 seed in both arms, at least 6 are needed. Measured: +10.0 points, one pair (n = 1 pair, no interval)."
    )


def test_the_estimate_counts_every_arm_once_and_says_whose_trials_it_knows():
    plan, spent = sweep(), {"red": 10.0, "blue": 20.0}
    trials = [trial for trial in due_trials(plan, {}) if trial.stage == "final"]
    kept = [trial for trial in trials if trial.arm == "red" or trial.seed < 103]
    some = [
        Record(
            trial=t.id,
            stage=t.stage,
            arm=t.arm,
            seed=t.seed,
            status="finished",
            config={},
            point={},
            why="",
            curve=[],
            result={},
            error="",
            seconds=spent[t.arm],
            device="",
            versions={},
            commit="",
            started="",
            ended="",
        )
        for t in kept
    ]
    assert mean_seconds(Results(plan, some)) == (15.0, "as those that ended")
    assert mean_seconds(Results(plan, [r for r in some if r.arm == "red"])) == (
        10.0,
        "as those that ended, of 1 of 2 arms",
    )
    assert math.isnan(mean_seconds(Results(plan, []))[0])


def test_a_reading_has_the_epochs_of_its_list(results):
    record = next(r for r in results.by_arm if r.arm == "red-10" and r.stage == "replica")
    assert [row["epoch"] for row in record.curve] == [1, 2]
    assert record.curve[1]["score"] == record.metric("score") == record.result["at_10"]


def test_the_page_shows_readings_printed_numbers_and_the_axis(results, tmp_path):
    folder = write_study(tmp_path / "results", results.plan, results.records)
    write_report(folder)
    page = read(folder)
    assert (
        "Yes, by 10.0 points of score [10.0, 10.0], red 10 against red 30, nothing tuned for either (95 % interval, n = 7 pairs on the same seeds)."
        in page.text
    )
    assert (
        "At the report’s setting, 2 epochs, red 10 ends with a higher score than red 30, by 10.0 points"
        in page.text
    )
    assert (
        "T1 score at 10 69.3 % red 10, score: 60.4 % [60.2, 60.5], n = 6, as reported Ours: none. Everything, with 3 epochs"
        in page.text
    )
    assert "Red: highest mean at red 10; blue: highest mean at blue 10" in page.text
    assert {"along", "then", "final", "fair"} <= set(page.ids)
    assert not {"rate", "budget", "maps"} & set(page.ids)


def test_an_absent_arm_is_not_run_and_its_claims_say_why(tmp_path):
    plan = sweep(absent={"blue": "weights absent: put them somewhere"})
    records = run_all(plan, sweep_task, tmp_path)
    assert {record.arm for record in records} == {"red"}
    blue = Results(plan, records).verdicts[2]
    assert blue.label == "untestable"
    assert [gate.reason for gate in blue.gates] == [
        "blue 10 and blue 30 are not run: weights absent"
    ]
    folder = write_study(tmp_path / "results", plan, records)
    write_report(folder)
    page = read(folder)
    assert "Blue is not run: weights absent: put them somewhere." in page.text
    assert "blue 10, score: not run, weights absent" in page.text
    assert "Blue is blue" not in page.text, "a caveat goes with its arm"


def test_where_the_primary_arms_are_absent_the_first_screen_says_so(tmp_path):
    plan = sweep(absent={"red": "weights absent: put them somewhere"})
    folder = write_study(tmp_path / "results", plan, run_all(plan, sweep_task, tmp_path))
    assert write_report(folder).answer.startswith(
        "On none, 3 epochs a run: Not answered here. red 10 and red 30 are not run: weights absent. Below the final result stands what to do."
    )


def test_claims_that_cannot_be_tested_here_do_not_count_in_the_family():
    assert [claim.name for claim in sweep("all").family] == ["blue", "extra"]
    plan = sweep("all", absent={"blue": "no network"})
    assert [claim.name for claim in plan.family] == ["extra"]
    (extra,) = (v for v in Results(plan, []).verdicts if v.claim.name == "extra")
    assert (extra.family, extra.result.level) == (1, 0.95)


def edit_claim(plan):
    plan["space"]["claims"][0]["better"] = "none of them"


def edit_metrics(plan):
    plan["space"]["metrics"] = []


def edit_base(plan):
    plan["base"] = {}


@pytest.mark.parametrize("edit", [edit_claim, edit_metrics, edit_base])
def test_a_plan_that_was_edited_is_a_sentence(results, tmp_path, edit):
    folder = write_study(tmp_path / "results", results.plan, results.records)
    study = json.loads((folder / "study.json").read_text())
    edit(study["plan"])
    (folder / "study.json").write_text(json.dumps(study))
    with pytest.raises(
        StudyError,
        match=r"study.json must be the plan of a study of this version; it (was edited|cannot be read)",
    ):
        write_report(folder)


def test_a_mistake_of_ours_is_no_sentence(results, tmp_path):
    folder = write_study(tmp_path / "results", results.plan, results.records)
    study = json.loads((folder / "study.json").read_text())
    edit_base(study["plan"])
    study["hash"] = plan_from_dict(study["plan"], sobol_points).hash
    (folder / "study.json").write_text(json.dumps(study))
    with pytest.raises((LookupError, TypeError, StopIteration, AttributeError)):
        write_report(folder)


@pytest.mark.parametrize("data", [[], {}, None])
def test_a_plan_of_which_a_part_is_gone_is_a_sentence(results, tmp_path, data):
    folder = write_study(tmp_path / "results", results.plan, results.records)
    study = json.loads((folder / "study.json").read_text())
    study["plan"]["data"] = data
    (folder / "study.json").write_text(json.dumps(study))
    with pytest.raises(
        StudyError, match=r"study.json must be the plan of a study of this version; it cannot"
    ):
        write_report(folder)


def test_a_line_needs_three_places(results):
    plan = results.plan
    arms = tuple(arm for arm in plan.space.arms if arm.name != "blue-1")
    few = replace(plan, space=replace(plan.space, arms=arms))
    metric = plan.space.primary
    assert list(ordered_means(results, metric)) == ["red", "blue"]
    assert list(ordered_means(Results(few, results.records), metric)) == ["red"]
