"""Arms that are read off the trials of others, arms that cannot be run here, values along an axis, and printed numbers."""

import json
import math
from dataclasses import replace

import pytest
from test_page import read, write_study
from toy import DATA, SPACE, complete, run_all

from study.analysis.derived_arms import judged
from study.analysis.forecast import mean_seconds
from study.analysis.verdict import verdicts
from study.command import begun_from
from study.design.plan import arms_of, check_free, make_plan, plan_of
from study.design.record import Record
from study.design.space import Arm, Claim, Profile, Replica, Reported
from study.design.stages import due, expected_trials
from study.errors import StudyError
from study.report.page import write_report
from study.report.sections.ordered_parameter import spots_of
from study.report.sections.reproduction import reported
from study.report.sections.threats import threats
from study.report.wording import answer, what_would_change
from study.store.study_file import fix_plan, read_study

RATES = (1.0, 10.0, 30.0)


def reading(rate, of="red"):
    key = f"{rate:g}"
    return Arm(
        f"{of}-{key}",
        f"{of} {key}",
        {},
        {},
        {},
        rate > 1,
        group=of,
        at=rate,
        of=of,
        reads={"score": f"at_{key}"},
        curve=f"score = curves/{key}",
    )


SWEEP = replace(
    SPACE,
    reference="red-30",
    arms=(
        Arm("red", "Red", {"colour": "red"}, {}, {}, in_report=False),
        Arm(
            "blue",
            "Blue",
            {"colour": "blue"},
            {},
            {},
            in_report=False,
            caveat="Blue is {colour} and has {epochs} epochs.",
        ),
        *(reading(rate) for rate in RATES),
        *(reading(rate, "blue") for rate in RATES),
        Arm("extra", "Extra", {"colour": "green"}, {}, {}, in_report=False, optional=True),
    ),
    replica=Replica(
        "T1",
        "10 beats 30",
        {"epochs": 2},
        "2 epochs",
        ("Little.",),
        unstated="little is not stated",
        drawn="score",
    ),
    claims=(
        Claim("main", "red-10", "red-30", "score", "final", "primary", "10 scores higher than 30"),
        Claim(
            "replica",
            "red-10",
            "red-30",
            "score",
            "replica",
            "replica",
            "10 scores higher than 30 as reported",
        ),
        Claim("blue", "blue-10", "blue-30", "score", "final", "family", "On blue, too"),
        Claim("extra", "extra", "red", "score", "final", "family", "Extra scores higher than red"),
    ),
    reported=(
        Reported(
            "T1",
            "score at 10",
            "69.3 %",
            "red-10",
            "score",
            "replica",
            "Everything, with {epochs} epochs",
        ),
        Reported("T1", "score of blue at 10", "70 %", "blue-10", "score", "final", "Everything"),
        Reported(
            "T2",
            "score at 30 less than at 10",
            "10 points",
            "red-30",
            "score",
            "final",
            "Much",
            against="red-10",
        ),
        Reported(
            "T3",
            "score on other data",
            "none printed",
            "red-10",
            "score",
            "final",
            "Much",
            dataset="others",
        ),
    ),
    axis="rate",
    profiles={
        "quick": Profile(
            "none",
            {},
            0,
            0,
            0,
            0,
            7,
            6,
            "a toy",
            final={"gain": 4.0},
            arms={"blue": {"best": 0.05}},
        )
    },
)


def sweep_task(config, folder):
    """One trial gives the score at every rate, by epoch too; 10 is the best."""
    noise = (config["seed"] % 7) / 1000
    scores = {f"{rate:g}": 0.5 + 0.1 * (rate == 10) + noise for rate in RATES}
    for epoch in range(1, config["epochs"] + 1):
        yield {"epoch": epoch, "step": epoch, "loss": 1.0, "seconds": 0.01, "lr": 0.1}
    curves = {key: [score / 2, score] for key, score in scores.items()}
    return {
        "loss": 1.0,
        "score": 0.6,
        "rank": 9.0,
        "device": "none",
        "curves": curves,
        **{f"at_{key}": score for key, score in scores.items()},
    }


def sweep(wish="", absent=None, found=None):
    space = arms_of(SWEEP, SWEEP.profiles["quick"], {"arms": wish})
    overrides = {"arms": wish} if wish else {}
    return make_plan(
        space, "quick", space.profiles["quick"], overrides, DATA, 1, complete, absent, found
    )


def test_one_trial_a_seed_serves_all_its_readings(tmp_path):
    plan = sweep()
    records = run_all(plan, sweep_task, tmp_path)
    assert {record.arm for record in records} == {"red", "blue"}
    assert len(records) == 2 * 7 + 2 * 6 == sum(expected_trials(plan).values())
    verdict = verdicts(plan, judged(plan, records))[0]
    assert verdict.label == "supported"
    assert verdict.result.mean == pytest.approx(10.0)
    assert verdict.result.n == 7


def test_a_caveat_of_an_arm_that_ran_stands_among_the_threats(tmp_path):
    plan = sweep()
    records = run_all(plan, sweep_task, tmp_path)
    assert f"Blue is blue and has {plan.base['epochs']} epochs." in threats(plan, records, [])


def test_a_printed_difference_stands_beside_ours_and_other_data_have_no_number(tmp_path):
    plan = sweep()
    rows = reported(plan, judged(plan, run_all(plan, sweep_task, tmp_path)))["rows"]
    assert (
        rows[2][3]
        == "red 30 − red 10, score: −10.0 points [−10.0, −10.0], n = 7 pairs, final stage"
    )
    assert rows[3][3:] == ["other data: --dataset others gives it", "–"]


def test_a_study_that_has_not_ended_says_so_and_how_it_goes_on(tmp_path):
    plan = sweep()
    records = judged(
        plan, [r for r in run_all(plan, sweep_task, tmp_path) if r.stage != "final" or r.seed < 103]
    )
    verdict = verdicts(plan, records)[0]
    assert (
        "Not testable: the study has not ended: 2 of 7 seeds finished in both arms so far."
        in " ".join(answer(plan, verdict))
    )
    assert what_would_change(plan, verdict) == "The same command goes on where the study stopped."


def test_one_pair_has_no_interval_to_name(tmp_path):
    plan = sweep()
    plan = replace(plan, sizes=replace(plan.sizes, final_seeds=1))
    records = run_all(plan, sweep_task, tmp_path)
    said = " ".join(answer(plan, verdicts(plan, judged(plan, records))[0]))
    assert said == (
        "Not testable: 1 seed in both arms, at least 6 are needed. Measured: +10.0 points, one pair (n = 1 pair, no interval)."
    )


def test_the_estimate_counts_every_arm_once_and_says_whose_trials_it_knows():
    plan, spent = sweep(), {"red": 10.0, "blue": 20.0}
    trials = [trial for trial in due(plan, {}) if trial.stage == "final"]
    kept = [trial for trial in trials if trial.arm == "red" or trial.seed < 103]
    some = {
        t.id: Record(
            t.id,
            t.stage,
            t.arm,
            t.seed,
            "finished",
            {},
            {},
            "",
            [],
            {},
            "",
            spent[t.arm],
            "",
            {},
            "",
            "",
            "",
        )
        for t in kept
    }
    assert mean_seconds(plan, some) == (15.0, "as those that ended")
    assert mean_seconds(plan, {id: r for id, r in some.items() if r.arm == "red"}) == (
        10.0,
        "as those that ended, of 1 of 2 arms",
    )
    assert math.isnan(mean_seconds(plan, {})[0])


def test_a_reading_has_the_epochs_of_its_list(tmp_path):
    plan = sweep()
    found = judged(plan, run_all(plan, sweep_task, tmp_path))
    record = next(r for r in found.values() if r.arm == "red-10" and r.stage == "replica")
    assert [row["epoch"] for row in record.curve] == [1, 2]
    assert record.curve[1]["score"] == record.metric("score") == record.result["at_10"]


def test_fields_of_arms_and_of_the_final_stage_go_with_the_profile():
    trials = list(due(sweep(), {}))
    assert {trial.config["best"] for trial in trials if trial.arm == "blue"} == {0.05}
    assert {trial.config["gain"] for trial in trials if trial.stage == "final"} == {4.0}
    assert {trial.config["gain"] for trial in trials if trial.stage == "replica"} == {3.0}


def test_optional_arms_are_run_where_they_are_named_and_their_claims_go_with_them():
    assert [claim.name for claim in sweep().claims] == ["main", "replica", "blue"]
    assert "extra" in [claim.name for claim in sweep("all").claims]
    few = sweep("red, red-10,red-30,extra")
    assert [arm.name for arm in few.arms] == ["red", "red-10", "red-30", "extra"]
    assert [claim.name for claim in few.claims] == ["main", "replica", "extra"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("red,pink", "takes arms of toy: red, blue, .*; got 'pink'"),
        ("red,red-10", "red-30 is missing"),
    ],
)
def test_arms_that_are_none_or_too_few_are_refused(wish, told):
    with pytest.raises(StudyError, match=told):
        sweep(wish)


def test_the_page_shows_readings_printed_numbers_and_the_axis(tmp_path):
    plan = sweep()
    folder = write_study(tmp_path / "results", plan, run_all(plan, sweep_task, tmp_path))
    write_report(folder)
    page = read(folder)
    assert (
        "Yes, by 10.0 points of score [+10.0, +10.0], red 10 against red 30, nothing tuned for either (95 % interval, n = 7 pairs on the same seeds)."
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
    blue = verdicts(plan, judged(plan, records))[2]
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
        "Not answered here: red 10 and red 30 are not run: weights absent. Below the final result stands what to do."
    )


ABOUT = {
    "command": ["--space", "toy"],
    "folder": "x",
    "versions": {},
    "commit": "",
    "created": "now",
}


def test_claims_that_cannot_be_tested_here_do_not_count_in_the_family():
    assert [claim.name for claim in sweep("all").family] == ["blue", "extra"]
    assert [claim.name for claim in sweep("all", absent={"blue": "no network"}).family] == ["extra"]
    (extra,) = (
        v
        for v in verdicts(sweep("all", absent={"blue": "no network"}), {})
        if v.claim.name == "extra"
    )
    assert (extra.family, extra.result.level) == (1, 0.95)


def test_an_arm_that_was_absent_may_come_and_one_that_was_there_may_not_go(tmp_path):
    fix_plan(tmp_path, sweep(absent={"blue": "no network"}), ABOUT)
    assert fix_plan(tmp_path, sweep(absent={"blue": "still no network"}), ABOUT).absent == {
        "blue": "no network"
    }
    now = fix_plan(tmp_path, sweep(found={"blue": {"best": 0.02}}), ABOUT, seen=True)
    assert now.absent == {}
    assert read_study(tmp_path)["changes"] == [
        {"when": "now", "what": [], "arrived": ["blue"], "seen": True}
    ]
    assert now.looks == 1  # nothing that was tested is tested again
    assert plan_of(read_study(tmp_path)["plan"]) == now
    with pytest.raises(
        StudyError, match="holds a study in which Blue is run; what that needs is not here now"
    ):
        fix_plan(tmp_path, sweep(absent={"blue": "gone"}), ABOUT)
    with pytest.raises(StudyError, match=r"found.blue.best was 0.02 and is now 0.3"):
        fix_plan(tmp_path, sweep(found={"blue": {"best": 0.3}}), ABOUT)


def test_what_was_found_of_an_arm_is_part_of_its_trials():
    by_arm = {
        trial.arm: trial.config["best"] for trial in due(sweep(found={"blue": {"best": 0.02}}), {})
    }
    assert by_arm == {"red": 0.03, "blue": 0.02}


def test_weights_are_for_all_unless_an_arm_names_or_takes_them():
    assert begun_from("some.pt", SPACE, {}, ["fair"], "given") == ({"weights": "given"}, "some.pt")
    assert (
        begun_from("fair", SPACE, {}, ["fair"], "given")
        == begun_from(None, SPACE, {"weights": "fair"}, ["fair"], "given")
        == ({"weights": "fair"}, "fair")
    )
    assert begun_from(None, SPACE, {}, ["fair"], "given") == ({}, "")
    named = replace(
        SPACE,
        arms=(
            *SPACE.arms,
            Arm("given", "Given", {"weights": "given"}, {}, {}),
            Arm("theirs", "T", {"weights": "fair"}, {}, {}),
        ),
    )
    assert begun_from("some.pt", named, {}, ["fair"], "given") == ({}, "some.pt")
    assert begun_from("fair", named, {}, ["fair"], "given") == ({}, "")
    with pytest.raises(StudyError, match="--weights must be one of fair, or a file; got ''"):
        begun_from("", SPACE, {}, ["fair"], "given")
    with pytest.raises(StudyError, match="must be the same"):
        begun_from("some.pt", SPACE, {"weights": "other.pt"}, (), "given")
    with pytest.raises(StudyError, match="--set weights would give its file to every arm of toy"):
        begun_from(None, named, {"weights": "some.pt"}, (), "given")


def test_arms_that_an_override_makes_one_are_refused():
    space = replace(
        SWEEP,
        arms=tuple(
            replace(arm, values={"mode": "high"}) if arm.name == "blue" else arm
            for arm in SWEEP.arms
        ),
    )
    space = replace(
        space,
        arms=tuple(replace(arm, values={}) if arm.name == "red" else arm for arm in space.arms),
    )
    with pytest.raises(StudyError, match="with it Red and Blue are the same"):
        make_plan(
            arms_of(space, Profile("none", {}), {}),
            "quick",
            Profile("none", {}),
            {"mode": "high"},
            DATA,
            1,
            complete,
        )


def test_arms_that_differ_in_nothing_that_counts_are_refused():
    with pytest.raises(StudyError, match="with it Red and Blue are the same"):
        make_plan(
            arms_of(SWEEP, Profile("none", {}), {}),
            "quick",
            Profile("none", {}),
            {},
            DATA,
            1,
            complete,
            essence=lambda values: {**values, "colour": ""},
        )


def test_a_size_of_the_final_stage_may_be_set_and_holds_there_alone():
    space, overrides = arms_of(SWEEP, SWEEP.profiles["quick"], {"gain": 5.0}), {"gain": 5.0}
    plan = make_plan(space, "quick", space.profiles["quick"], overrides, DATA, 1, complete)
    assert {(trial.stage, trial.config["gain"]) for trial in due(plan, {})} == {
        ("final", 5.0),
        ("replica", 3.0),
    }


def test_a_field_that_only_other_arms_set_is_free_and_they_keep_their_own():
    space = replace(
        SWEEP,
        arms=tuple(
            replace(arm, values={"mode": "high"}) if arm.name == "extra" else arm
            for arm in SWEEP.arms
        ),
    )
    sizes = space.profiles["quick"]
    check_free(space, {"mode": "low"}, sizes)
    with pytest.raises(StudyError, match="--set colour is not free"):
        check_free(space, {"colour": "blue"}, sizes)


@pytest.mark.parametrize(
    "change", [{"reference": "none of them"}, {"metrics": []}, {"data": []}, {"base": {}}]
)
def test_a_plan_that_was_edited_is_a_sentence_and_a_mistake_of_ours_is_not(tmp_path, change):
    plan = sweep()
    folder = write_study(tmp_path / "results", plan, run_all(plan, sweep_task, tmp_path))
    study = json.loads((folder / "study.json").read_text())
    study["plan"] |= change
    (folder / "study.json").write_text(json.dumps(study))
    with pytest.raises(
        StudyError, match=r"study.json must be the plan of a study of this version; it was edited"
    ):
        write_report(folder)
    study["hash"] = plan_of(study["plan"]).hash
    (folder / "study.json").write_text(json.dumps(study))
    with pytest.raises((LookupError, TypeError, StopIteration, AttributeError)):
        write_report(folder)


def test_a_size_of_the_final_stage_is_above_0():
    with pytest.raises(
        StudyError, match="--set gain must be above 0: the final stage measures by it"
    ):
        check_free(SWEEP, {"gain": 0.0}, SWEEP.profiles["quick"])


def test_what_a_run_is_at_all_is_not_free():
    with pytest.raises(StudyError, match="--set method is not free"):
        check_free(SWEEP, {"method": "supervised"}, SWEEP.profiles["quick"])


def test_a_line_needs_three_places(tmp_path):
    plan = sweep()
    found = judged(plan, run_all(plan, sweep_task, tmp_path))
    few = replace(plan, arms=tuple(arm for arm in plan.arms if arm.name != "blue-1"))
    assert list(spots_of(plan, found, plan.metrics[0])) == ["red", "blue"]
    assert list(spots_of(few, found, plan.metrics[0])) == ["red"]
