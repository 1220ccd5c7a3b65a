"""Controls run with the final seeds, enter no claim, and a claim must lie above the floor among them."""

import json
import re
from dataclasses import replace

import pytest
import toy
from toy import run_all

from study.analysis.results import Results
from study.design.make_plan import retitle_floor
from study.design.space import Arm
from study.report.levels import floor_words, level_sentence
from study.report.page import write_report
from study.store.study_file import write_study

UNTRAINED = Arm("untrained", "Untrained", {"colour": "red", "gain": 0.0}, {}, {"lr": 0.03})


def space(**values):
    low = replace(UNTRAINED, values={"colour": "red", **values})
    taught = replace(low, values={**low.values, "limit": 0.9})
    primary = replace(toy.SPACE.primary, share_of_images=True)
    return replace(
        toy.SPACE,
        controls=(low, replace(taught, name="taught", title="Taught", reads={"loss": ""})),
        floor="untrained",
        metrics=(primary, *toy.SPACE.metrics[1:]),
    )


def results(folder, searches=1, **values):
    sizes = {"searches": 6, "search_trials": 4, "final_seeds": 1} if searches > 1 else {}
    plan = toy.plan(space=space(**values), **sizes)
    return Results(plan, run_all(plan, toy.task, folder))


@pytest.mark.parametrize("searches", [1, 6])
def test_controls_run_once_for_each_unit_of_the_comparison(tmp_path, searches):
    found = results(tmp_path, searches, best=300.0)
    metric, plan = found.plan.space.primary, found.plan
    for name in ("untrained", "taught"):
        units = set(found.values(name, "control", metric))
        assert units == set(found.values("blue", "final", metric))
    seeds = {run.seed for run in found.runs("untrained", "control")}
    assert seeds <= set(plan.seeds("final"))
    assert not any("untrained" in (claim.better, claim.than) for claim in plan.space.claims)


def gate(found):
    return next(g for g in found.verdict("primary").gates if g.name == "Learned")


def test_a_claim_above_the_floor_may_be_tested(tmp_path):
    passed = gate(results(tmp_path, best=300.0))
    assert passed.state == "passed"
    assert passed.reason.startswith("Blue against untrained: +")


def test_a_claim_that_is_not_above_the_floor_is_not_testable(tmp_path):
    found = results(tmp_path, colour="blue", gain=9.0, lr=0.03)
    verdict = found.verdict("primary")
    assert gate(found).state == "failed"
    assert gate(found).reason.startswith("pretraining did not improve on untrained (")
    assert verdict.label == "untestable"


def test_the_first_screen_and_the_table_state_the_levels(tmp_path):
    found = results(tmp_path / "runs", best=300.0)
    words = level_sentence(found)
    assert re.match(r"Score: [\d.]+ % \(Blue\), [\d.]+ % \(Red\)", words)
    assert re.search(r"; beside them [\d.]+ % \(untrained\)", words)
    folder = tmp_path / "study"
    folder.mkdir()
    write_study(folder, found.plan, toy.about())
    with open(folder / "records.jsonl", "w") as file:
        for record in found.records:
            file.write(json.dumps(record.to_dict()) + "\n")
    assert words in write_report(folder).answer
    page = (folder / "report.html").read_text()
    assert words in page
    assert "Untrained (control)" in page


def test_names_in_a_space_must_be_those_of_arms_metrics_and_controls():
    claim = toy.SPACE.claims[0]
    for change, words in (
        ({"reference": "rad"}, "reference must be an arm, one of red, blue, green; got 'rad'"),
        ({"claims": (replace(claim, metric="scroe"),)}, "must be one of score, loss; got 'scroe'"),
        ({"claims": (replace(claim, better="blu"),)}, "must be an arm, one of red, .*; got 'blu'"),
        ({"floor": "nothing"}, "floor must be a control; got 'nothing'"),
        ({"metrics": ()}, "must have a metric"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(toy.SPACE, **change)


@pytest.fixture
def second_share(tmp_path):
    """A study with a further metric that is a share of images, by a function of its controls' value."""
    found = results(tmp_path, best=300.0)
    metric = replace(found.plan.space.primary, name="knn", title="kNN", unit="points", scale=1.0)
    shown = replace(found.plan.space, metrics=(*found.plan.space.metrics, metric))
    plan = replace(found.plan, space=shown)

    def make(value, higher=True):
        own = replace(metric, higher_is_better=higher)
        space = replace(plan.space, metrics=(*plan.space.metrics[:-1], own))
        records = [
            replace(r, result={**r.result, "knn": value if r.stage == "control" else 50.0})
            for r in found.records
        ]
        return Results(replace(plan, space=space), records)

    return make


def test_a_control_that_beats_every_arm_by_another_metric_is_named(second_share):
    assert floor_words(second_share(60.0)).startswith(
        " By kNN the control “untrained” lies above every colour: 60.0 % against 50.0 % at best."
    )
    assert floor_words(second_share(50.01)) == ""  # by less than matters
    assert floor_words(second_share(40.0)) == ""
    assert floor_words(second_share(float("nan"))) == ""  # it failed, or lacks the number
    assert " lies below every colour: 40.0 %" in floor_words(second_share(40.0, higher=False))


def test_the_floor_of_trials_that_begin_from_a_file_is_named_for_it():
    titles = [control.title for control in retitle_floor(space()).controls]
    assert titles == ["As loaded", "Taught"]
