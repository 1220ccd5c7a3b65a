"""What the page advises: the best arm, who cannot be told apart from it, and the command."""

from dataclasses import replace

import pytest
import toy as toy_module
from report.test_page import write_study

from study.analysis.results import Results
from study.design.ranges import LogRange
from study.design.space import Arm
from study.figures.style import arm_styles
from study.report.advice import advise, command_words
from study.report.answer import answer
from study.report.page import write_report

GENERAL = "Which colour is best here?"


def own_plan(**changes):
    """The toy's plan on data of the user's own."""
    space = replace(toy_module.SPACE, general=GENERAL)
    plan = toy_module.plan(space=space, data=replace(toy_module.DATA, own=True), **changes)
    words = replace(plan.words, command="python -m toy", defaults={**toy_module.DEFAULTS})
    return replace(plan, words=words)


@pytest.fixture
def own(tmp_path):
    plan = own_plan(final_seeds=10)
    return Results(plan, toy_module.run_all(plan, toy_module.task, tmp_path))


def test_blue_is_best_by_a_margin_and_the_others_are_worse_by_their_numbers(own):
    ranking = own.ranking
    assert [ranking.best.arm.name, [one.one.arm.name for one in ranking.worse]] == [
        "blue",
        ["green", "red"],
    ]
    assert ranking.size == 3
    for worse in ranking.worse:
        mean = ranking.best.mean - worse.one.mean
        assert worse.difference.mean == pytest.approx(mean)
        assert worse.difference.level == pytest.approx(1 - 0.05 / 3)


def test_too_few_pairs_tell_nothing_apart_and_say_so(tmp_path):
    plan = own_plan(final_seeds=6)  # the least p is 2 / 2^6, times three comparisons above 5 %
    results = Results(plan, toy_module.run_all(plan, toy_module.task, tmp_path))
    assert not results.ranking.can_tell
    assert results.ranking.worse == ()
    assert "so few seeds cannot tell 3 colours apart" in " ".join(answer(results))


def test_an_arm_of_which_a_run_has_no_result_is_left_out_of_the_ranking(own):
    records = [
        replace(one, status="diverged", result={})
        if (one.arm, one.stage, one.seed) == ("blue", "final", 101)
        else one
        for one in own.records
    ]
    ranking = Results(own.plan, records).ranking
    assert ranking.best.arm.name != "blue"
    assert ranking.left_out == ("Blue",)


def test_on_own_data_the_general_question_heads_the_page(own, tmp_path):
    folder = write_study(tmp_path / "results", own.plan, own.records)
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert f"<h1>{GENERAL}</h1>" in page
    assert "<b>Does blue beat red?</b> Yes, by" in page
    assert "<b>On none, 3 epochs a run: Blue ends best, score " in page
    assert "<b>What to use.</b> Blue at lr" in page
    assert "<pre>python -m toy --dataset none --colour blue --lr 0." in page


def test_on_other_data_the_space_s_question_does(finished, tmp_path):
    folder = write_study(tmp_path / "results", *finished)
    write_report(folder)
    assert "<h1>Does blue beat red?</h1>" in (folder / "report.html").read_text()


def test_the_command_says_what_is_no_default_and_names_the_data_as_the_study_did(own):
    about = toy_module.about(command=["--space", "toy", "--dataset", "my photos"])
    advice = advise(own, about)
    point = own.chosen_point(own.plan.space.arm("blue"))
    assert advice.command == (
        f"python -m toy --dataset 'my photos' --colour blue --lr {point['lr']:.3g}"
    )
    assert (
        command_words(replace(own.plan, words=toy_module.WORDS), own.arms[0].arm, {}, about) == ""
    )


def test_nothing_is_advised_before_the_end(own):
    half = [one for one in own.records if one.seed != 103]
    assert advise(Results(own.plan, half), toy_module.about()) is None


def test_nothing_is_advised_where_no_arm_ends_above_the_floor(tmp_path):
    floor = Arm("untrained", "Untrained", {"gain": 20.0, "colour": "blue"}, {}, {"lr": 0.03})
    space = replace(
        toy_module.SPACE, general=GENERAL, controls=(floor,), floor="untrained", claims=()
    )
    plan = toy_module.plan(space=space, data=replace(toy_module.DATA, own=True))
    results = Results(plan, toy_module.run_all(plan, toy_module.task, tmp_path))
    advice = advise(results, toy_module.about())
    assert advice.words.startswith("None of them yet: the best ends at ")
    assert advice.command == ""


def test_an_arm_looks_the_same_whichever_arms_a_study_leaves_out():
    from study.design.arms import select_arms

    space, sizes = toy_module.SPACE, toy_module.SPACE.profiles["quick"]
    whole = select_arms(space, sizes, {"arms": "all"})
    part = select_arms(space, sizes, {"arms": "red,blue"})
    others = replace(part, arms=(*part.arms[:1], whole.arms[2]), claims=())
    plan = toy_module.plan()
    looks = [arm_styles(replace(plan, space=one)) for one in (whole, others)]
    assert looks[0]["green"] == looks[1]["green"]
    assert looks[0]["red"] == looks[1]["red"]
    assert len({style.light for style in looks[0].values()}) == 3


@pytest.mark.parametrize(("duplicates", "state"), [(4, "passed"), (40, "failed")])
def test_test_items_that_are_trained_on_fail_the_splits_where_they_can_matter(
    tmp_path, duplicates, state
):
    space = replace(
        toy_module.SPACE,
        metrics=(
            replace(toy_module.SPACE.metrics[0], share_of_images=True),
            *toy_module.SPACE.metrics[1:],
        ),
    )
    data = replace(toy_module.DATA, duplicates=duplicates)
    plan = toy_module.plan(space=space, data=data)
    results = Results(plan, toy_module.run_all(plan, toy_module.task, tmp_path))
    gate = next(one for one in results.verdict("primary").gates if one.name == "Splits")
    assert gate.state == state
    assert f"{duplicates} of 1,000 test items are also trained on" in gate.reason


def test_an_arm_whose_range_misses_its_optimum_is_neither_worse_nor_level(tmp_path):
    short = {"lr": LogRange(1e-3, 4e-3)}  # the best rate is 0.03
    arms = tuple(
        replace(arm, search=short) if arm.name == "green" else arm for arm in toy_module.SPACE.arms
    )
    space = replace(toy_module.SPACE, general=GENERAL, arms=arms)
    data = replace(toy_module.DATA, own=True)
    plan = toy_module.plan(space=space, data=data, final_seeds=10, added_trials=0)
    results = Results(plan, toy_module.run_all(plan, toy_module.task, tmp_path))
    assert [one.one.arm.name for one in results.ranking.worse] == ["red"]
    assert [one.one.arm.name for one in results.ranking.doubted] == ["green"]
    words = " ".join(answer(results))
    assert "Not judged: Green <b> (Green <b> chose" in words or "Not judged: Green <b> (" in words
    assert "Green <b> (by" not in words
